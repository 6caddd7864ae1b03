"""The caps of connections, against a plain list of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from veche.wire.engineio.places import Caps, Places
from veche.wire.proxy import network

CAPS = Caps(total=6, per_address=4, not_entered=4, not_entered_per_address=2)
ADDRESSES = ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "")


@dataclass(eq=False)
class Placed:
    address: str
    world: World
    entered: bool = False

    def drop(self, reason: str) -> None:
        self.world.places.release(self)
        self.world.all.remove(self)


@dataclass
class World:
    places: Places = field(default_factory=lambda: Places(CAPS))
    all: list[Placed] = field(default_factory=list)  # the oldest first

    def outside(self, address: str | None = None) -> list[Placed]:
        return [one for one in self.of(address) if not one.entered]

    def of(self, address: str | None) -> list[Placed]:
        return [one for one in self.all if address is None or network(one.address) == network(address)]

    def opens(self, address: str) -> None:
        before, mine, outside = list(self.all), self.outside(address), self.outside()
        address_is_full = len(self.of(address)) >= CAPS.per_address
        has_place = self.places.make_room(address)
        gone = [one for one in before if one not in self.all]
        if address_is_full and not mine:
            assert not has_place
        if outside and (mine or not address_is_full):
            assert has_place, "a connection that has not entered keeps nobody out"
        assert all(one in (*mine[:1], *outside[:1]) for one in gone)
        if has_place:
            self.all.append(connection := Placed(address, self))
            self.places.take(connection)

    def check(self) -> None:
        assert len(self.all) <= CAPS.total
        assert len(self.outside()) <= CAPS.not_entered
        for address in ADDRESSES:
            assert len(self.of(address)) <= CAPS.per_address
            assert len(self.outside(address)) <= CAPS.not_entered_per_address


steps = st.tuples(st.sampled_from(("open", "open", "open", "enter", "close")), st.integers(0, 5))


@given(st.lists(steps, max_size=60))
def test_the_caps_hold_and_the_oldest_outside_make_room(steps):
    world = World()
    for step, number in steps:
        match step:
            case "open":
                world.opens(ADDRESSES[number])
            case "enter" if number < len(world.all):
                world.all[number].entered = True
                world.places.enter(world.all[number])
            case "close" if number < len(world.all):
                world.all[number].drop("it closes")
        world.check()
    for connection in list(world.all):
        connection.drop("the end")
    assert len(world.places._all) == len(world.places._outside) == 0


def test_networks_of_ipv6_are_one_address():
    world = World()
    for number in range(10):
        world.opens(f"2001:db8::{number}")
    assert len(world.all) == CAPS.not_entered_per_address
