"""On PostgreSQL, too, statements look rows up and never walk through a table, however small it was at first.

PostgreSQL plans a prepared statement once. It counts itself how often it has walked through each table.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
import pytest
from core import commands as c

from veche.storage import opening
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.engines.engine import Transaction

from .conftest import Town
from .test_plans import COMMANDS, LARGE, QUERIES

COUNTED = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = 'veche'"


class Walks:
    """Counts the walks through tables."""

    def __init__(self, database: Database, url: str) -> None:
        self.database = database
        self.connection = psycopg.connect(url, autocommit=True)
        self._before = self._counts()

    def since(self) -> set[str]:
        """Return the tables that were walked through since the last call."""
        before, self._before = self._before, self._counts()
        return {name for name, count in self._before.items() if count != before[name]}

    def _counts(self) -> dict[str, int]:
        for transaction in (self.database.writing, self.database.reading):
            with transaction() as tx:
                tx.connection.execute("SELECT pg_stat_force_next_flush()")  # type: ignore[attr-defined]
        return {name: count for name, count in self.connection.execute(COUNTED) if name in LARGE}


@pytest.fixture
def town(postgres_url: str) -> Iterator[Town]:
    with contextlib.closing(opening.open_to_serve(postgres_url)) as database:
        town = Town(database)  # type: ignore[arg-type]
        town.batch(*[town.say(1, "hi", f"m{n}") for n in range(5)])
        yield town


@pytest.fixture
def walks(town: Town, postgres_url: str) -> Iterator[Walks]:
    walks = Walks(town.database, postgres_url)
    with contextlib.closing(walks.connection):
        yield walks


def test_no_command_walks_through_a_table(town: Town, walks: Walks) -> None:
    found = {}
    for request in [c.by(3, c.JoinRoom(1)), *COMMANDS]:
        for _ in range(7):  # the first five times it would be planned for the values
            commit(town.database, [request])
        found[type(request[1]).__name__] = walks.since()
    assert {name: tables for name, tables in found.items() if tables} == {}


def test_no_query_walks_through_a_table(town: Town, walks: Walks) -> None:
    found = {}
    for name, query in QUERIES.items():
        for _ in range(7):
            with town.database.reading() as tx:
                query(tx)
        found[name] = walks.since()
    assert {name: tables for name, tables in found.items() if tables} == {}


def test_a_walk_is_counted(town: Town, walks: Walks) -> None:
    with town.database.reading() as tx:
        walk(tx)
    assert walks.since() == {"messages"}


def walk(tx: Transaction) -> None:
    tx.connection.execute("SELECT text FROM veche.messages WHERE text = 'hi'")  # type: ignore[attr-defined]
