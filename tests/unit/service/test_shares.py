"""Fair shares with a clock and a CPU of the test: who is slowed, who is not, and that everybody goes on in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

import pytest

from veche.service.shares import (
    ACTIVE,
    LOWEST,
    MAX_WAITING,
    MAX_WAITING_BYTES,
    PARTS,
    QUIET_UNITS,
    QUIET_WINDOW,
    SMALLEST_SHARE,
    TOTAL_WAITING,
    WINDOW,
    Share,
    Shares,
)


class Machine:
    """Shares whose windows the test ends. `busy` is the part of the time for which the server computes."""

    def __init__(self) -> None:
        self.shares = Shares(lambda: 0.0)
        self.shares._timer = asyncio.get_running_loop().call_later(1e9, lambda: None)

    def end_window(self, busy: float) -> None:
        self.shares._adjust(busy, 1.0)
        self.shares._share_what_is_left()
        for share in tuple(self.shares._active):
            share.end_window(WINDOW)
            share.go_on()


@pytest.fixture
async def machine() -> Machine:
    return Machine()


def flood(machine: Machine, *shares: tuple[Share, float], busy: float, windows: int = 1) -> None:
    for _ in range(windows):
        for share, units in shares:
            share.work(min(units, share.allowed))
        machine.end_window(busy)


async def test_one_alone_is_never_slowed(machine: Machine) -> None:
    flood(machine, (machine.shares.open(1), 1000.0), busy=1.0, windows=50)
    assert machine.shares.of(1).allowed == inf


async def test_while_the_server_is_not_busy_nobody_is_slowed(machine: Machine) -> None:
    flood(machine, (machine.shares.open(1), 1000.0), (machine.shares.open(2), 1.0), busy=0.3, windows=50)
    assert machine.shares.of(1).allowed == inf


async def test_equals_are_not_slowed_however_busy_they_are(machine: Machine) -> None:
    flood(machine, *((machine.shares.open(key), 100.0) for key in range(1, 11)), busy=1.0, windows=50)
    assert all(machine.shares.of(key).allowed == inf for key in range(1, 11))


async def test_one_who_takes_most_of_a_busy_server_is_slowed_and_the_others_are_not(machine: Machine) -> None:
    many, few = machine.shares.open(1), machine.shares.open(2)
    flood(machine, (many, 1000.0), (few, 1.0), busy=1.0)
    assert many.allowed == pytest.approx(500)
    flood(machine, (many, 1000.0), (few, 1.0), busy=1.0, windows=30)
    assert many.allowed == LOWEST, "it may always do a little"
    assert few.allowed == inf


async def test_what_was_too_much_is_paid_in_the_next_windows(machine: Machine) -> None:
    many, few = machine.shares.open(1), machine.shares.open(2)
    flood(machine, (many, 100.0), (few, 1.0), busy=1.0)
    owed, windows = 3 * many.allowed, 0
    many.work(owed - many.allowed)  # in the first window it did twice what it may
    while many.is_full():
        few.work(1)
        machine.end_window(0.45)
        windows += 1
    assert windows == owed // many.allowed


async def test_when_it_is_calm_again_the_share_grows_until_it_is_no_limit(machine: Machine) -> None:
    many, few = machine.shares.open(1), machine.shares.open(2)
    flood(machine, (many, 1000.0), (few, 1.0), busy=1.0, windows=5)
    flood(machine, (many, 20.0), (few, 1.0), busy=0.2, windows=40)
    assert many.allowed == inf


async def test_waiting_commands_are_bounded_and_answers_let_connections_go_on_in_turn(machine: Machine) -> None:
    share, went_on = machine.shares.open(1), list[str]()
    for _ in range(MAX_WAITING):
        assert not share.is_full()
        share.take(0)
    assert share.is_full()

    def resume(name: str) -> Callable[[], None]:
        return lambda: went_on.append(name)

    first, second = resume("first"), resume("second")
    share.call_when_free(first)
    share.call_when_free(second)
    share.release(0)
    assert went_on == ["first"]
    share.release(0)
    assert went_on == ["first", "second"]


async def test_waiting_bytes_are_bounded(machine: Machine) -> None:
    share = machine.shares.open(1)
    share.take(MAX_WAITING_BYTES)
    assert share.is_full()
    share.release(MAX_WAITING_BYTES)
    assert not share.is_full()


async def test_the_more_wait_the_less_each_may_have_waiting_and_a_newcomer_always_gets_in(machine: Machine) -> None:
    for key in range(200):
        share = machine.shares.open(key)
        while not share.is_full():
            share.take(10)
        machine.end_window(0.0)
    assert machine.shares.waiting < TOTAL_WAITING + 200 * SMALLEST_SHARE
    newcomer = machine.shares.open("new")
    for _ in range(SMALLEST_SHARE):
        assert not newcomer.is_full()
        newcomer.take(10)


async def test_shares_are_forgotten_when_nobody_uses_them() -> None:
    shares = Shares(lambda: 0.0)
    share = shares.open(1)
    share.work(1)
    shares.close(share)
    shares.of("10.0.0.1").work(1)
    async with asyncio.timeout(10):
        while len(shares):  # noqa: ASYNC110  # shares have no event to wait for
            await asyncio.sleep(0.01)
    assert shares._timer is None, f"nothing runs after {ACTIVE} idle seconds"
    shares.stop()


async def test_one_who_left_does_not_go_on(machine: Machine) -> None:
    share, went_on = machine.shares.open(1), list[int]()
    share.take(MAX_WAITING_BYTES)
    resume: Callable[[], None] = lambda: went_on.append(1)  # noqa: E731  # the same object is forgotten
    share.call_when_free(resume)
    share.forget(resume)
    share.release(MAX_WAITING_BYTES)
    machine.end_window(0.0)
    assert not went_on


async def test_a_limited_share_is_free_bit_by_bit() -> None:
    shares = Shares(lambda: 0.0)
    share = shares.open(1)
    share.allowed = 10.0 * PARTS
    shares._limited = [share]
    shares._begin_window()
    for part in range(1, PARTS + 1):
        while not share.is_full():
            share.work(1)
        assert share.done == 10 * part
        free = asyncio.Event()
        share.call_when_free(free.set)
        await free.wait()
    shares.stop()


async def test_a_share_is_forgotten_also_if_the_last_answer_comes_after_the_last_connection(machine: Machine) -> None:
    share = machine.shares.open(1)
    share.take(10)
    machine.shares.close(share)
    for _ in range(round(ACTIVE / WINDOW) + 1):
        machine.end_window(0.0)
    machine.shares._active.clear()
    assert len(machine.shares) == 1, "a command waits"
    share.release(10)
    assert len(machine.shares) == 0


def seconds_left(shares: Shares) -> float:
    """Return the seconds until this window ends by itself."""
    assert shares._timer is not None
    return shares._timer.when() - asyncio.get_running_loop().time()


async def quiet_shares() -> Shares:
    """Return shares in a quiet window: an account has done little, and the server does not compute."""
    shares = Shares(lambda: 0.0)
    shares.open(1).work(1)
    assert seconds_left(shares) <= WINDOW, "nothing is known yet"
    async with asyncio.timeout(10):
        while seconds_left(shares) <= WINDOW:
            shares.of(1).work(0.001)  # or it is idle after a second in which the machine did something else
            await asyncio.sleep(0.005)
    assert seconds_left(shares) <= QUIET_WINDOW
    return shares


async def test_a_sudden_load_ends_a_quiet_window() -> None:
    shares = await quiet_shares()
    quiet = shares._timer
    for done in range(int(QUIET_UNITS)):
        assert shares._timer is quiet, f"after {done} units"
        shares.open(done).work(1)
    assert shares._timer is not quiet
    assert seconds_left(shares) <= WINDOW
    shares.stop()


async def test_a_quiet_window_ends_if_a_connection_has_to_wait() -> None:
    shares = await quiet_shares()
    free = asyncio.Event()
    quiet = shares._timer
    shares.of(1).take(MAX_WAITING_BYTES)
    assert shares._timer is quiet
    shares.of(1).call_when_free(free.set)
    assert shares._timer is not quiet
    assert seconds_left(shares) <= WINDOW
    assert not free.is_set()
    shares.stop()


async def test_no_window_is_quiet_while_the_server_computes() -> None:
    computed = iter(range(1000))
    shares = Shares(lambda: next(computed) * WINDOW)  # the whole of each window
    share = shares.open(1)
    share.work(1)
    ends = 0
    began = shares._began
    async with asyncio.timeout(10):
        while ends < 3:
            assert seconds_left(shares) <= WINDOW
            await asyncio.sleep(0.005)
            ends += shares._began != began
            began = shares._began
    shares.stop()
