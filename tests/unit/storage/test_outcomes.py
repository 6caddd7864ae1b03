"""A commit whose answer is lost, and the server that is asked for its outcome is not the one that had it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from core import commands as c

from tests.services import MissingError, Postgres
from tests.services.fixtures import skip
from tests.services.replica import Replica
from veche.core.errors import ChatError
from veche.core.values import Kind
from veche.storage import opening
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.engines import postgres
from veche.storage.engines.postgres_outcome import FORGET_DAYS, resolve
from veche.storage.kinds import postgres_nodes
from veche.storage.log import head_seqs

from .conftest import codes, somebody_waits
from .relay import Relay

pytestmark = pytest.mark.slow  # it starts servers of its own

ANN, CHANNEL = 1, 1


@pytest.fixture
def primary() -> Iterator[Postgres]:
    try:
        with Postgres() as postgres:
            yield postgres
    except MissingError as missing:
        skip(missing)


def do(database: Database, *requests: c.Request) -> list[Any]:
    return commit(database, requests)[0]


def say(text: str, client_id: str | None = None) -> c.Request:
    return c.by(ANN, c.SendMessage(CHANNEL, text, client_id))


def furnish(database: Database) -> None:
    do(database, c.by(c.NOBODY_ID, c.Register("hash", username="ann")))
    do(database, c.by(ANN, c.CreateRoom(Kind.CHANNEL, "Channel", ())))


def until(holds: Callable[[], object]) -> None:
    ends_at = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends_at, "it does not come"


def texts(server: Postgres) -> list[str]:
    return [text for (text,) in server.psql("SELECT text FROM veche.messages ORDER BY seq", database="chat")]


@pytest.mark.parametrize("client_id", [None, "c-1"])
@pytest.mark.parametrize("has_it", [True, False], ids=["the replica has it", "the replica lacks it"])
def test_a_replica_that_took_over_is_asked_for_the_transaction_and_not_for_its_number(
    primary: Postgres, has_it: bool, client_id: str | None
) -> None:
    """On the replica, others have got the numbers that the lost transactions had."""
    with (
        Replica(primary) as replica,
        Relay(primary.new_database("chat")) as relay,
        contextlib.closing(opening.open_to_serve(relay.url)) as database,
        ThreadPoolExecutor(1) as pool,
    ):
        furnish(database)
        do(database, say("kept"))
        replica.wait_for(primary)
        if not has_it:
            replica.stop()
        relay.cut_at(b"COMMIT", forward=True)
        relay.refuses_after_cut = True
        in_doubt = pool.submit(do, database, say("in doubt", client_id))
        until(lambda: texts(primary) == ["kept", "in doubt"])
        if has_it:
            replica.wait_for(primary)
        primary.kill()
        if not has_it:
            replica.start()
        replica.promote()
        for _ in range(20):
            replica.psql("CREATE TABLE IF NOT EXISTS other (x int)", database="postgres")
            replica.psql("INSERT INTO other VALUES (1)", database="postgres")
        relay.move(replica.port)
        [sent] = in_doubt.result(60)
        assert not isinstance(sent, ChatError)
        assert texts(replica) == ["kept", "in doubt"]
        found = replica.psql("SELECT id, seq FROM veche.messages WHERE text = 'in doubt'", database="chat")
        assert found == [(sent.message.id, sent.message.seq)]


WAITS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE wait_event = 'SyncRep' AND clock_timestamp() - query_start > interval '2 seconds'
"""


@pytest.mark.parametrize("is_ended", [True, False], ids=["its connection is ended", "it goes on"])
def test_a_commit_is_answered_only_when_the_replica_has_it(
    primary: Postgres, monkeypatch: pytest.MonkeyPatch, is_ended: bool
) -> None:
    """If its connection is ended while it waits, the commit is stored, and a replica that takes over may lack it."""
    monkeypatch.setattr(postgres, "_SETTINGS", postgres._SETTINGS.replace(f"'{postgres.STATEMENT_SECONDS}s'", "'1s'"))
    url = primary.new_database("chat")
    with contextlib.closing(opening.open_to_serve(url)) as database, ThreadPoolExecutor(1) as pool:
        furnish(database)
        replicas(primary, "missing")
        waiting = pool.submit(do, database, say("hi"))
        until(lambda: primary.psql(WAITS) == [(1,)])
        if is_ended:
            [(pid,)] = primary.psql("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            primary.psql("SELECT pg_terminate_backend(%s)", pid)
            until(lambda: primary.psql(f"{WAITS} AND pid <> {pid}") == [(1,)])
        assert not waiting.done()
        replicas(primary, "")
        assert codes(waiting.result(60)) == ["ok"]
        assert texts(primary) == ["hi"]


def test_a_lease_is_renewed_while_the_replica_is_missing(primary: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node is alive, and other nodes must not take it for one that has ended."""
    monkeypatch.setattr(postgres_nodes, "RENEW_SECONDS", 0.01)
    lease = "SELECT lease_until FROM veche.nodes"
    with contextlib.closing(opening.open_to_serve(primary.new_database("chat"))) as database:
        node = database.join("a", 0)
        replicas(primary, "missing")
        before = primary.psql(lease, database="chat")
        node.start(lambda: None, lambda _: None)
        until(lambda: primary.psql(lease, database="chat") > before)
        assert node.problem is None
        replicas(primary, "")
        node.leave()


def test_nodes_start_and_connect_while_the_replica_is_missing(primary: Postgres) -> None:
    """A replica that took over waits for replicas, too, if its settings are those of the old primary."""
    comes_from_another = "SET synchronous_commit = local; UPDATE veche.meta SET value = 'other' WHERE key = 'cluster'"
    url = primary.new_database("chat")
    with contextlib.closing(opening.open_to_serve(url)) as database:
        furnish(database)
    primary.psql(comes_from_another, database="chat")
    replicas(primary, "missing")
    try:
        with contextlib.closing(opening.open_to_serve(url)) as database:
            node = database.join("a", 0)
            primary.psql(comes_from_another, database="chat")
            with database.reading() as snapshot:
                assert head_seqs(snapshot, [CHANNEL])
            assert database.histories == 1
            node.leave()
    finally:
        replicas(primary, "")


def replicas(server: Postgres, names: str) -> None:
    """Let commits wait for these replicas."""
    server.psql(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
    server.psql("SELECT pg_reload_conf()")
    until(lambda: server.psql("SHOW synchronous_standby_names") == [(names,)])


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    with contextlib.closing(opening.open_to_serve(postgres_url)) as found:
        furnish(found)
        yield found


def engine(database: Database) -> Any:
    return database._engine  # type: ignore[attr-defined]


def ask(database: Database, number: int) -> bool:
    return resolve(
        engine(database).writer, number, engine(database).connect, engine(database).limited, threading.Event()
    )


def test_the_number_of_another_transaction_is_not_stored(database: Database) -> None:
    with database.writing() as tx:
        tx.lock_logs([CHANNEL])
        number: int = tx.number  # type: ignore[attr-defined]
    assert ask(database, number)
    assert not ask(database, number + 1)
    with contextlib.suppress(ZeroDivisionError), database.writing() as tx:
        tx.lock_logs([CHANNEL])
        raise ZeroDivisionError
    assert not ask(database, number + 1)


@pytest.mark.parametrize("ends_well", [True, False])
def test_whoever_asks_waits_for_the_end_of_the_transaction(postgres_url: str, ends_well: bool) -> None:
    """It is the first one of its process, so there is no row yet that could be locked."""
    with contextlib.closing(opening.open_to_serve(postgres_url)) as database, ThreadPoolExecutor(1) as pool:
        with contextlib.suppress(ZeroDivisionError), database.writing() as tx:
            tx.lock_logs([CHANNEL])
            tx.connection.execute("SELECT 1").fetchall()  # type: ignore[attr-defined]  # now the note is stored
            asked = pool.submit(ask, database, tx.number)  # type: ignore[attr-defined]
            with psycopg.connect(postgres_url, autocommit=True) as connection:
                until(lambda: asked.done() or somebody_waits(connection))
            assert not asked.done()
            if not ends_well:
                raise ZeroDivisionError
        assert asked.result(60) == ends_well


def test_the_rows_of_processes_that_ended_long_ago_are_removed(database: Database, postgres_url: str) -> None:
    days_ago = "(extract(epoch FROM now() - interval '{} days') * 1000000)::bigint"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for name, days in (("old", FORGET_DAYS + 1), ("new", FORGET_DAYS - 1)):
            connection.execute(f"INSERT INTO veche.last_commits VALUES ('{name}', 1, {days_ago.format(days)})")
        opening.open_to_serve(postgres_url).close()
        found = connection.execute("SELECT writer FROM veche.last_commits").fetchall()
    assert sorted(found) == sorted([("new",), (engine(database).writer,)])
