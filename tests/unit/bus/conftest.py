"""Real servers for the bus, and nodes on it: each a bus, and what it has heard."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from tests.services import Redis
from veche.bus import remote
from veche.bus.bus import Bus
from veche.bus.frames import EntryCodec, Sealer
from veche.bus.redis import RedisBus
from veche.core.event import LogEvent
from veche.core.messages import Message
from veche.core.values import LogId, Person
from veche.storage.entries import EVENT_TYPES

SECRET = secrets.token_hex(32)  # workers share a server, so each has its own channels
ROOM, OTHER = 1, 2


def message(seq: int, log_id: LogId = ROOM, text: str = "hi") -> Message:
    return Message(
        log_id, seq, 1_700_000_000_000_000, log_id * 1000 + seq, Person(1, "ann", "Ann"), text, None, "native", seq
    )


async def until(come: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not come():  # noqa: ASYNC110  # what is waited for happens in another process
            await asyncio.sleep(0.002)


class Node:
    """A bus, and what it has heard of other nodes."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.entries: list[LogEvent] = []
        self.bells: list[dict[LogId, int]] = []
        self.followed: list[LogId] = []
        self.notes: list[tuple[str, Any]] = []
        self.connections = 0
        self.publishes = False
        bus.subscribe(self._receive)
        bus.on_bell(lambda heads: self.bells.append(dict(heads)))
        bus.on_followed(self.followed.extend)
        bus.on_note("test", lambda node_id, payload: self.notes.append((node_id, payload)))
        bus.on_connected(self._connected)

    def _receive(self, events: Sequence[LogEvent]) -> None:
        if not self.publishes:  # what comes from elsewhere
            self.entries += events

    def _connected(self) -> None:
        self.connections += 1

    def say(self, *events: LogEvent) -> None:
        self.publishes = True
        self.bus.publish(events)
        self.publishes = False

    async def follow(self, *log_ids: LogId) -> Node:
        for log_id in log_ids:
            self.bus.follow(log_id)
        await until(lambda: set(log_ids) <= set(self.followed))
        return self

    def seqs(self, log_id: LogId = ROOM) -> list[int]:
        return [event.seq for event in self.entries if event.log_id == log_id]


@contextlib.asynccontextmanager
async def running(*buses: Bus) -> AsyncIterator[list[Node]]:
    """Start buses, and stop them at the end."""
    nodes = [Node(bus) for bus in buses]
    for node in nodes:
        await node.bus.start()
    try:
        yield nodes
    finally:
        for node in nodes:
            await node.bus.stop()


CODEC = EntryCodec((Message, *EVENT_TYPES))


def redis_bus(url: str, secret: str = SECRET, history: str = "") -> RedisBus:
    return RedisBus(url, Sealer(secret, history), CODEC)


@pytest.fixture(autouse=True)
def quick_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "LONGEST_PAUSE", 0.2)


@pytest.fixture
def server(own_redis: Redis) -> Redis:
    return own_redis
