"""Nodes on a real Valkey: what they hear, and how they come back after it was away."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from msgspec import Raw

from tests.services import Redis
from tests.services.redis import RedisAddress
from veche.bus import redis as redis_module
from veche.bus import redis_link, remote
from veche.bus.bus import MAX_NOTE, MAX_NOTES_WAITING, BusError, NoteTooLargeError
from veche.bus.frames import WRONG_CODE, Bell, Entries, Note, Sealer
from veche.bus.outbox import LOGS

from .conftest import CODEC, OTHER, ROOM, SECRET, message, redis_bus, running, until
from .relay import Relay


async def test_what_one_node_publishes_the_others_hear_and_it_does_not(redis: RedisAddress) -> None:
    async with running(*(redis_bus(redis.url()) for _ in range(3))) as (ann, bob, eve):
        for node in (ann, bob, eve):
            await node.follow(ROOM)
        ann.say(message(1), message(2))
        bob.say(message(3))
        await until(lambda: len(ann.entries) == 1 and len(bob.entries) == 2 and len(eve.entries) == 3)
        assert (ann.seqs(), bob.seqs()) == ([3], [1, 2])
        assert bob.entries == [message(1), message(2)], "with all their fields"
        assert ann.bells == bob.bells == eve.bells == []


async def test_only_followed_logs_are_heard(redis: RedisAddress) -> None:
    async with running(redis_bus(redis.url()), redis_bus(redis.url())) as (ann, bob):
        await bob.follow(ROOM, OTHER)
        bob.bus.unfollow(OTHER)
        ann.say(message(1, OTHER), message(1))
        await until(lambda: bob.entries)
        assert bob.entries == [message(1)]
        await bob.follow(OTHER)
        bob.followed.clear()
        await bob.follow(OTHER)
        ann.say(message(2, OTHER))
        await until(lambda: bob.seqs(OTHER) == [2])


async def test_many_logs_are_followed_in_slices(redis: RedisAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_link, "SLICE", 7)
    monkeypatch.setattr(redis_module, "PUBLISHED", 9)
    log_ids = [*range(1, 60), *range(-60, 0)]
    async with running(redis_bus(redis.url()), redis_bus(redis.url())) as (ann, bob):
        await bob.follow(*log_ids)
        ann.say(*(message(1, log_id) for log_id in log_ids))
        await until(lambda: len(bob.entries) == len(log_ids))
        assert {event.log_id for event in bob.entries} == set(log_ids)


async def test_entries_that_are_too_large_are_a_bell(redis: RedisAddress) -> None:
    async with running(redis_bus(redis.url()), redis_bus(redis.url())) as (ann, bob):
        await bob.follow(ROOM, OTHER)
        ann.say(*(message(seq, ROOM, "x" * 4000) for seq in range(1, 9)), message(1, OTHER))
        await until(lambda: bob.bells and bob.entries)
        assert (bob.bells, bob.entries) == ([{ROOM: 8}], [message(1, OTHER)])
        ann.say(message(2, OTHER, "\x01" * 12_000))  # six bytes each in JSON
        await until(lambda: len(bob.bells) == 2)
        assert bob.bells[1] == {OTHER: 2}


async def test_entries_of_another_version_are_a_bell(redis: RedisAddress) -> None:
    ann_bus, bob_bus = redis_bus(redis.url()), redis_bus(redis.url())
    ann_bus._codec = type(CODEC)([type(message(1))])
    async with running(ann_bus, bob_bus) as (ann, bob):
        await bob.follow(ROOM)
        ann.say(message(1))
        await until(lambda: bob.bells)
        assert (bob.bells, bob.entries) == ([{ROOM: 1}], [])


async def test_what_is_published_while_a_write_is_under_way_is_joined(redis: RedisAddress) -> None:
    async with running(redis_bus(redis.url()), redis_bus(redis.url())) as (ann, bob):
        await bob.follow(ROOM)
        for seq in range(1, 1001):
            ann.say(message(seq))
        await until(lambda: len(bob.entries) == 1000 or bob.bells)
        assert bob.bells == [{ROOM: 1000}], "in one turn of the loop, and too large together"


# Notes.


async def test_notes_reach_all_other_nodes_once(redis: RedisAddress) -> None:
    async with running(*(redis_bus(redis.url()) for _ in range(3))) as (ann, bob, eve):
        ann.bus.tell("test", {"who": [1, "ä"]})
        ann.bus.tell("unknown", 1)
        ann.bus.tell("test", 2)
        for node in (bob, eve):
            await until(lambda node=node: len(node.notes) == 2)  # type: ignore[misc]
            assert node.notes == [(ann.bus.node_id, {"who": [1, "ä"]}), (ann.bus.node_id, 2)]
        assert ann.notes == []


async def test_notes_are_bounded(redis: RedisAddress) -> None:
    async with running(redis_bus(redis.url()), redis_bus(redis.url())) as (ann, bob):
        with pytest.raises(NoteTooLargeError):
            ann.bus.tell("test", "x" * MAX_NOTE)
        for number in range(MAX_NOTES_WAITING + 500):
            ann.bus.tell("test", number)
        await until(lambda: len(bob.notes) == MAX_NOTES_WAITING)
        ann.bus.tell("test", "last")
        await until(lambda: bob.notes[-1][1] == "last")
        assert len(bob.notes) == MAX_NOTES_WAITING + 1


async def test_a_handler_that_fails_does_not_end_the_connection(
    redis: RedisAddress, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(redis_bus(redis.url()), redis_bus(redis.url())) as (ann, bob):
        bob.bus.on_note("bad", lambda node_id, payload: [][payload])
        ann.bus.tell("bad", 1)
        ann.bus.tell("test", 2)
        await until(lambda: bob.notes)
        assert bob.connections == 1
    assert "a listener of the bus failed" in caplog.messages


# What others send.


def publish(server: RedisAddress, channel: str, data: bytes) -> None:
    server.run("PUBLISH", channel, data)


async def test_frames_that_this_installation_has_not_signed_are_dropped(
    redis: RedisAddress, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = Sealer(SECRET), Sealer("another secret of thirty-two bytes")
    bell = Bell("f" * 16, {ROOM: 9})
    good = ours.seal(bell)
    changed = (b"1" if good[:1] == b"0" else b"0") + good[1:]
    bad = [theirs.seal(bell), good[:-1], changed, b"", b"{}", good[32:], good[:32], good.replace(b"9", b"8")]
    bad += [good + b" " * 70_000, ours._code(b"[[") + b"[[", ours._code(b'["x"]') + b'["x"]']
    bad += [ours.seal(Entries("f" * 16, ROOM, 1, CODEC.form, [CODEC.encode(message(1, OTHER))]))]
    bad += [ours.seal(Entries("f" * 16, ROOM, 1, CODEC.form, [("message", Raw(b'{"log_id":1}'))]))]
    bad += [ours.seal(Entries("f" * 16, ROOM, 1, CODEC.form, [("unknown", CODEC.encode(message(1))[1])]))]
    channel = f"veche:{ours.name}:log:{ROOM}"
    async with running(redis_bus(redis.url())) as (bob,):
        await bob.follow(ROOM)
        for data in bad:
            await asyncio.to_thread(publish, redis, channel, data)
        await asyncio.to_thread(publish, redis, channel, good)
        await until(lambda: bob.bells)
        assert (bob.bells, bob.entries, bob.connections) == ([{ROOM: 9}], [], 1)
        assert bob.bus._dropped == len(bad) - 1  # type: ignore[attr-defined]
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert told == [f"1 frames of the bus were dropped. The last one: {WRONG_CODE}"], "once a minute"


async def test_a_note_that_somebody_repeats_is_dropped(redis: RedisAddress) -> None:
    ours = Sealer(SECRET)
    channel = f"veche:{ours.name}:notes"
    async with running(redis_bus(redis.url())) as (bob,):
        now = bob.bus._times.next()  # type: ignore[attr-defined]

        def note(at: int, payload: bytes) -> bytes:
            return ours.seal(Note("f" * 16, at, "test", Raw(payload)))

        sent = [
            note(now, b"1"),
            note(now, b"1"),
            note(now - 1, b"2"),
            note(now - 100_000_000, b"3"),
            note(now + 1, b"4"),
        ]
        for data in sent:
            await asyncio.to_thread(publish, redis, channel, data)
        await until(lambda: len(bob.notes) == 2)
        assert [payload for _, payload in bob.notes] == [1, 4]


@pytest.mark.parametrize(
    ("secret", "history"),
    [("another secret of thirty-two bytes", ""), (SECRET, "another database, which is a copy")],
    ids=["secret", "database"],
)
async def test_another_installation_in_the_same_redis_is_not_heard(
    redis: RedisAddress, caplog: pytest.LogCaptureFixture, secret: str, history: str
) -> None:
    theirs = redis_bus(redis.url(), secret, history)
    async with running(redis_bus(redis.url()), redis_bus(redis.url()), theirs) as (ann, bob, eve):
        for node in (bob, eve):
            await node.follow(ROOM)
        eve.say(message(1))
        eve.bus.tell("test", 1)
        ann.say(message(2))
        await until(lambda: bob.entries)
        assert (bob.seqs(), bob.notes, eve.entries) == ([2], [], [])
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# Away, and back.


async def test_it_connects_again_and_follows_again(server: Redis) -> None:
    async with running(redis_bus(server.url()), redis_bus(server.url())) as (ann, bob):
        await bob.follow(ROOM, OTHER)
        await asyncio.to_thread(server.kill)
        await until(lambda: not ann.bus.connected and not bob.bus.connected)
        ann.say(message(1))
        ann.bus.tell("test", "lost")
        bob.followed.clear()
        bob.bus.unfollow(OTHER)
        await asyncio.to_thread(server.start)
        await until(lambda: ann.bus.connected and bob.bus.connected)
        assert (bob.followed, ann.connections, bob.connections) == ([ROOM], 2, 2)
        ann.say(message(2))
        await until(lambda: bob.entries)
        assert (bob.seqs(), bob.notes) == ([2], []), "what was told while it was away is dropped"


async def test_clients_that_are_dropped_connect_again(server: Redis) -> None:
    async with running(redis_bus(server.url()), redis_bus(server.url())) as (ann, bob):
        await bob.follow(ROOM)
        for kind in ("normal", "pubsub"):
            connections = (ann.connections, bob.connections)
            server.run("CLIENT", "KILL", "TYPE", kind)
            if kind == "normal":  # found when something is published, at the latest
                ann.say(message(1))
                bob.say(message(1))
            await until(lambda: ann.connections > connections[0] and bob.connections > connections[1])  # noqa: B023
            await until(lambda: ann.bus.connected and bob.bus.connected)
        ann.say(message(2))
        await until(lambda: bob.seqs()[-1:] == [2])


async def test_the_pauses_grow_if_each_connection_breaks_at_once(
    server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when somebody publishes what is so large that Redis ends the connections of those who hear it."""
    monkeypatch.setattr(remote, "LONGEST_PAUSE", 5.0)
    async with running(redis_bus(server.url())) as [node]:
        for number in range(5):
            began = time.monotonic()
            server.drop_clients("pubsub")
            await until(lambda: not node.bus.connected)
            await until(lambda: node.bus.connected)
            assert time.monotonic() - began >= remote.FIRST_PAUSE * 2**number / 2


async def test_a_flushed_server_loses_nothing(server: Redis) -> None:
    async with running(redis_bus(server.url()), redis_bus(server.url())) as (ann, bob):
        await bob.follow(ROOM)
        server.run("FLUSHALL")
        ann.say(message(1))
        await until(lambda: bob.entries)
        assert (ann.connections, bob.connections) == (1, 1)


async def test_a_server_that_does_not_answer_is_away(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is paused: connections stay open, and nothing comes."""
    monkeypatch.setattr(redis_link, "PING_SECONDS", 0.2)
    async with running(redis_bus(server.url()), redis_bus(server.url())) as (ann, bob):
        await bob.follow(ROOM)
        server.pause()
        for seq in range(1, 3000):
            ann.say(message(seq, seq))
        await until(lambda: not ann.bus.connected and not bob.bus.connected)
        assert not ann.bus._outbox  # type: ignore[attr-defined]
        server.resume()
        await until(lambda: ann.bus.connected and bob.bus.connected)
        bob.entries.clear()
        ann.say(message(1))
        await until(lambda: bob.entries)


async def test_a_network_that_is_silent_or_cut(redis: RedisAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_link, "PING_SECONDS", 0.2)
    async with (
        Relay(redis.port) as relay,
        running(redis_bus(f"redis://127.0.0.1:{relay.port}"), redis_bus(redis.url())) as (ann, bob),
    ):
        await ann.follow(ROOM)
        relay.fall_silent()
        await until(lambda: not ann.bus.connected)
        relay.cut()
        relay.speak()
        await until(lambda: ann.bus.connected)
        relay.cut()
        await until(lambda: ann.connections == 3)
        bob.say(message(1))
        await until(lambda: ann.entries)


async def test_what_waits_is_bounded_and_publishing_never_waits(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(redis_bus(server.url())) as (ann,):
        server.pause()
        ann.say(message(1))
        await asyncio.sleep(0)
        for log_id in range(1, LOGS + 1000):
            ann.say(message(1, log_id, "x" * 1000))
        outbox = ann.bus._outbox  # type: ignore[attr-defined]
        assert len(outbox._heads) == LOGS
        assert sum(event.size for kept in outbox._entries.values() for event in kept) <= 4_194_304
        server.resume()


async def test_a_server_that_cannot_be_reached_at_the_start(
    server: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(remote, "START_SECONDS", 0.1)
    await asyncio.to_thread(server.kill)
    async with running(redis_bus(f"redis://:geheim@127.0.0.1:{server.port}")) as (ann,):
        assert not ann.bus.connected
        ann.bus.follow(ROOM)
        assert any("starts without the bus" in text for text in caplog.messages)
        assert "geheim" not in caplog.text
        server.password = "geheim"
        await asyncio.to_thread(server.start)
        await until(lambda: ann.bus.connected)
        assert ann.followed == [ROOM]


async def test_a_wrong_password_is_told_and_tried_again(server: Redis, caplog: pytest.LogCaptureFixture) -> None:
    server.run("CONFIG", "SET", "requirepass", "right")
    bus = redis_bus(f"redis://:wrong@127.0.0.1:{server.port}")
    starting = asyncio.create_task(bus.start())
    await until(lambda: any("is away" in text for text in caplog.messages))
    assert "wrong" not in caplog.text.replace("invalid username-password pair or user is disabled", "")
    await bus.stop()
    starting.cancel()


async def test_what_waits_is_sent_before_the_stop(redis: RedisAddress) -> None:
    async with running(redis_bus(redis.url())) as (bob,):
        await bob.follow(ROOM)
        async with running(redis_bus(redis.url())) as (ann,):
            ann.say(message(1))
            ann.bus.tell("test", 1)
        await until(lambda: bob.entries and bob.notes, 1.0)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://a,b", "several servers"),
        ("redis://", "has to be like"),
        ("redis://host:99999", "has to be like"),
        ("redis://host:x", "has to be like"),
        ("http://host", "has to be like"),
        ("redis+sentinel://host", "add /SERVICE"),
        ("redis://host?ssl_ca_certs=x", "unknown options: ssl_ca_certs"),
        ("rediss://host?ssl_cert_reqs=none", "unknown options: ssl_cert_reqs. Known are ssl_ca_certs"),
        ("redis://:geheim@host:x", "has to be like"),
    ],
)
def test_an_address_that_is_wrong_is_refused(url: str, says: str) -> None:
    with pytest.raises(BusError, match=says) as caught:
        redis_bus(url)
    assert "geheim" not in str(caught.value)


def test_an_address_shows_no_password() -> None:
    bus = redis_bus("rediss+sentinel://me:p%40ss@[::1]:7,b/main?sentinel_password=other&ssl_ca_certs=/ca")
    assert bus.where == "sentinel ::1:7,b:26379 main"
    assert bus._address.sign_in == {"username": "me", "password": "p@ss", "ssl_ca_certs": "/ca"}
    assert bus._address.sentinel_sign_in == {"password": "other", "ssl_ca_certs": "/ca"}
