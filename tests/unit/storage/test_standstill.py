"""A PostgreSQL that stands still: its connections stay open, and nothing answers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from core import commands as c
from sqlalchemy import func, select

from tests.services import Postgres
from veche.core.errors import ChatError, Code
from veche.core.values import Kind
from veche.storage import opening
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.engines import postgres
from veche.storage.engines.engine import READERS
from veche.storage.engines.postgres_limit import TimeLimit
from veche.storage.kinds import postgres_database, postgres_nodes
from veche.storage.log import head_seqs
from veche.storage.reader import Reader
from veche.storage.writer import Writer

ANN, ROOM = 1, 1
SLEEP = select(func.pg_sleep(0.4).label("slept"))


@pytest.fixture
def server(own_postgres: Postgres) -> Postgres:
    return own_postgres


@pytest.fixture
def database(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    for name in ("GRACE_SECONDS", "STATEMENT_SECONDS", "READ_SECONDS"):
        monkeypatch.setattr(postgres, name, 0.5)
    monkeypatch.setitem(postgres_database.CONNECT, "connect_timeout", 2)
    with contextlib.closing(opening.open_to_serve(server.new_database())) as found:
        commit(found, [c.by(c.NOBODY_ID, c.Register("hash", username="ann"))])
        commit(found, [c.by(ANN, c.CreateRoom(Kind.CHANNEL, "Channel"))])
        yield found


def say() -> Any:
    actor, command = c.by(ANN, c.SendMessage(ROOM, "hi"))
    return actor, command


async def test_reads_and_writes_are_answered_while_it_stands_still(database: Database, server: Postgres) -> None:
    reader, writer = Reader(database), Writer(database, lambda _: None)
    writer.start()

    async def read() -> object:
        try:
            return await reader.read(None, head_seqs, [ROOM])
        except ChatError as refusal:
            return refusal.code

    async def write() -> object:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        writer.submit(*say(), answer.set_result)
        outcome = await answer
        return outcome.code if isinstance(outcome, ChatError) else "ok"

    try:
        before = await asyncio.gather(*(read() for _ in range(READERS)))
        assert await write() == "ok"
        server.pause()
        found = await asyncio.gather(write(), *(read() for _ in range(10 * READERS)))
        assert set(found) == {Code.UNAVAILABLE}
        server.resume()
        while await write() != "ok":  # the test's timeout ends it
            pass
        assert await read() not in before
    finally:
        server.resume()
        await writer.stop()
        reader.stop()


def test_what_is_in_time_is_left_alone(database: Database, server: Postgres) -> None:
    limit = TimeLimit()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        for _ in range(3):
            with limit.limited(connection, 60):
                connection.execute("SELECT 1")
        with limit.limited(connection, 0.1), pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT pg_sleep(60)")
    limit.close()


def test_reads_that_are_slow_together_but_not_one_by_one_are_left_alone(database: Database) -> None:
    with database.reading() as snapshot:
        for _ in range(4):  # a transaction may take a second without an answer
            snapshot.first(SLEEP)


def test_a_lease_is_renewed_on_another_connection(
    database: Database, server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a node could not say that it is alive, although its writes go on."""
    monkeypatch.setattr(postgres_nodes, "_STATEMENT_SECONDS", 0)
    monkeypatch.setattr(postgres_nodes, "RENEW_SECONDS", 0.05)
    node: Any = database.join("node", 0, shares_bus=True)
    node.start(lambda: None, pytest.fail)
    try:
        old = node._connection
        server.pause()
        while not old.closed:  # the test's timeout ends it
            time.sleep(0.01)
        server.resume()
        while node.problem:
            time.sleep(0.01)
    finally:
        server.resume()
        node.leave()


def test_no_file_stays_open(database: Database) -> None:
    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    commit(database, [say()])
    before = files()
    for _ in range(20):
        commit(database, [say()])
    assert files() == before


def test_its_thread_ends_with_the_database(server: Postgres) -> None:
    with contextlib.closing(opening.open_to_serve(server.new_database())) as found, found.reading() as snapshot:
        head_seqs(snapshot, [ROOM])
        [thread] = [thread for thread in threading.enumerate() if thread.name == "veche-limit"]
    thread.join()
