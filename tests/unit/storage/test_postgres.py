"""What only PostgreSQL has: several processes that write, connections that are lost, and the server that goes back."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
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
from veche.storage import batch, opening
from veche.storage.accounts import accounts, credentials
from veche.storage.commit import commit
from veche.storage.database import Database, DatabaseError
from veche.storage.engines import postgres
from veche.storage.engines.postgres_transaction import PostgresTransaction
from veche.storage.finding import Serving
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
    assert deadlocks(database, other) == 0


def unique_rooms(names: Sequence[int], by: int, _: object = None) -> list[c.Request]:
    return [c.by(by, c.CreateRoom(Kind.CHANNEL, f"room {name}", unique=True)) for name in names]


def registrations(names: Sequence[int]) -> list[c.Request]:
    # Each takes two names. Those who take one of them in one order take the other one in the other.
    return [c.by(c.NOBODY_ID, c.Register("hash", f"name{name}", f"mail{max(names) - name}@x.org")) for name in names]


# What two processes are asked in one batch each, from the same numbers in two orders. `room` is also who asks,
# `next_id` the id that the next message has.
ORDERS: dict[str, Callable[[Sequence[int], int, int], list[c.Request]]] = {
    "client ids, in two rooms": lambda ids, room, _: [say(room, "hi", f"{id}") for id in ids],
    "names of rooms": unique_rooms,
    "names and e-mails": lambda names, *_: registrations(names),
    "names, then client ids": lambda names, room, _: [*unique_rooms(names, room), say(room, "hi", f"{names[0]}")],
    "client ids, then names": lambda names, room, _: [say(room, "hi", f"{names[0]}"), *unique_rooms(names, room)],
    "messages that come next are read": lambda _, room, next_id: [
        say(room, by=room),
        *[c.by(ANN + BOB - room, c.MarkRead(room, next_id + more)) for more in range(3)],
    ],
}


def test_the_lobby_does_not_wait_for_those_who_take_names(
    database: Database, other: Database, postgres_url: str
) -> None:
    """One account may rename itself without end."""
    with database.writing() as tx:
        batch.lock_needed_rows(tx, [batch.with_needs(*c.by(ANN, c.RenameAccount("anna")))])
        assert tx.first(log_of, log=-ANN) is not None  # now it has the locks
        assert codes(do(other, say(LOBBY_ID, by=BOB))) == ["ok"]
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(do, other, c.by(EVE, c.RenameAccount("eva")))
            assert waits(second, postgres_url)
            tx.commit()  # type: ignore[attr-defined]
        assert codes(second.result()) == ["ok"]


@pytest.mark.parametrize("kind", ORDERS)
def test_no_two_batches_wait_for_each_other(
    database: Database, other: Database, postgres_url: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One account could make batches that end in a deadlock, which PostgreSQL finds after a second."""
    together, decide = threading.Barrier(2), batch._decide

    def decide_slowly(*arguments: Any) -> Any:
        time.sleep(0.002)
        return decide(*arguments)

    monkeypatch.setattr(batch, "_decide", decide_slowly)
    with psycopg.connect(postgres_url, options="-c search_path=veche") as connection:
        for statement in SLOW:
            connection.execute(statement)

    def write(which: Database, room: int) -> None:
        for turn in range(10):
            numbers = range(100 * turn, 100 * turn + 6)
            [(next_id,)] = rows(postgres_url, "SELECT last_value + is_called::int FROM messages_id_seq")
            together.wait(30)
            commit(which, ORDERS[kind](numbers if room == CHANNEL else numbers[::-1], room, next_id))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (database, other), (CHANNEL, GROUP)))
    assert deadlocks(database, other) == 0


# Each row that is stored takes two milliseconds, too, so that two batches are really written at once.
SLOW = (
    "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.002); RETURN NEW; END$$",
    *(
        f"CREATE TRIGGER wait BEFORE INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION wait()"
        for name in ("accounts", "rooms", "messages")
    ),
)


def deadlocks(*databases: Database) -> int:
    """Return how many deadlocks there were. Each process tells what it has counted when it is asked to."""
    for database in databases:
        with database.writing() as tx:
            tx.connection.execute("SELECT pg_stat_force_next_flush()")  # type: ignore[attr-defined]
    with databases[0].reading() as tx:
        query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        return int(tx.connection.execute(query).fetchone()[0])  # type: ignore[attr-defined]


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


def test_a_log_that_was_not_there_when_the_logs_were_locked_is_not_written_to(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no lock, so its head may be out of date. The room does not exist for this batch, which came before it."""
    load, new = batch.load_rows, [c.by(EVE, c.CreateRoom(Kind.CHANNEL, "Third"))]

    def create_before(tx: Any, *arguments: Any) -> None:
        if new:
            assert tx.first(log_of, log=CHANNEL) is not None  # now the locks are taken, too
            assert do(other, new.pop())[0].room.id == 3
        load(tx, *arguments)

    monkeypatch.setattr(batch, "load_rows", create_before)
    uses = [c.by(BOB, command) for command in (c.JoinRoom(3), c.SendMessage(3, "hi"), c.ReadUpTo(3, 2))]
    assert codes(do(database, *uses)) == ["not_found"] * 3
    assert not new
    assert codes(do(database, *uses)) == ["ok"] * 3


def test_sessions_are_forgotten_without_waiting_for_who_removes_them(database: Database, postgres_url: str) -> None:
    """They are of many accounts, whose logs are not locked for this."""
    [*_] = do(database, *[c.by(BOB, c.OpenSession(id, 60, "hash")) for id in ("s1", "s2")])
    later = time.time_ns() // 1000 + 90 * 24 * 3600 * 10**6
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SELECT FROM veche.sessions WHERE id = 's1' FOR UPDATE")
        commit(database, [c.by(c.NOBODY_ID, c.ForgetSessions(("s1", "s2")))], later)
        assert rows(postgres_url, "SELECT id FROM sessions") == [("s1",)]
    commit(database, [c.by(c.NOBODY_ID, c.ForgetSessions(("s1",)))], later)
    assert rows(postgres_url, "SELECT id FROM sessions") == []


def test_a_node_is_told_once_that_the_database_was_replaced(database: Any) -> None:
    """All its connections open again at once."""
    calls, together = [], threading.Barrier(4)
    database.on_replaced = lambda: calls.append(1)
    database._checked = database._checked._replace(server="another one")

    def open_one(_: int) -> None:
        together.wait(30)
        database._engine.connect().close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_one, range(4)))
    assert (calls, database.histories) == ([1], 1)


def test_the_logs_of_a_transaction_are_locked_at_once(database: Database) -> None:
    with database.writing() as tx:
        tx.lock_logs([CHANNEL])
        with pytest.raises(TypeError, match="once"):
            tx.lock_logs([GROUP])


def waits(future: Future[Any], url: str) -> bool:
    """Wait until something waits for a lock. Return False if the future is done instead."""
    with psycopg.connect(url, autocommit=True) as connection:
        while not future.done() and not somebody_waits(connection):
            pass
    return not future.done()


def test_ids_are_drawn_with_the_locks(database: Database, other: Database) -> None:
    """So they grow with the seqs, although another process draws ids at the same time."""
    do(database, say(), say())
    with database.writing() as tx:
        tx.expect_ids(["messages", "messages"])
        tx.lock_logs([CHANNEL])
        first = tx.new_id("messages")
        [theirs] = do(other, say(GROUP))
        second, unexpected = tx.new_id("messages"), tx.new_id("messages")
        assert first < second < theirs.message.id < unexpected


def test_a_room_that_is_made_has_its_own_id_whatever_rooms_the_others_in_the_batch_use(
    database: Database, other: Database
) -> None:
    """An id that is only guessed could be that of a room which others have made meanwhile."""
    new = c.by(ANN, c.CreateRoom(Kind.GROUP, "New"))
    [first] = do(other, c.by(ANN, c.CreateRoom(Kind.GROUP, "Other", (BOB,))))
    outcomes = do(database, new, say(first.room.id, by=BOB), new, say(first.room.id, by=BOB))
    assert codes(outcomes) == ["ok"] * 4
    assert [outcomes[1].message.seq, outcomes[3].message.seq] == [3, 4]


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


@pytest.mark.parametrize("locks", [True, False])
def test_a_transaction_that_read_after_it_wrote_is_asked_about_too(
    database: Database, postgres_url: str, locks: bool
) -> None:
    """A read sends the writes before it, so at the COMMIT none waits to be sent."""
    row = {"id": 9, "username": "x", "handle": "x", "name": "x", "password_hash": "", "created_at": 0}
    with Relay(postgres_url) as relay, contextlib.closing(opening.open_to_serve(relay.url)) as behind:
        do(behind, say())
        relay.cut_at(b"COMMIT", forward=True)
        with behind.writing() as tx:
            if locks:
                tx.lock_logs([CHANNEL])
            tx.write_each(insert(accounts), [row])
            assert tx.first(log_of, log=CHANNEL) is not None
        assert relay.cuts == 1
    assert rows(postgres_url, "SELECT username FROM accounts WHERE id = 9") == [("x",)]


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
        tx._sync()  # type: ignore[attr-defined]  # a COMMIT is only sent, and its answer may come later
        pytest.fail("the transaction was not ended")
    assert codes(do(database, say())) == ["ok"]


def test_a_process_that_stops_reading_what_it_asked_for_does_not_stop_the_others(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is not idle then, and no limit of a statement ends it while it sends."""
    limit = f"'{postgres.UNREAD_SECONDS}s'"
    monkeypatch.setattr(postgres, "_SETTINGS", postgres._SETTINGS.replace(limit, "'500ms'"))
    with contextlib.suppress(psycopg.OperationalError), database.writing() as tx:
        tx.lock_logs([CHANNEL])
        assert tx.first(log_of, log=CHANNEL) is not None  # now it has the lock
        server = tx.connection.pgconn  # type: ignore[attr-defined]
        server.send_query_params(b"SELECT repeat('x', 1000000) FROM generate_series(1, 100)", None)
        server.send_flush_request()
        assert server.flush() == 0
        assert codes(do(other, say())) == ["ok"]
        tx.commit()  # type: ignore[attr-defined]
        tx._sync()  # type: ignore[attr-defined]  # a COMMIT is only sent, and its answer may come later
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


def test_nodes_of_one_database_have_one_history_and_a_copy_has_another(
    database: Database, other: Database, postgres: PostgresAddress, postgres_url: str
) -> None:
    assert database.history() == other.history()
    with contextlib.closing(opening.open_to_serve(postgres.new_database())) as copy:
        assert copy.history() != database.history()


@pytest.mark.parametrize("key", ["epoch", "cluster"])
def test_another_history_is_noticed_with_the_next_connection(database: Database, postgres_url: str, key: str) -> None:
    """Two replicas that began a timeline each look alike, but one does not know what the other has stored."""
    before, told = database.history(), list[str]()
    database.on_replaced = lambda: told.append(database.history())
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("UPDATE veche.meta SET value = 'another' WHERE key = %s", [key])
        ours = "datname = current_database() AND application_name = 'veche'"
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")
    assert codes(do(database, say())) == ["ok"]
    assert told == [database.history()]
    assert told[0] != before
    assert database.histories == 1


def test_a_server_that_loses_commits_is_refused(postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with pytest.raises(DatabaseError, match=r"synchronous_commit off.*VECHE_DATABASE_MAY_LOSE"):
        opening.open_to_serve(postgres_url)
    opening.open_to_serve(postgres_url, may_lose=True).close()


def test_only_a_fault_of_the_connection_says_that_the_database_cannot_be_used(database: Database) -> None:
    """A bug in a statement must not look like a database that is away."""
    with pytest.raises(psycopg.errors.UndefinedColumn), database.connected() as connection:  # type: ignore[attr-defined]
        connection.execute("SELECT nothing FROM veche.logs")
    with pytest.raises(DatabaseError), database.connected() as connection:  # type: ignore[attr-defined]
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
def test_a_database_that_cannot_store_every_text_is_refused(postgres: PostgresAddress, encoding: str) -> None:
    name = f"in_{encoding.lower()}"
    postgres.psql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    try:
        for open_new in (opening.open_to_serve, lambda url: opening.migrate_database(url, copy=False, say=print)):
            with pytest.raises(DatabaseError, match=f"has the encoding {encoding}, .* ENCODING 'UTF8'"):
                open_new(postgres.url(name))
        with pytest.raises(DatabaseError, match=encoding), opening.copy_target(postgres.url(name)):
            pass
        found = [finding for check in opening.checks(postgres.url(name), Serving()) for finding in check()]
        assert [finding.good for finding in found if finding.subject == "encoding"] == [False]
        assert postgres.psql("SELECT to_regnamespace('veche') IS NULL", url=postgres.url(name)) == [(True,)]
    finally:
        postgres.drop_database(postgres.url(name))


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
