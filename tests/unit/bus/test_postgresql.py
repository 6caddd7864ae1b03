"""Nodes that use LISTEN and NOTIFY of a real PostgreSQL, and what a pool of connections does to that."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from tests import programs
from tests.services import MissingError, Postgres
from tests.services.pgbouncer import PgBouncer
from tests.services.postgres import PostgresAddress
from veche.bus import postgresql
from veche.bus.bus import BusError
from veche.bus.frames import Sealer
from veche.bus.postgresql import LOGS, NOT_HEARD, PostgresBus
from veche.storage.opening import postgres_address

from .conftest import CODEC, OTHER, ROOM, SECRET, message, running, until
from .relay import Relay


def postgres_bus(url: str, secret: str = SECRET, history: str = "") -> PostgresBus:
    return PostgresBus(*postgres_address(url), Sealer(secret, history), CODEC)


async def test_nodes_ring_for_followed_logs_and_tell_notes(postgres_url: str) -> None:
    async with running(*(postgres_bus(postgres_url) for _ in range(3))) as (ann, bob, eve):
        bob.bus.follow(ROOM)
        eve.bus.follow(OTHER)
        ann.say(message(1), message(2), message(1, OTHER))
        ann.bus.tell("test", "ä")
        await until(lambda: bob.bells and eve.bells and bob.notes and eve.notes)
        assert (ann.bells, bob.bells, eve.bells) == ([], [{ROOM: 2}], [{OTHER: 1}])
        assert (ann.notes, bob.notes) == ([], [(ann.bus.node_id, "ä")])
        bob.bus.unfollow(ROOM)
        ann.say(message(3), message(2, OTHER))
        await until(lambda: len(eve.bells) == 2)
        assert bob.bells == [{ROOM: 2}]


async def test_that_another_node_tests_whether_it_hears_itself_is_no_alarm(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        running(postgres_bus(postgres_url)) as (ann,),
        running(postgres_bus(postgres_url)) as (bob,),
    ):
        ann.bus.follow(ROOM)
        bob.say(message(1))
        await until(lambda: ann.bells)  # so the test, which came before, was heard
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == []


async def test_many_logs_are_several_notifications(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "NOTIFICATIONS", 2)
    longest = 2**63 - 1
    async with running(postgres_bus(postgres_url), postgres_bus(postgres_url)) as (ann, bob):
        log_ids = [-longest + number for number in range(LOGS * 5 + 1)]
        for log_id in log_ids:
            bob.bus.follow(log_id)
        ann.say(*(message(longest, log_id) for log_id in log_ids))
        await until(lambda: sum(map(len, bob.bells)) == len(log_ids))
        assert [len(bell) for bell in bob.bells] == [LOGS] * 5 + [1]
        assert all(len(sealed) < 7500 for sealed in ann.bus._bells_of(dict.fromkeys(log_ids, longest)))  # type: ignore[attr-defined]


async def test_notifications_during_a_look_at_the_server_are_not_lost(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time that it asks whether the server is there, the connection does not listen for a moment."""
    async with running(postgres_bus(postgres_url), postgres_bus(postgres_url)) as (ann, bob):
        monkeypatch.setattr(postgresql, "ASK_SECONDS", 0.001)
        await until(lambda: bob.bus.connected)
        bob.bus.follow(ROOM)
        monkeypatch.setattr(postgresql, "ASK_SECONDS", 2.0)
        for seq in range(1, 200):
            ann.say(message(seq))
            await until(lambda: bob.bells and bob.bells[-1] == {ROOM: seq})  # noqa: B023
        assert bob.connections == 1


async def test_frames_of_others_are_dropped(postgres_url: str) -> None:
    async with running(postgres_bus(postgres_url)) as (bob,):
        bob.bus.follow(ROOM)
        channel = f"veche_{Sealer(SECRET).name}"
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            for payload in ("", "x", "ä" * 3000, '["bell","x",{"1":9}]'):
                connection.execute("SELECT pg_notify(%s, %s)", [channel, payload])
        await until(lambda: bob.bus._dropped == 3)  # type: ignore[attr-defined]  # and one that was logged
        assert (bob.bells, bob.connections) == ([], 1)


async def test_it_connects_again_and_compares_what_it_follows(own_postgres: Postgres) -> None:
    url = own_postgres.new_database()
    async with running(postgres_bus(url), postgres_bus(url)) as (ann, bob):
        bob.bus.follow(ROOM)
        assert bob.followed == []
        for stop in (own_postgres.drop_clients, own_postgres.restart, own_postgres.kill):
            connections = (ann.connections, bob.connections)
            await asyncio.to_thread(stop)
            if not own_postgres.running:
                await until(lambda: not ann.bus.connected and not bob.bus.connected)
                ann.say(message(1))
                await asyncio.to_thread(own_postgres.start)
            await until(lambda: ann.connections > connections[0] and bob.connections > connections[1], 30.0)  # noqa: B023
            assert bob.followed[-1:] == [ROOM]
        bob.bells.clear()
        ann.say(message(9))
        await until(lambda: bob.bells == [{ROOM: 9}])


async def test_a_server_that_does_not_answer_is_away(own_postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "ASK_SECONDS", 0.2)
    url = own_postgres.new_database()
    async with running(postgres_bus(url)) as (ann,):
        own_postgres.pause()
        await until(lambda: not ann.bus.connected)
        own_postgres.resume()
        monkeypatch.setattr(postgresql, "ASK_SECONDS", 2.0)
        await until(lambda: ann.bus.connected, 30.0)


@pytest.mark.long
async def test_a_network_that_is_silent(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "ASK_SECONDS", 0.2)
    parts = urlsplit(postgres_url)
    async with Relay(parts.port or 0) as relay:
        url = parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{relay.port}")).geturl()
        bus = await asyncio.to_thread(postgres_bus, url)
        async with running(bus) as (ann,):
            relay.fall_silent()
            await until(lambda: not ann.bus.connected)
            relay.cut()
            relay.speak()
            monkeypatch.setattr(postgresql, "ASK_SECONDS", 2.0)
            await until(lambda: ann.bus.connected)


async def test_a_server_that_cannot_be_reached_at_the_start(
    own_postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    url = own_postgres.new_database()
    await asyncio.to_thread(own_postgres.stop)
    bus = postgres_bus(url)
    starting = asyncio.create_task(bus.start())
    await until(lambda: any("is away" in text for text in caplog.messages))
    assert str(urlsplit(url).password) not in caplog.text
    await asyncio.to_thread(own_postgres.start)
    await until(lambda: bus.connected, 30.0)
    await starting
    await bus.stop()


# A pool of connections.


@contextlib.contextmanager
def pgbouncer(to: PostgresAddress, url: str, mode: str) -> Iterator[str]:
    """Run pgbouncer in front of a database. Yield the URL of the database through it."""
    try:
        found = PgBouncer(to, {"pool_mode": mode})
    except MissingError as missing:
        programs.skip(missing)
    with found as bouncer:
        yield bouncer.url(urlsplit(url).path.strip("/"))


def test_a_pool_of_transactions_is_refused_with_a_sentence(postgres: PostgresAddress, postgres_url: str) -> None:
    with pgbouncer(postgres, postgres_url, "transaction") as through:
        began = time.monotonic()
        with pytest.raises(BusError) as caught:
            postgres_bus(through)
        assert str(caught.value) == NOT_HEARD
        assert time.monotonic() - began < 30


async def test_a_pool_of_sessions_works(postgres: PostgresAddress, postgres_url: str) -> None:
    with pgbouncer(postgres, postgres_url, "session") as through:
        async with running(postgres_bus(through), postgres_bus(postgres_url)) as (ann, bob):
            ann.bus.follow(ROOM)
            bob.say(message(1))
            await until(lambda: ann.bells)


@pytest.mark.long
async def test_a_pool_that_appears_later_keeps_the_bus_away(
    postgres: PostgresAddress, postgres_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "TEST_SECONDS", 0.2)
    with pgbouncer(postgres, postgres_url, "transaction") as through:
        bus = postgres_bus(postgres_url)
        bus._conninfo = postgres_address(through)[0]
        starting = asyncio.create_task(bus.start())
        await until(lambda: any("pgbouncer" in text for text in caplog.messages))
        assert not bus.connected
        await bus.stop()
        starting.cancel()
