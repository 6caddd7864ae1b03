"""What only PostgreSQL has: several processes that write, connections that are lost, and the server that goes back."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from core import commands as c
from sqlalchemy import bindparam, insert, select

from tests.services import PostgresAddress
from veche.core.errors import ChatError
from veche.core.event import LogEvent
from veche.core.values import LOBBY_ID, Kind
from veche.storage import opening
from veche.storage.accounts import accounts, credentials
from veche.storage.commit import commit
from veche.storage.database import Database, DatabaseError
from veche.storage.engines import postgres
from veche.storage.engines.postgres_outcome import resolve
from veche.storage.engines.postgres_transaction import PostgresTransaction
from veche.storage.log import logs

from .conftest import codes, somebody_waits
from .relay import Relay

ANN, BOB, EVE = 1, 2, 3
CHANNEL, GROUP = 1, 2


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    with contextlib.closing(opening.open_to_serve(postgres_url)) as found:
        for name in ("ann", "bob", "eve"):
            do(found, c.by(c.NOBODY_ID, c.Register("hash", username=name)))
        do(found, c.by(ANN, c.CreateRoom(Kind.CHANNEL, "Channel", (BOB,))))
        do(found, c.by(ANN, c.CreateRoom(Kind.GROUP, "Group", (BOB,))))
        yield found


@pytest.fixture
def other(postgres_url: str, database: Database) -> Iterator[Database]:
    """Another process on the same database."""
    with contextlib.closing(opening.open_to_serve(postgres_url)) as found:
        yield found


log_of = select(logs).where(logs.c.id == bindparam("log"))


def do(database: Database, *requests: c.Request) -> list[Any]:
    return commit(database, requests)[0]


def say(room_id: int = CHANNEL, text: str = "hi", client_id: str | None = None, by: int = ANN) -> c.Request:
    return c.by(by, c.SendMessage(room_id, text, client_id))


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, options="-c search_path=veche") as connection:
        return connection.execute(query).fetchall()


def test_a_fresh_database_gives_the_ids_that_the_older_contracts_print(database: Database) -> None:
    assert [sent.message.id for sent in do(database, say(), say(GROUP))] == [1, 2]
    assert do(database, c.by(BOB, c.CreateRoom(Kind.CHANNEL, "Third")))[0].room.id == 3


def test_a_refused_or_repeated_command_leaves_a_gap_in_the_ids_at_most(database: Database, other: Database) -> None:
    outcomes = do(database, say(), say(by=EVE), say(text="once", client_id="c"), say(text="once", client_id="c"), say())
    assert codes(outcomes) == ["ok", "not_member", "ok", "ok", "ok"]
    assert [sent.message.id for sent in outcomes if not isinstance(sent, ChatError)] == [1, 2, 2, 3]
    [third] = do(other, say(GROUP))
    assert third.message.id == 6
    [fourth] = do(database, say(GROUP))
    assert (fourth.message.id, fourth.message.seq) == (7, third.message.seq + 1)


def test_two_processes_that_write_to_the_same_rooms_agree_on_one_order(
    database: Database, other: Database, postgres_url: str
) -> None:
    announced: list[LogEvent] = []

    def write(which: Database, seed: int) -> None:
        chance = random.Random(seed)
        for number in range(40):
            batch = [
                say(chance.choice((CHANNEL, GROUP, LOBBY_ID)), "hi", f"{seed}.{number}.{index}", chance.choice((1, 2)))
                for index in range(chance.randrange(1, 8))
            ]
            outcomes, events = commit(which, batch)
            assert set(codes(outcomes)) == {"ok"}
            announced.extend(events)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (database, other), (1, 2)))
    seqs: dict[int, list[int]] = {}
    for event in announced:
        seqs.setdefault(event.log_id, []).append(event.seq)
    for log_id, found in seqs.items():
        first = min(found)
        assert sorted(found) == list(range(first, first + len(found)))
        ids = rows(postgres_url, f"SELECT id FROM messages WHERE room_id = {log_id} ORDER BY seq")
        assert ids == sorted(ids)
    [(deadlocks,)] = rows(postgres_url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert deadlocks == 0


def test_a_batch_waits_for_another_that_has_locked_its_log(
    database: Database, other: Database, postgres_url: str
) -> None:
    """Without the lock, the unique index on the seqs would make one of the two try again, and mostly hide it."""
    with ThreadPoolExecutor(1) as pool:
        with database.writing() as tx:
            tx.lock_logs([CHANNEL])
            assert tx.first(log_of, log=CHANNEL) is not None  # now it has the lock
            second = pool.submit(do, other, say())
            assert waits(second, postgres_url)
        assert codes(second.result()) == ["ok"]


def test_a_log_that_was_not_there_at_first_is_locked_later(
    database: Database, other: Database, postgres_url: str
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with database.writing() as tx:
            tx.lock_logs([CHANNEL, 3])
            assert tx.first(log_of, log=3) is None
            assert do(other, c.by(ANN, c.CreateRoom(Kind.GROUP, "Third")))[0].room.id == 3
            tx.lock_logs([CHANNEL, 3])
            assert tx.first(log_of, log=3) is not None
            second = pool.submit(do, other, say(3))
            assert waits(second, postgres_url)
        assert codes(second.result()) == ["ok"]


def waits(future: Future[Any], url: str) -> bool:
    """Wait until something waits for a lock. Return False if the future is done instead."""
    with psycopg.connect(url, autocommit=True) as connection:
        while not future.done() and not somebody_waits(connection):
            pass
    return not future.done()


def test_ids_that_were_drawn_before_a_log_was_locked_are_not_used(database: Database, other: Database) -> None:
    """In a room the ids grow with the seqs, so an id that was drawn before somebody else wrote there is of no use."""
    with database.writing() as tx:
        tx.expect_ids(["messages"])
        tx.lock_logs([CHANNEL])  # the id is drawn with it
        [sent] = do(other, say(GROUP))
        tx.lock_logs([CHANNEL, GROUP])
        id = tx.new_id("messages")
        while not tx.take_ids():
            id = tx.new_id("messages")
        assert id > sent.message.id


def test_ids_are_drawn_with_the_locks(database: Database, other: Database) -> None:
    """So a batch is decided once, although another process draws ids, too."""
    do(database, say(), say())
    do(other, say(GROUP))
    with database.writing() as tx:
        tx.expect_ids(["", "messages", "messages"])
        tx.lock_logs([CHANNEL])
        first, second = tx.new_id("messages"), tx.new_id("messages")
        assert first < second
        assert tx.take_ids()


@pytest.mark.parametrize("forward", [True, False], ids=["COMMIT arrived", "COMMIT was lost"])
def test_a_commit_whose_answer_is_lost_is_stored_once_and_answered(
    database: Database, postgres_url: str, forward: bool
) -> None:
    with Relay(postgres_url) as relay, contextlib.closing(opening.open_to_serve(relay.url)) as behind:
        do(behind, say(text="before"))
        relay.cut_at(b"COMMIT", forward=forward)
        [sent], events = commit(behind, [say(text="cut")])  # no client id: only the server knows whether it is stored
        assert relay.cuts == 1
        assert not isinstance(sent, ChatError)
        found = rows(postgres_url, "SELECT id, seq, text FROM messages ORDER BY seq")
        assert [row[2] for row in found] == ["before", "cut"]
        assert found[-1][:2] == (sent.message.id, sent.message.seq)
        assert [(event.log_id, event.seq) for event in events] == [(CHANNEL, sent.message.seq)]


def test_a_connection_that_ends_after_the_commit_and_does_not_look_lost_is_asked_about(
    database: Database, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the server ends a connection just after a COMMIT: the driver says something, but has not seen the end."""
    commit_once, errors = PostgresTransaction.commit, [psycopg.OperationalError("cannot exit pipeline mode while busy")]

    def fail_after(tx: PostgresTransaction) -> None:
        commit_once(tx)
        tx._sync()
        if errors:
            raise errors.pop()

    monkeypatch.setattr(PostgresTransaction, "commit", fail_after)
    assert codes(do(database, say(text="once"))) == ["ok"]
    assert rows(postgres_url, "SELECT text FROM messages") == [("once",)]
    assert errors == []


def test_a_write_that_the_server_refused_is_not_asked_about(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no(*_: object) -> bool:
        pytest.fail("it is known: nothing is committed")

    monkeypatch.setattr(postgres, "resolve", no)
    taken = {"id": ANN, "username": "x", "handle": "x", "name": "x", "password_hash": "", "created_at": 0}
    with pytest.raises(psycopg.IntegrityError), database.writing() as tx:
        tx.write_each(insert(accounts), [taken])


def test_a_transaction_of_which_the_server_never_heard_is_not_committed(database: Database) -> None:
    """A replica took over that did not have it yet."""
    assert not resolve("999999999", database._engine.connect, threading.Event())  # type: ignore[attr-defined]


def test_a_batch_is_decided_with_the_ids_that_were_drawn_although_one_of_its_logs_is_missing(
    database: Database, other: Database
) -> None:
    with database.writing() as tx:
        for is_right in (False, True):
            tx.lock_logs([CHANNEL, 999])
            tx.new_id("rooms")
            do(other, c.by(ANN, c.CreateRoom(Kind.GROUP, "Other")))
            assert tx.take_ids() == is_right


def test_a_connection_that_was_dropped_between_two_batches_is_opened_again(
    database: Database, postgres_url: str
) -> None:
    do(database, say())
    own_clients = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    rows(postgres_url, f"SELECT pg_terminate_backend(pid) {own_clients}")
    assert codes(do(database, say(), say(by=EVE))) == ["ok", "not_member"]


def test_a_process_that_stands_still_in_a_transaction_does_not_stop_the_others(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_SETTINGS", postgres._SETTINGS.replace(f"'{postgres.IDLE_SECONDS}s'", "'200ms'"))
    with (
        contextlib.suppress(psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout),
        database.writing() as tx,
    ):
        tx.lock_logs([CHANNEL])
        assert tx.first(log_of, log=CHANNEL) is not None  # now it has the lock
        assert codes(do(other, say())) == ["ok"]
        tx.commit()  # type: ignore[attr-defined]
        pytest.fail("the transaction was not ended")
    assert codes(do(database, say())) == ["ok"]


def test_two_nodes_that_start_at_once_migrate_once(postgres_url: str) -> None:
    at_once = threading.Barrier(3)

    def start() -> str:
        at_once.wait()
        with contextlib.closing(opening.open_to_serve(postgres_url)) as found:
            return found.secret()

    with ThreadPoolExecutor(3) as pool:
        secrets = [pool.submit(start) for _ in range(3)]
        assert len({secret.result() for secret in secrets}) == 1


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"], ids=["NUL", "lone surrogate"])
def test_nobody_has_a_name_that_cannot_be_stored(database: Database, name: str) -> None:
    with database.reading() as snapshot:
        assert credentials(snapshot, username=name) is None
        assert credentials(snapshot, email=name) is None


def test_nodes_of_one_database_are_one_installation_and_a_copy_is_another(
    database: Database, other: Database, postgres: PostgresAddress, postgres_url: str
) -> None:
    assert database.installation() == other.installation()
    with contextlib.closing(opening.open_to_serve(postgres.new_database())) as copy:
        assert copy.installation() != database.installation()


def test_a_server_that_loses_commits_is_refused(postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with pytest.raises(DatabaseError, match=r"synchronous_commit off.*VECHE_DATABASE_MAY_LOSE"):
        opening.open_to_serve(postgres_url)
    opening.open_to_serve(postgres_url, may_lose=True).close()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://me:hunter2@127.0.0.1:1/x", "127.0.0.1:1/x: .*[Cc]onnection refused"),
        ("postgresql://me:hunter2@[bad", "cannot be understood"),
    ],
)
def test_an_address_that_is_wrong_is_refused_without_its_password(url: str, sentence: str) -> None:
    with pytest.raises(DatabaseError, match=sentence) as refused:
        opening.open_to_serve(url)
    assert "hunter2" not in str(refused.value)
