"""The timing wheel, on a loop whose clock leaps instead of waiting."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from veche.wire.heartbeat import SLICE, SLOTS, Heartbeats


class Leaping(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.leaping = Leaping()
        super().__init__(self.leaping)

    def time(self) -> float:
        return self.leaping.now


class Socket:
    """Notes what the wheel does to it, and when."""

    def __init__(self, loop: Loop, *, answers: bool = True, pinged: bool = True) -> None:
        self.loop = loop
        self.answers = answers
        self.pinged = pinged
        self.received_since_ping = True
        self.reading_paused = False
        self.closing = False
        self.slot = 0
        self.beats: list[float] = []
        self.lost: list[float] = []
        self.stuck: list[float] = []

    def send_heartbeat(self) -> bool:
        if not self.pinged:
            return False
        self.beats.append(self.loop.time())
        if self.answers:
            self.loop.call_later(1, self.answer)
        return True

    def answer(self) -> None:
        self.received_since_ping = True

    def unanswered(self) -> None:
        self.lost.append(self.loop.time())
        self.closing = True

    def stalled(self) -> None:
        self.stuck.append(self.loop.time())
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
    assert {len(socket.beats) for socket in sockets} == {4}
    assert not any(socket.lost for socket in sockets)
    assert all(b - a == pytest.approx(25) for socket in sockets for a, b in pairwise(socket.beats))


def test_pings_are_spread(loop: Loop) -> None:
    heartbeats = Heartbeats()
    sockets = [Socket(loop) for _ in range(SLOTS * 2)]
    for socket in sockets:
        heartbeats.add(socket)
    run(loop, heartbeats, 25.5)
    moments = [beat for socket in sockets for beat in socket.beats]
    assert {moments.count(moment) for moment in moments} == {2}


def test_one_that_does_not_answer_is_told_so_ten_seconds_after_its_ping(loop: Loop) -> None:
    heartbeats = Heartbeats()
    silent, answering = Socket(loop, answers=False), Socket(loop)
    heartbeats.add(silent)
    heartbeats.add(answering)
    run(loop, heartbeats, 60)
    assert len(silent.beats) == 1
    assert silent.lost == [pytest.approx(silent.beats[0] + 10)]
    assert not answering.lost


def test_silence_proves_nothing_of_one_that_we_do_not_read(loop: Loop) -> None:
    heartbeats = Heartbeats()
    socket = Socket(loop, answers=False)
    socket.reading_paused = True
    heartbeats.add(socket)
    run(loop, heartbeats, 60)
    assert not socket.lost


def test_one_without_a_heartbeat_is_left_alone(loop: Loop) -> None:
    heartbeats = Heartbeats()
    socket = Socket(loop, answers=False, pinged=False)
    heartbeats.add(socket)
    run(loop, heartbeats, 60)
    assert not socket.lost


def test_one_that_does_not_read_is_not_pinged_but_found_stalled(loop: Loop) -> None:
    heartbeats = Heartbeats()
    stuck, recovering, later = Socket(loop), Socket(loop), Socket(loop)
    for socket in (stuck, recovering, later):
        heartbeats.add(socket)
    heartbeats.paused(stuck, 0)
    heartbeats.paused(recovering, 0)
    script = {20.0: lambda: heartbeats.resumed(recovering), 25.0: lambda: heartbeats.paused(later, 25)}
    run(loop, heartbeats, 50.5, script)
    assert not stuck.beats
    assert stuck.stuck == [pytest.approx(30, abs=1)]
    assert not recovering.stuck
    assert not later.stuck


def test_one_that_left_is_forgotten(loop: Loop) -> None:
    heartbeats = Heartbeats()
    socket = Socket(loop, answers=False)
    heartbeats.add(socket)
    heartbeats.paused(socket, 0)
    assert heartbeats.connections == 1
    heartbeats.discard(socket)
    assert heartbeats.connections == 0
    run(loop, heartbeats, 60)
    assert not socket.beats
    assert not socket.stuck


def test_a_crowd_is_served_in_slices_between_which_others_run(loop: Loop) -> None:
    heartbeats = Heartbeats()
    sockets = [Socket(loop) for _ in range(SLOTS * SLICE * 3)]
    for socket in sockets:
        heartbeats.add(socket)
    pinged: list[int] = []

    def look() -> None:
        pinged.append(sum(len(socket.beats) for socket in sockets))
        if pinged[-1] < SLICE * 3:
            loop.call_soon(look)

    run(loop, heartbeats, 1.5, {1: look})
    assert {SLICE, SLICE * 2, SLICE * 3} <= set(pinged)


def test_after_a_halt_there_is_still_time_to_answer(loop: Loop) -> None:
    heartbeats = Heartbeats()
    socket = Socket(loop)
    heartbeats.add(socket)

    def halt() -> None:
        loop.leaping.now += 40

    run(loop, heartbeats, 120, {25.5: halt})
    assert not socket.lost


def test_start_and_stop_are_harmless_twice(loop: Loop) -> None:
    heartbeats = Heartbeats()
    socket = Socket(loop)
    heartbeats.add(socket)
    run(loop, heartbeats, 1, {0.5: heartbeats.start})
    heartbeats.stop()
    run(loop, heartbeats, 25.5)
    assert len(socket.beats) == 1


def test_a_heartbeat_has_to_be_answered_before_the_next() -> None:
    with pytest.raises(ValueError, match="timeout"):
        Heartbeats(interval=10, timeout=10)
