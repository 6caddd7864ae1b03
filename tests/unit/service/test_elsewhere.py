"""Nodes ask each other over a real Redis who is connected, and tell each other what is used of limits."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from veche.bus.bus import Bus
from veche.bus.frames import EntryCodec, Sealer
from veche.bus.memory import MemoryBus
from veche.bus.redis import RedisBus
from veche.core.errors import ChatError, Code
from veche.core.messages import Message
from veche.core.values import Person
from veche.hub.hub import Hub
from veche.hub.serializer import Serializer
from veche.hub.topic import Subscriber
from veche.service import elsewhere as module
from veche.service import expiry, unheard
from veche.service.elsewhere import Elsewhere
from veche.service.expiry import forget_once
from veche.service.limits import Limit, LoginLimits, Rate
from veche.service.shared_use import MAX_TOLD, SharedUse
from veche.storage.entries import EVENT_TYPES

from .test_expiry import DAY, Parts, fill, left

ROOM = 1
SERIALIZER = Serializer("test", lambda event: None, lambda payload: payload)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  # what is waited for comes from Redis
            await asyncio.sleep(0.005)


class Listening:
    """A listener that counts how often it was replaced."""

    def __init__(self) -> None:
        self.replaced_count = 0

    def replaced(self) -> None:
        self.replaced_count += 1

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


class Node:
    """One node: its bus, its hub, and what it asks."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.hub = Hub(lambda *_: None, lambda reply, log_ids: reply(dict.fromkeys(log_ids, 0)))
        self.elsewhere = Elsewhere(bus, self.hub)
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.bus.start()
        self.task = asyncio.create_task(self.elsewhere.run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task
        await self.bus.stop()

    def connect(self, account_id: int, session_id: str = "s", dialect: str = "dispatch") -> Listening:
        listener: Any = Listening()
        person = Person(account_id, f"p{account_id}", "P")
        subscriber = Subscriber(person, session_id, lambda _: None, listener, dialect)
        self.hub.attach(subscriber)
        self.hub.subscribe(subscriber, ROOM, SERIALIZER, 0)
        return listener  # type: ignore[no-any-return]


@contextlib.asynccontextmanager
async def running(url: str, count: int) -> AsyncIterator[list[Node]]:
    secret = secrets.token_hex(32)  # workers share a Redis, so each test has its own channels
    codec = EntryCodec((Message, *EVENT_TYPES))
    nodes = [Node(RedisBus(url, Sealer(secret), codec)) for _ in range(count)]
    for node in nodes:
        await node.start()
    try:
        await until(lambda: all(len(node.elsewhere._others()) == count - 1 for node in nodes))
        yield nodes
    finally:
        for node in nodes:
            await node.stop()


async def test_a_node_alone_asks_nobody() -> None:
    node = Node(MemoryBus())
    node.connect(1)
    assert node.elsewhere.is_alone()
    assert not await node.elsewhere.is_connected(1, "dispatch")
    assert await node.elsewhere.online(9, ROOM, 0, 10) == set()
    assert await node.elsewhere.connected_sessions(["s"]) == set()


async def test_others_say_who_is_connected_in_a_dialect(redis_url: str) -> None:
    async with running(redis_url, 3) as (one, two, three):
        two.connect(1)
        three.connect(2, dialect="native")
        assert await one.elsewhere.is_connected(1, "dispatch")
        assert not await one.elsewhere.is_connected(1, "native")
        assert not await one.elsewhere.is_connected(2, "dispatch")
        assert await two.elsewhere.is_connected(2, "native")
        assert not await two.elsewhere.is_connected(1, "dispatch"), "only others are asked"


async def test_pages_of_people_are_as_long_as_asked_though_notes_are_short(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PEOPLE_ANSWERED", 3)
    async with running(redis_url, 3) as (one, two, three):
        ids = set(range(1, 20))
        for id in ids:
            (two if id % 4 else three).connect(id)
        assert await one.elsewhere.online(9, ROOM, 0, 50) == ids
        for after, limit in ((0, 5), (7, 6), (16, 9)):
            found = await one.elsewhere.online(9, ROOM, after, limit)
            assert sorted(found)[:limit] == sorted(id for id in ids if id > after)[:limit]


async def test_a_note_has_room_for_a_page_of_the_longest_ids(redis_url: str) -> None:
    async with running(redis_url, 2) as (one, two):
        ids = {2**53 - 1 - number for number in range(201)}
        for id in ids:
            two.connect(id)
        assert await one.elsewhere.online(9, ROOM, 0, 201) == ids


async def test_a_node_that_has_left_is_not_waited_for(redis_url: str) -> None:
    async with running(redis_url, 2) as (one, two):
        two.connect(1)
        assert await one.elsewhere.is_connected(1, "dispatch")
        await two.stop()
        await until(one.elsewhere.is_alone)


async def test_a_silent_node_is_waited_for_a_moment_and_later_not_at_all(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEAT", 0.05)
    monkeypatch.setattr(module, "LEASE", 1.5)
    async with running(redis_url, 2) as (one, two):
        two.connect(1, "connected")
        two.bus._on_note.clear()  # type: ignore[attr-defined]  # it hears no question any more
        await until(lambda: one.elsewhere._knows_all())
        before = time.monotonic()
        assert not await one.elsewhere.is_connected(1, "dispatch")
        assert time.monotonic() - before >= module.ANSWER_WITHIN * 0.9
        assert await one.elsewhere.connected_sessions(["connected"]) is None, "it is not known"
        assert two.task is not None
        two.task.cancel()
        two.bus.tell = lambda kind, payload: None  # type: ignore[method-assign]  # nor does it say that it leaves
        await until(one.elsewhere.is_alone)


async def test_too_many_questions_of_one_are_refused_and_those_of_others_are_not(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ASKED_BY_ONE", 2)
    monkeypatch.setattr(module, "MAX_ASKED", 3)
    async with running(redis_url, 2) as (one, _):
        asking = [asyncio.create_task(one.elsewhere.online(by, ROOM, 0, 9)) for by in (1, 1, 1, 2, 3)]
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        assert [isinstance(found, ChatError) and found.code is Code.OVERLOADED for found in outcomes] == [
            False,
            False,
            True,
            False,
            True,
        ]
        assert await one.elsewhere.online(1, ROOM, 0, 9) == set(), "nothing waits any more"


async def test_a_client_that_comes_replaces_the_older_ones_of_other_nodes(redis_url: str) -> None:
    async with running(redis_url, 2) as (one, two):
        old, other_dialect, other_account = one.connect(1), one.connect(1, dialect="native"), one.connect(2)
        two.connect(1)
        [new] = two.hub.subscribers(1)
        two.elsewhere.tell_came(1, "dispatch", new.attached_at)
        await until(lambda: bool(old.replaced_count))
        assert (other_dialect.replaced_count, other_account.replaced_count) == (0, 0)


async def test_of_two_that_come_at_the_same_time_one_stays(redis_url: str) -> None:
    async with running(redis_url, 2) as (one, two):
        listeners = one.connect(1), two.connect(1)
        for node in (one, two):
            [subscriber] = node.hub.subscribers(1)
            node.elsewhere.tell_came(1, "dispatch", subscriber.attached_at)
        two.connect(9)
        await until(lambda: sum(listener.replaced_count for listener in listeners) > 0)
        assert await one.elsewhere.is_connected(9, "dispatch"), "both notes have come before this answer"
        assert await two.elsewhere.is_connected(1, "dispatch")
        assert sum(listener.replaced_count for listener in listeners) == 1


async def test_a_clock_that_is_ahead_keeps_nobody_connected(redis_url: str) -> None:
    async with running(redis_url, 2) as (one, two):
        old = one.connect(1)
        [subscriber] = one.hub.subscribers(1)
        subscriber.attached_at -= module.SAME_TIME + 1
        two.elsewhere.tell_came(1, "dispatch", subscriber.attached_at - 10_000_000)
        await until(lambda: bool(old.replaced_count))


async def test_expired_sessions_that_are_connected_to_another_node_stay(redis_url: str, tmp_path: Path) -> None:
    async with running(redis_url, 2) as (one, two):
        parts = Parts(tmp_path)
        count = 2 * expiry.SLICE + 5
        fill(parts.database, {f"{n}": 2 * DAY + count - n for n in range(count)})
        parts.writer.start()
        parts.chat.hub, parts.chat.elsewhere = one.hub, one.elsewhere
        connected = {f"{n}" for n in range(expiry.SLICE + 1)}  # the oldest, more than a slice
        for session_id in connected:
            two.connect(1, session_id)
        assert await forget_once(parts.chat, pause=0) == count - len(connected)
        assert left(parts.database) == connected
        await parts.stop()


async def test_no_session_is_removed_while_other_nodes_cannot_be_asked(redis_url: str, tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    fill(parts.database, {"old": 2 * DAY})
    parts.writer.start()
    away = Node(RedisBus(redis_url, Sealer("s" * 32), EntryCodec((Message,))))  # not started
    parts.chat.elsewhere = away.elsewhere
    assert await forget_once(parts.chat, pause=0) == 0
    assert left(parts.database) == {"old"}
    await parts.stop()


# Limits.


async def test_a_node_that_has_a_lease_and_is_not_heard_is_in_the_log_and_not_taken_for_absent(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It has another secret, or another Redis. While a secret is replaced, this is so for a while."""
    monkeypatch.setattr(unheard, "GRACE", 0.1)
    monkeypatch.setattr(module, "BEAT", 0.02)

    def said() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "veche.bus"]

    caplog.set_level("INFO")
    async with running(redis_url, 2) as (one, two), running(redis_url, 1) as (other,):
        two.connect(1, "s")
        one.elsewhere.leased = lambda: {two.bus.node_id}
        assert await one.elsewhere.connected_sessions(["s", "t"]) == {"s"}
        assert not any("not heard" in line for line in said())
        one.elsewhere.leased = lambda: {two.bus.node_id, other.bus.node_id}
        assert await one.elsewhere.connected_sessions(["s", "t"]) is None
        other.elsewhere.leased = lambda: {one.bus.node_id}
        assert other.elsewhere.is_alone(), "nobody waits for an answer that cannot come"
        assert await other.elsewhere.connected_sessions(["s"]) is None
        await until(lambda: any(other.bus.node_id in line and "VECHE_SECRET" in line for line in said()))
        assert len([line for line in said() if other.bus.node_id in line]) == 1, "it is said once a minute"
        one.elsewhere.leased = lambda: {two.bus.node_id}
        await until(lambda: any("all nodes" in line for line in said()))


def use_of(limit: Limit, key: object) -> int:
    return round(limit.used(key))  # type: ignore[arg-type]


async def test_what_is_used_on_one_node_is_counted_on_the_others(redis_url: str) -> None:
    async with running(redis_url, 2) as (one, two):
        limits = [Limit(Rate(10, 0.001)) for _ in range(2)]
        for node, limit in zip((one, two), limits, strict=True):
            SharedUse(node.bus, "secret", {"lookups": limit})
        for key in ("192.0.2.1", 7, (7, 8), "\ud800", "x" * 300):
            limits[0].take(key, 3)
            limits[0].add(key, -1)
            limits[1].take(key)
            await until(lambda key=key: use_of(limits[0], key) == use_of(limits[1], key) == 3)  # type: ignore[misc]
        assert use_of(limits[1], "192.0.2.2") == 0


async def test_wrong_passwords_on_two_nodes_share_one_limit(redis_url: str) -> None:
    async with running(redis_url, 2) as (one, two):
        logins = [LoginLimits(wrong=4) for _ in range(2)]
        for node, limits in zip((one, two), logins, strict=True):
            SharedUse(node.bus, "secret", limits.limits)
        for _ in range(2):
            for limits in logins:
                limits.admit("192.0.2.1", "ann")
                limits.record("192.0.2.1", "ann", right=False)
        await until(lambda: all(round(limits.limits["wrong"].used("192.0.2.1")) == 4 for limits in logins))
        for limits in logins:
            with pytest.raises(ChatError):
                limits.admit("192.0.2.1", "ann")


async def test_a_flood_of_keys_is_told_in_part(redis_url: str) -> None:
    async with running(redis_url, 2) as (one, two):
        limits = [Limit(Rate(10, 0.001)) for _ in range(2)]
        for node, limit in zip((one, two), limits, strict=True):
            SharedUse(node.bus, "secret", {"lookups": limit})
        for key in range(MAX_TOLD + 500):
            limits[0].take(key)
        await until(lambda: len(limits[1]) == MAX_TOLD)
        limits[0].take("later")
        await until(lambda: len(limits[1]) == MAX_TOLD + 1)
