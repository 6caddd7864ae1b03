"""Who has to go if there are too many connections."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from veche.wire.connections import Connections

AT_MOST, GUESTS, OF_ACCOUNT = 6, 3, 2
HOME, WORK = "192.0.2.1", "192.0.2.2"


class Connection:
    """A connection that leaves when it is crowded out."""

    def __init__(self, connections: Connections, address: str | None = HOME) -> None:
        self.connections = connections
        self.open = connections.enter(self, address)

    def crowded_out(self) -> None:
        assert self.open
        self.open = False
        self.connections.leave(self)


def some() -> Connections:
    return Connections(AT_MOST, GUESTS, OF_ACCOUNT)


def which(connections: list[Connection]) -> list[int]:
    return [number for number, one in enumerate(connections) if one.open]


def test_the_oldest_guest_of_an_address_has_to_go() -> None:
    connections = some()
    others = [Connection(connections, WORK) for _ in range(2)]
    guests = [Connection(connections) for _ in range(5)]
    assert which(guests) == [2, 3, 4]
    assert which(others) == [0, 1]


def test_a_guest_that_was_active_stays() -> None:
    connections = some()
    guests = [Connection(connections) for _ in range(3)]
    connections.be_guest(guests[0], HOME)
    guests += [Connection(connections)]
    assert which(guests) == [0, 2, 3]


def test_those_who_have_signed_in_are_no_guests() -> None:
    connections = some()
    members = [Connection(connections) for _ in range(3)]
    for one in members:
        connections.admit(one)
    guests = [Connection(connections) for _ in range(3)]
    assert which(members + guests) == [0, 1, 2, 3, 4, 5]
    assert connections.guests(HOME) == 3


def test_an_account_with_too_many_loses_the_one_that_was_active_the_longest_ago() -> None:
    connections = some()
    mine = [Connection(connections) for _ in range(3)]
    for one in (*mine[:2], mine[0], mine[2]):
        connections.sign_in(one, 7)
    assert which(mine) == [0, 2]
    connections.be_guest(mine[0], HOME)  # a request without a token after one with a token
    assert connections.guests(HOME) == 0


def test_a_connection_that_signs_in_again_belongs_to_the_new_account() -> None:
    connections = some()
    one, *others = [Connection(connections) for _ in range(3)]
    connections.sign_in(one, 7)
    connections.sign_in(one, 8)
    for other in others:
        connections.sign_in(other, 7)
    assert which([one, *others]) == [0, 1, 2]


def test_a_full_server_drops_the_oldest_guest_of_all() -> None:
    connections = some()
    first = [Connection(connections, WORK) for _ in range(2)]
    guests = [Connection(connections, f"192.0.2.{number}") for number in range(3, 9)]
    assert which(first + guests) == [2, 3, 4, 5, 6, 7]


def test_a_server_full_of_people_refuses_new_connections() -> None:
    connections = some()
    people = [Connection(connections, f"192.0.2.{number}") for number in range(AT_MOST)]
    for one in people:
        connections.admit(one)
    late = Connection(connections)
    assert not late.open
    assert len(connections) == AT_MOST
    people[0].crowded_out()
    assert Connection(connections).open


def test_the_connections_of_proxies_are_guests_of_no_address_and_have_to_go_last() -> None:
    connections = some()
    proxies = [Connection(connections, None) for _ in range(5)]
    guests = [Connection(connections, f"192.0.2.{number}") for number in range(3)]
    assert which(proxies) == [0, 1, 2, 3, 4]
    assert which(guests) == [2]
    connections.admit(guests[2])
    connections.be_guest(proxies[0], None)
    Connection(connections, None)
    assert which(proxies) == [0, 2, 3, 4]


STEPS = st.tuples(
    st.sampled_from(["enter", "enter", "leave", "admit", "be_guest", "sign_in"]),
    st.integers(0, 9),
    st.sampled_from([HOME, WORK, "2001:db8::/64", None]),
)


@given(st.lists(STEPS, max_size=60))
def test_no_bound_is_ever_exceeded_and_nothing_is_kept_of_those_who_left(
    steps: list[tuple[str, int, str | None]],
) -> None:
    connections, opened = some(), list[Connection]()
    for step, number, address in steps:
        if step == "enter":
            opened.append(Connection(connections, address))
            if not opened[-1].open:
                assert not len(connections._guests)
                assert not len(connections._of_proxies)
        else:
            with contextlib.suppress(IndexError):
                one = opened[number]
                match step:
                    case "leave" if one.open:
                        one.crowded_out()
                    case "admit":
                        connections.admit(one)
                    case "be_guest":
                        connections.be_guest(one, address)
                    case "sign_in":
                        connections.sign_in(one, number % 2)
        open_ones = {one for one in opened if one.open}
        assert connections._all == open_ones
        assert len(open_ones) <= AT_MOST
        pools = (connections._guests, GUESTS), (connections._signed_in, OF_ACCOUNT), (connections._of_proxies, AT_MOST)
        for owned, cap in pools:
            assert set(owned._owners) <= open_ones
            assert all(len(own) <= cap for own in owned._things.values())
        assert not set(connections._guests._owners) & set(connections._signed_in._owners)
    for one in opened:
        if one.open:
            one.crowded_out()
    assert not connections._all
    assert not len(connections._guests)
    assert not len(connections._of_proxies)
    assert not len(connections._signed_in)
