"""The turns of guests: one begins in each turn of the loop, addresses take turns, and a share bounds them together."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from veche.core.errors import ChatError, Code
from veche.service.guests import MAX_WAITING, Guests
from veche.service.shares import WINDOW, Shares


@pytest.fixture
async def shares() -> Shares:
    return Shares(lambda: 0.0)


@pytest.fixture
async def guests(shares: Shares) -> Guests:
    return Guests(shares)


def begin(guests: Guests, address: str, began: list[str]) -> asyncio.Task[None]:
    async def request() -> None:
        await guests.turn(address)
        began.append(address)

    return asyncio.get_running_loop().create_task(request())


async def test_a_request_alone_begins_at_once(guests: Guests) -> None:
    turn = guests.turn("192.0.2.1")
    with pytest.raises(StopIteration):
        turn.send(None)


async def test_one_begins_in_each_turn_of_the_loop(guests: Guests) -> None:
    began: list[str] = []
    tasks = [begin(guests, "192.0.2.1", began) for _ in range(5)]
    seen = []
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        seen.append(len(began))
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(seen)), seen
    assert seen[0] == 1
    assert seen[-1] == 5


async def test_addresses_take_turns(guests: Guests) -> None:
    began: list[str] = []
    many = [begin(guests, "192.0.2.1", began) for _ in range(50)]
    await asyncio.gather(begin(guests, "192.0.2.2", began), *many)
    assert "192.0.2.2" in began[:3]
    assert len(began) == 51


async def test_guests_without_a_share_wait_and_go_on(guests: Guests, shares: Shares) -> None:
    share = shares.of("guests")
    share.allowed = 0.0
    began: list[str] = []
    tasks = [begin(guests, "192.0.2.1", began) for _ in range(3)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert not began
    assert len(guests) == 3
    share.allowed = 1e6
    share.end_window(WINDOW)
    share.go_on()
    await asyncio.gather(*tasks)
    assert len(began) == 3


async def test_those_who_leave_do_not_wait_any_more(guests: Guests, shares: Shares) -> None:
    share = shares.of("guests")
    share.allowed = 0.0
    began: list[str] = []
    gone, stays = begin(guests, "192.0.2.1", began), begin(guests, "192.0.2.1", began)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    assert len(guests) == 1
    share.allowed = 1e6
    share.end_window(WINDOW)
    share.go_on()
    await stays
    assert began == ["192.0.2.1"]


async def test_if_too_many_wait_the_address_with_the_most_is_refused(guests: Guests, shares: Shares) -> None:
    shares.of("guests").allowed = 0.0
    began: list[str] = []
    crowd = [begin(guests, "192.0.2.1", began) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    one = begin(guests, "192.0.2.2", began)
    await asyncio.sleep(0)
    assert len(guests) == MAX_WAITING
    refused, _ = await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
    (error,) = [task.exception() for task in refused]
    assert isinstance(error, ChatError)
    assert error.code is Code.OVERLOADED
    assert error.temporary
    assert not one.done()
    for task in (*crowd, one):
        task.cancel()
    await asyncio.wait([*crowd, one])
    assert len(guests) == 0
