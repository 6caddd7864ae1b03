"""A migrated database for each test, copied from one that was migrated once."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from core import commands as c

from veche.core.errors import ChatError
from veche.core.values import Kind
from veche.storage import opening
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.engines.engine import Transaction
from veche.storage.kinds.sqlite_database import SqliteDatabase


class Counted(SqliteDatabase):
    """Counts the transactions that were begun to write."""

    begun = 0

    def writing(self) -> contextlib.AbstractContextManager[Transaction]:
        self.begun += 1
        return super().writing()


Open = Callable[[], Counted]


def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = SqliteDatabase(f"sqlite:///{tmp_path_factory.mktemp('template')}/template.db")
    database.migrate()
    with database.writing() as tx:  # the lobby as it is in a State that holds everything
        tx.connection.execute("UPDATE rooms SET created_at = 0")
    database.close()
    return database.path


@pytest.fixture
def open_new(template: Path, tmp_path: Path) -> Iterator[Open]:
    """Opens as many new databases as a test asks for."""
    with contextlib.ExitStack() as stack:
        count = 0

        def open_one() -> Counted:
            nonlocal count
            count += 1
            path = tmp_path / f"{count}.db"
            shutil.copy(template, path)
            database = Counted(f"sqlite:///{path}")
            stack.callback(database.close)
            return database

        yield open_one


@pytest.fixture
def database(open_new: Open) -> Counted:
    return open_new()


ON_BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)]


@pytest.fixture(params=ON_BOTH)
def processes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Database]]:
    """Two processes on one new database. On SQLite there is only one, twice."""
    on_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/x.db" if on_sqlite else request.getfixturevalue("postgres_url")
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.closing(opening.open_to_serve(url)))
        second = stack.enter_context(contextlib.closing(first if on_sqlite else opening.open_to_serve(url)))
        yield [first, second]


class Town:
    """Commits by ann (1), who owns the channel 1 and the group 2, bob (2), who is in both, and eve (3), in none."""

    def __init__(self, database: Counted) -> None:
        self.database = database
        for name in ("ann", "bob", "eve"):
            self.do(c.by(c.NOBODY_ID, c.Register("hash", username=name)))
        self.do(c.by(1, c.CreateRoom(Kind.CHANNEL, "Channel", (2,))))
        self.do(c.by(1, c.CreateRoom(Kind.GROUP, "Group", (2,))))

    def batch(self, *commands: c.Request) -> list[Any]:
        return commit(self.database, commands)[0]

    def do(self, command: c.Request) -> Any:
        (outcome,) = self.batch(command)
        if isinstance(outcome, ChatError):
            raise outcome
        return outcome

    def say(self, room_id: int = 1, text: str = "hi", client_id: str | None = None, by: int = 1) -> c.Request:
        return c.by(by, c.SendMessage(room_id, text, client_id))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.database.reading() as connection:
            return [tuple(row) for row in connection.connection.execute(query)]

    def seqs(self, log_id: int) -> list[int]:
        messages = self.rows(f"SELECT seq FROM messages WHERE room_id = {log_id}")
        events = self.rows(f"SELECT seq FROM events WHERE log_id = {log_id}")
        return sorted(seq for (seq,) in messages + events)

    def head(self, log_id: int) -> int:
        return int(self.rows(f"SELECT last_seq FROM logs WHERE id = {log_id}")[0][0])


@pytest.fixture
def town(database: Counted) -> Town:
    return Town(database)


def somebody_waits(connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
    """Return whether a transaction in the PostgreSQL database of this connection waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return connection.execute(query).fetchall() != [(0,)]


def codes(outcomes: list[Any]) -> list[str]:
    """What was refused, and why; "ok" for the rest."""
    return [str(outcome.code) if isinstance(outcome, ChatError) else "ok" for outcome in outcomes]
