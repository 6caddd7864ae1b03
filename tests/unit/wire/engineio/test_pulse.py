"""The one timer of all connections."""

from __future__ import annotations

import asyncio

from veche.wire.engineio.pulse import SLICE, Pulse

INTERVAL, TIMEOUT = 0.1, 0.06


class Heart:
    def __init__(self, pulse: Pulse, *, answering: bool = False, reading_paused: bool = False) -> None:
        self.pulse = pulse
        self.answering = answering
        self.reading_paused = reading_paused
        self.beats: list[float] = []
        self.died: float | None = None
        self.born = asyncio.get_running_loop().time()
        pulse.add(self)

    def send_ping(self) -> None:
        self.beats.append(asyncio.get_running_loop().time() - self.born)
        if self.answering:
            asyncio.get_running_loop().call_soon(self.pulse.pong_received, self)

    def unanswered(self) -> None:
        self.died = asyncio.get_running_loop().time() - self.born
        self.pulse.discard(self)


async def test_silence_ends_in_time_and_answers_do_not():
    pulse = Pulse(INTERVAL, TIMEOUT)
    silent, living, reading_paused = Heart(pulse), Heart(pulse, answering=True), Heart(pulse, reading_paused=True)
    await asyncio.sleep(0.35)
    assert len(silent.beats) == 1
    assert INTERVAL * 0.98 <= silent.beats[0] < INTERVAL + 0.05
    assert silent.died is not None
    assert silent.died >= INTERVAL + TIMEOUT * 0.97
    assert len(living.beats) == 3
    assert living.died is None
    assert reading_paused.died is None
    pulse.discard(living)
    pulse.discard(reading_paused)


async def test_a_flood_of_pongs_changes_nothing():
    pulse = Pulse(INTERVAL, TIMEOUT)
    heart = Heart(pulse)
    for _ in range(1000):
        pulse.pong_received(heart)
    await asyncio.sleep(INTERVAL + TIMEOUT + 0.04)
    assert len(heart.beats) == 1
    assert heart.died is not None


async def test_pongs_that_nobody_asked_for_put_nothing_off():
    pulse = Pulse(INTERVAL, TIMEOUT)
    heart = Heart(pulse)
    for _ in range(4):
        await asyncio.sleep(INTERVAL / 5)
        pulse.pong_received(heart)
    await asyncio.sleep(INTERVAL / 2)
    assert [round(beat, 1) for beat in heart.beats] == [INTERVAL]
    pulse.discard(heart)


async def test_what_fails_in_one_session_is_not_the_others(caplog):
    pulse = Pulse(INTERVAL, TIMEOUT)
    broken, whole = Heart(pulse), Heart(pulse, answering=True)
    broken.send_ping = lambda: 1 / 0  # type: ignore[assignment]
    await asyncio.sleep(INTERVAL + TIMEOUT + INTERVAL)
    assert len(whole.beats) == 2
    assert broken.died is not None
    assert "ZeroDivisionError" in caplog.text
    pulse.discard(whole)


async def test_no_sessions_no_timer():
    pulse = Pulse(INTERVAL, TIMEOUT)
    hearts = [Heart(pulse) for _ in range(3)]
    assert pulse._timer is not None
    for heart in hearts:
        pulse.discard(heart)
    assert pulse._timer is None
    pulse.discard(hearts[0])


async def test_many_at_once_are_done_in_slices():
    pulse = Pulse(INTERVAL, TIMEOUT)
    hearts = [Heart(pulse) for _ in range(SLICE * 2 + 1)]
    await asyncio.sleep(INTERVAL + TIMEOUT + 0.06)
    assert all(heart.died is not None for heart in hearts)
    assert pulse._timer is None


async def test_a_timeout_longer_than_the_interval():
    pulse = Pulse(0.05, 0.2)
    silent = Heart(pulse)
    await asyncio.sleep(0.1)
    late = Heart(pulse)
    await asyncio.sleep(0.1)
    assert len(late.beats) == 1
    assert silent.died is None
    await asyncio.sleep(0.08)
    assert silent.died is not None
    pulse.discard(late)
