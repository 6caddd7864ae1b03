"""The heartbeat's timing wheel, on a loop whose clock jumps ahead instead of waiting."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from veche.wire.heartbeat import MAX_PAUSED, SLICE, SLOTS, Heartbeats


class JumpingSelector(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.selector = JumpingSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now


class Socket:
    """Records when `Heartbeats` calls it."""

    def __init__(self, loop: Loop, *, answers: bool = True, pinged: bool = True) -> None:
        self.loop = loop
        self.answers = answers
        self.pinged = pinged
        self.received_since_ping = True
        self.reading_paused = False
        self.closing = False
        self.slot = 0
        self.pings: list[float] = []
        self.unanswered_at: list[float] = []
        self.stalled_at: list[float] = []

    def send_heartbeat(self) -> bool:
        if not self.pinged:
            return False
        self.pings.append(self.loop.time())
        if self.answers:
            self.loop.call_later(1, self.answer)
        return True

    def answer(self) -> None:
        self.received_since_ping = True

    def unanswered(self) -> None:
        self.unanswered_at.append(self.loop.time())
        self.closing = True

    def stalled(self) -> None:
        self.stalled_at.append(self.loop.time())
        self.closing = True


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def run(loop: Loop, heartbeats: Heartbeats, seconds: float, at: dict[float, Callable[[], Any]] | None = None) -> None:
    async def main() -> None:
        heartbeats.start()
        for when, then in (at or {}).items():
            loop.call_later(when, then)
        await asyncio.sleep(seconds)
        heartbeats.stop()

    loop.run_until_complete(main())


def test_every_connection_is_pinged_once_an_interval(loop: Loop) -> None:
    heartbeats = Heartbeats()
    sockets = [Socket(loop) for _ in range(60)]
    for socket in sockets:
        heartbeats.add(socket)
    run(loop, heartbeats, 100.5)
    assert {len(socket.pings) for socket in sockets} == {4}
    assert not any(socket.unanswered_at for socket in sockets)
    assert all(b - a == pytest.approx(25) for socket in sockets for a, b in pairwise(socket.pings))


def test_pings_are_spread_over_the_slots(loop: Loop) -> None:
    heartbeats = Heartbeats()
    sockets = [Socket(loop) for _ in range(SLOTS * 2)]
    for socket in sockets:
        heartbeats.add(socket)
    run(loop, heartbeats, 25.5)
    times = [ping for socket in sockets for ping in socket.pings]
    assert {times.count(time) for time in times} == {2}


def test_unanswered_is_called_ten_seconds_after_the_ping(loop: Loop) -> None:
    heartbeats = Heartbeats()
    silent, answering = Socket(loop, answers=False), Socket(loop)
    heartbeats.add(silent)
    heartbeats.add(answering)
    run(loop, heartbeats, 60)
    assert len(silent.pings) == 1
    assert silent.unanswered_at == [pytest.approx(silent.pings[0] + 10)]
    assert not answering.unanswered_at


def test_a_connection_that_is_not_read_is_never_unanswered(loop: Loop) -> None:
    heartbeats = Heartbeats()
    socket = Socket(loop, answers=False)
    socket.reading_paused = True
    heartbeats.add(socket)
    run(loop, heartbeats, 60)
    assert not socket.unanswered_at


def test_a_connection_without_a_heartbeat_is_never_unanswered(loop: Loop) -> None:
    heartbeats = Heartbeats()
    socket = Socket(loop, answers=False, pinged=False)
    heartbeats.add(socket)
    run(loop, heartbeats, 60)
    assert not socket.unanswered_at


def test_a_client_that_does_not_read_is_stalled_and_not_pinged(loop: Loop) -> None:
    heartbeats = Heartbeats()
    stalled, recovering, later = Socket(loop), Socket(loop), Socket(loop)
    for socket in (stalled, recovering, later):
        heartbeats.add(socket)
    heartbeats.paused(stalled, 0)
    heartbeats.paused(recovering, 0)
    script = {20.0: lambda: heartbeats.resumed(recovering), 25.0: lambda: heartbeats.paused(later, 25)}
    run(loop, heartbeats, 50.5, script)
    assert not stalled.pings
    assert stalled.stalled_at == [pytest.approx(30, abs=1)]
    assert not recovering.stalled_at
    assert not later.stalled_at


def test_a_discarded_connection_gets_no_calls(loop: Loop) -> None:
    heartbeats = Heartbeats()
    socket = Socket(loop, answers=False)
    heartbeats.add(socket)
    heartbeats.paused(socket, 0)
    assert heartbeats.connections == 1
    heartbeats.discard(socket)
    assert heartbeats.connections == 0
    run(loop, heartbeats, 60)
    assert not socket.pings
    assert not socket.stalled_at


def test_many_connections_are_pinged_in_slices(loop: Loop) -> None:
    heartbeats = Heartbeats()
    sockets = [Socket(loop) for _ in range(SLOTS * SLICE * 3)]
    for socket in sockets:
        heartbeats.add(socket)
    pinged: list[int] = []

    def count_pings() -> None:
        pinged.append(sum(len(socket.pings) for socket in sockets))
        if pinged[-1] < SLICE * 3:
            loop.call_soon(count_pings)

    run(loop, heartbeats, 1.5, {1: count_pings})
    assert {SLICE, SLICE * 2, SLICE * 3} <= set(pinged)


def test_after_a_suspension_there_is_still_time_to_answer(loop: Loop) -> None:
    heartbeats = Heartbeats()
    socket = Socket(loop)
    heartbeats.add(socket)

    def suspend() -> None:
        loop.selector.now += 40

    run(loop, heartbeats, 120, {25.5: suspend})
    assert not socket.unanswered_at


def test_a_second_start_or_stop_does_nothing(loop: Loop) -> None:
    heartbeats = Heartbeats()
    socket = Socket(loop)
    heartbeats.add(socket)
    run(loop, heartbeats, 1, {0.5: heartbeats.start})
    heartbeats.stop()
    run(loop, heartbeats, 25.5)
    assert len(socket.pings) == 1


@pytest.mark.parametrize(("interval", "timeout"), [(3, 2.9), (25, 24.9), (0.5, 0.4)])
def test_the_timeout_may_be_just_below_the_interval(loop: Loop, interval: float, timeout: float) -> None:
    heartbeats = Heartbeats(interval=interval, timeout=timeout)
    socket = Socket(loop, answers=False)
    heartbeats.add(socket)
    run(loop, heartbeats, 3 * interval)
    (pinged, *_), (unanswered, *_) = socket.pings, socket.unanswered_at
    assert timeout - interval / SLOTS <= unanswered - pinged < interval


def test_the_timeout_must_be_below_the_interval() -> None:
    with pytest.raises(ValueError, match="timeout"):
        Heartbeats(interval=10, timeout=10)


def test_if_too_many_do_not_read_those_who_have_not_read_for_longest_are_stalled(loop: Loop) -> None:
    heartbeats = Heartbeats()
    sockets = [Socket(loop) for _ in range(MAX_PAUSED + 3)]

    def pause_all() -> None:
        for socket in sockets:
            heartbeats.add(socket)
            heartbeats.paused(socket, loop.time())

    run(loop, heartbeats, 1, {0.5: pause_all})
    assert [bool(socket.stalled_at) for socket in sockets] == [True] * 3 + [False] * MAX_PAUSED
