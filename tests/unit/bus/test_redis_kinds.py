"""A Redis behind TLS, one that Sentinel watches, and a cluster."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
from redis.asyncio.connection import Connection
from redis.crc import key_slot

from tests.services import Redis, certificates, redis_groups
from tests.services.redis import RedisAddress
from veche.bus.redis import RedisBus
from veche.bus.redis_link import Link

from .conftest import ROOM, message, redis_bus, running, until
from .relay import Relay

pytestmark = pytest.mark.slow

SLOTS = 16384


async def test_tls(redis: RedisAddress, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = certificates.make(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    async with Relay(redis.port, context) as relay:
        url = f"rediss://{{}}:{relay.port}"
        trusted = f"{url}?ssl_ca_certs={files.ca}"
        async with running(redis_bus(trusted.format("localhost")), redis_bus(redis.url())) as (ann, bob):
            await bob.follow(ROOM)
            ann.say(message(1))
            await until(lambda: bob.entries)
        for refused in (url.format("localhost"), trusted.format("127.0.0.2")):
            caplog.clear()
            bus = redis_bus(refused)
            starting = asyncio.create_task(bus.start())
            await until(lambda: any("is away" in text for text in caplog.messages))
            assert "certificate" in caplog.text.lower()
            await bus.stop()
            starting.cancel()


async def test_sentinel_names_the_server_and_its_successor() -> None:
    with redis_groups.sentinels(1, password="geheim", down_after_ms=500) as group:
        url = f"redis+sentinel://:geheim@127.0.0.1:1,127.0.0.1:{group.sentinels[0].port}/{group.name}"
        async with running(redis_bus(url), redis_bus(url)) as (ann, bob):
            await bob.follow(ROOM)
            ann.say(message(1))
            await until(lambda: bob.entries)
            await asyncio.to_thread(group.master.kill)
            await until(lambda: ann.connections == bob.connections == 2, 60.0)
            assert group.replica.run("PUBSUB", "CHANNELS") != []
            ann.say(message(2))
            await until(lambda: bob.seqs() == [1, 2])


async def test_a_cluster_has_sharded_channels() -> None:
    with redis_groups.cluster(3, password="geheim") as servers:
        url = f"redis+cluster://:geheim@127.0.0.1:1,127.0.0.1:{servers[0].port}"
        ann_bus, bob_bus = redis_bus(url), redis_bus(url)
        async with running(ann_bus, bob_bus) as (ann, bob):
            log_ids = list(range(1, 40))
            await bob.follow(*log_ids)
            ann.say(*(message(1, log_id) for log_id in log_ids))
            ann.bus.tell("test", 1)
            await until(lambda: len(bob.entries) == len(log_ids) and bob.notes)
            assert all(server.run("PUBSUB", "SHARDCHANNELS") for server in servers)
            bob.bus.unfollow(1)
            bob.followed.clear()
            move_slot(servers, slot_of(bob_bus, 2))
            await until(lambda: bob.connections == 2 and 2 in bob.followed)

            def is_heard() -> bool:
                """Ann may find out only when she publishes to the server that had the slot."""
                ann.say(message(2, 2))
                return 2 in bob.seqs(2)

            await until(is_heard)
            assert 1 not in bob.followed


@pytest.mark.parametrize(("kind", "host"), [("ip", "127.0.0.1"), ("unknown-endpoint", None), ("hostname", "?")])
async def test_a_cluster_that_does_not_say_where_it_is_is_asked_where_it_answered(kind: str, host: str | None) -> None:
    """In a network of its own, a server may tell only the ports. One that should tell its name may have none."""
    with redis_groups.cluster(3, options={"cluster-preferred-endpoint-type": kind}) as servers:
        [_, _, (told, *_)] = servers[0].run("CLUSTER", "SLOTS")[0]
        assert told == host
        url = f"redis+cluster://127.0.0.1:{servers[0].port}"
        async with running(redis_bus(url), redis_bus(url)) as (ann, bob):
            log_ids = list(range(1, 40))
            await bob.follow(*log_ids)
            assert all(server.run("PUBSUB", "SHARDCHANNELS") for server in servers)
            ann.say(*(message(1, log_id) for log_id in log_ids))
            await until(lambda: len(bob.entries) == len(log_ids))


async def test_a_cluster_whose_server_is_away_is_away_and_comes_back() -> None:
    with redis_groups.cluster(3) as servers:
        url = f"redis+cluster://127.0.0.1:{servers[0].port}"
        async with running(redis_bus(url), redis_bus(url)) as (ann, bob):
            await asyncio.to_thread(servers[2].kill)
            await until(lambda: not ann.bus.connected and not bob.bus.connected)
            await asyncio.to_thread(servers[2].start)
            await until(lambda: ann.bus.connected and bob.bus.connected, 30.0)


def slot_of(bus: RedisBus, log_id: int) -> int:
    return int(key_slot(bus._channel(log_id).encode()))


def move_slot(servers: Sequence[Redis], slot: int) -> None:
    """Give an empty slot to another server."""
    owner = next(number for number in range(3) if slot < SLOTS * (number + 1) // 3)
    target = (owner + 1) % 3
    ids = [server.run("CLUSTER", "MYID") for server in servers]
    servers[target].run("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[owner])
    servers[owner].run("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    for number in (target, owner, 3 - owner - target):
        servers[number].run("CLUSTER", "SETSLOT", slot, "NODE", ids[target])


@pytest.mark.parametrize("sharded", [False, True])
async def test_a_channel_that_is_left_and_entered_again_at_once_keeps_the_link(
    redis: RedisAddress, sharded: bool
) -> None:
    """Its own answer to SUNSUBSCRIBE looks like that of a cluster which moves a slot."""

    def connection() -> Connection:
        return Connection(host=redis.host, port=redis.port, password=redis.password, protocol=2, socket_timeout=None)

    channel = "test:left and entered"
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    link = Link(connection, heard.put_nowait, lambda _: None, sharded=sharded)
    await link.connect()
    link.want(channel)
    serving = asyncio.create_task(link.serve())
    await link.ready.wait()
    for _ in range(10):
        link.unwant(channel)
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # UNSUBSCRIBE is sent
        link.want(channel)
        while heard.empty() and not serving.done():
            await link.publish([(channel, b"hi")])
            await asyncio.sleep(0.01)
        assert not serving.done()
        while not heard.empty():
            heard.get_nowait()
    serving.cancel()
    await link.close()
