"""Another history of the database begins while a node runs: a replica took over, or a backup came back.

Its logs may have other entries with the same seqs, so nodes that know different histories must not hear each other.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis.asyncio as driver

from tests.services.redis import RedisAddress
from veche.bus.bus import Bus
from veche.bus.frames import WRONG_CODE
from veche.bus.postgresql import PostgresBus

from .conftest import ROOM, Node, message, redis_bus, running, until
from .test_postgresql import postgres_bus

pytestmark = pytest.mark.slow  # it starts servers of its own

BEFORE, AFTER = "system chat e1", "system chat e2"
Make = Callable[[str], Bus]


@pytest.fixture(params=["redis", "postgresql"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes the bus of a node whose database has some history."""
    if request.param == "redis":
        url = request.getfixturevalue("redis").url()
        return lambda history: redis_bus(url, history=history)
    url = request.getfixturevalue("postgres_url")
    return lambda history: postgres_bus(url, history=history)


def heard(node: Node) -> list[int]:
    return node.seqs() + [bell[ROOM] for bell in node.bells]


async def follow(node: Node) -> None:
    """Follow a log. On PostgreSQL a connected node hears of all logs, so there is nothing to wait for."""
    node.bus.follow(ROOM)
    await until(lambda: ROOM in node.followed or isinstance(node.bus, PostgresBus))


async def test_a_node_hears_only_those_that_know_the_same_history(make: Make) -> None:
    async with running(make(BEFORE), make(BEFORE), make(AFTER)) as (ann, bob, eve):
        for node in (bob, eve):
            await follow(node)
        ann.say(message(1))
        ann.bus.tell("test", "before")
        await until(lambda: heard(bob) and bob.notes)

        ann.say(message(2))  # it waits to be sent, and is of the history before
        ann.bus.begin_history(AFTER)
        ann.say(message(3))  # nobody hears yet whether it is connected
        assert not ann.bus.connected
        await until(lambda: ann.connections == 2)
        ann.say(message(4))
        ann.bus.tell("test", "after")
        await until(lambda: heard(eve) and eve.notes)
        assert (heard(eve), [text for _, text in eve.notes]) == ([4], ["after"])
        assert (heard(bob), [text for _, text in bob.notes]) == ([1], ["before"])

        bob.followed.clear()
        bob.bus.begin_history(AFTER)
        await until(lambda: bob.followed == [ROOM] and bob.bus.connected)  # so the heads are compared
        ann.say(message(5))
        await until(lambda: heard(bob) == [1, 5])


async def test_the_history_that_a_node_knows_already_changes_nothing(make: Make) -> None:
    async with running(make(BEFORE)) as (ann,):
        ann.bus.begin_history(BEFORE)
        assert ann.bus.connected
        ann.bus.begin_history(AFTER)
        ann.bus.begin_history(BEFORE)
        await until(lambda: ann.connections == 2)


async def test_a_history_that_begins_while_the_bus_is_away_counts_from_the_next_connection(make: Make) -> None:
    ann = make(BEFORE)
    ann.begin_history(AFTER)
    async with running(ann, make(AFTER)) as (first, second):
        await follow(second)
        first.say(message(1))
        await until(lambda: heard(second) == [1])


async def test_frames_of_another_history_that_somebody_repeats_are_refused(
    redis: RedisAddress, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever can read the Redis can record a frame, and publish it again wherever the nodes then listen."""
    recorded: list[bytes] = []
    async with driver.Redis.from_url(redis.url()) as client, client.pubsub() as spy:
        async with running(redis_bus(redis.url(), history=BEFORE)) as (ann,):
            await spy.subscribe(f"{ann.bus._prefix}log:{ROOM}")  # type: ignore[attr-defined]
            assert await spy.get_message(timeout=5)
            ann.say(message(1))
            found = await spy.get_message(timeout=5)
            assert found is not None
            recorded.append(found["data"])
        async with running(redis_bus(redis.url(), history=AFTER)) as (bob,):
            await bob.follow(ROOM)
            for _ in range(3):
                await client.publish(f"{bob.bus._prefix}log:{ROOM}", recorded[0])  # type: ignore[attr-defined]
            await until(lambda: bob.bus._dropped == 2)  # type: ignore[attr-defined]  # and one that was logged
            assert heard(bob) == []
    refused = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
    assert refused == [f"1 frames of the bus were dropped. The last one: {WRONG_CODE}"]
