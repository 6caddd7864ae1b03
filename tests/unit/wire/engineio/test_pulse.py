"""The heartbeat of Engine.IO connections."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from veche.wire.engineio.pulse import SLICE, Pulse

INTERVAL, TIMEOUT = 0.1, 0.06


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition. Only lower bounds of times are checked, because a busy machine is late."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # the pulse has no event to wait for
            await asyncio.sleep(0.005)


class FakeConnection:
    def __init__(self, pulse: Pulse, *, answering: bool = False, reading_paused: bool = False) -> None:
        self.pulse = pulse
        self.answering = answering
        self.reading_paused = reading_paused
        self.pings: list[float] = []
        self.unanswered_after: float | None = None
        self.created_at = asyncio.get_running_loop().time()
        pulse.add(self)

    def send_ping(self) -> None:
        self.pings.append(asyncio.get_running_loop().time() - self.created_at)
        if self.answering:
            asyncio.get_running_loop().call_soon(self.pulse.pong_received, self)

    def unanswered(self) -> None:
        self.unanswered_after = asyncio.get_running_loop().time() - self.created_at
        self.pulse.discard(self)


async def test_only_a_connection_without_pongs_is_unanswered():
    pulse = Pulse(INTERVAL, TIMEOUT)
    unanswering, answering, reading_paused = (
        FakeConnection(pulse),
        FakeConnection(pulse, answering=True),
        FakeConnection(pulse, reading_paused=True),
    )
    await until(lambda: unanswering.unanswered_after is not None and len(answering.pings) >= 3)
    assert len(unanswering.pings) == 1
    assert unanswering.pings[0] >= INTERVAL * 0.98
    assert unanswering.unanswered_after is not None
    assert unanswering.unanswered_after >= INTERVAL + TIMEOUT * 0.97
    assert answering.unanswered_after is None
    assert reading_paused.unanswered_after is None
    pauses = [later - sooner for sooner, later in itertools.pairwise(reading_paused.pings)]
    assert len(pauses) >= 2
    assert min(pauses) < INTERVAL, "the client ends the connection INTERVAL + TIMEOUT after the last ping"
    pulse.discard(answering)
    pulse.discard(reading_paused)


async def test_pongs_before_a_ping_do_not_answer_it():
    pulse = Pulse(INTERVAL, TIMEOUT)
    connection = FakeConnection(pulse)
    for _ in range(1000):
        pulse.pong_received(connection)
    await until(lambda: connection.unanswered_after is not None)
    assert len(connection.pings) == 1


async def test_pongs_without_a_ping_do_not_delay_the_ping():
    pulse = Pulse(INTERVAL, TIMEOUT)
    connection = FakeConnection(pulse)
    for _ in range(4):
        await asyncio.sleep(INTERVAL / 5)
        pulse.pong_received(connection)
    await until(lambda: bool(connection.pings))
    assert len(connection.pings) == 1
    pulse.discard(connection)


async def test_an_exception_in_one_connection_does_not_affect_others(caplog):
    pulse = Pulse(INTERVAL, TIMEOUT)
    broken, healthy = FakeConnection(pulse), FakeConnection(pulse, answering=True)
    broken.send_ping = lambda: 1 / 0  # type: ignore[assignment]
    await until(lambda: broken.unanswered_after is not None and len(healthy.pings) >= 2)
    assert "ZeroDivisionError" in caplog.text
    pulse.discard(healthy)


async def test_there_is_no_timer_without_connections():
    pulse = Pulse(INTERVAL, TIMEOUT)
    connections = [FakeConnection(pulse) for _ in range(3)]
    assert pulse._timer is not None
    for connection in connections:
        pulse.discard(connection)
    assert pulse._timer is None
    pulse.discard(connections[0])


async def test_many_connections_are_handled_in_slices():
    pulse = Pulse(INTERVAL, TIMEOUT)
    connections = [FakeConnection(pulse) for _ in range(SLICE * 2 + 1)]
    await until(lambda: all(connection.unanswered_after is not None for connection in connections))
    await until(lambda: pulse._timer is None)


async def test_a_timeout_longer_than_the_interval():
    pulse = Pulse(0.05, 0.2)
    unanswering = FakeConnection(pulse)
    await until(lambda: bool(unanswering.pings))
    later = FakeConnection(pulse)
    await until(lambda: unanswering.unanswered_after is not None)
    assert unanswering.unanswered_after is not None
    assert unanswering.unanswered_after >= 0.25 * 0.97
    assert later.pings
    assert later.unanswered_after is None or later.unanswered_after >= 0.25 * 0.97  # it has its own time
    pulse.discard(later)
