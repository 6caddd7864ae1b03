"""The thread that indexes: it follows what is committed, an existing database too, and survives what goes wrong."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from core import commands as c

from tests.new_database import new_database
from veche.core.search import Wanted, parse
from veche.core.values import LOBBY_ID
from veche.service import indexing
from veche.service.indexing import Indexing
from veche.storage import opening
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.engines.index import Index
from veche.storage.search import search

ANN = 1


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with contextlib.closing(new_database(tmp_path / "x.db")) as database:
        commit(database, [c.by(c.NOBODY_ID, c.Register("hash", username="ann"))])
        yield database


@contextlib.contextmanager
def running(database: Database) -> Iterator[tuple[Indexing, Index]]:
    index = database.index()
    thread = Indexing(database, index)
    thread.start()
    try:
        yield thread, index
    finally:
        thread.stop()
        index.close()


def say(database: Database, *texts: str, hear: Callable[..., object] = lambda _: None) -> None:
    hear(commit(database, [c.by(ANN, c.SendMessage(LOBBY_ID, text, None)) for text in texts])[1])


def wait_for(database: Database, index: Index, q: str, count: int = 1) -> float:
    """Wait until so many messages are found. Return how long it took."""
    began = time.monotonic()
    while time.monotonic() < began + 60:
        with contextlib.suppress(Exception), database.reading() as tx:
            if len(search(tx, index, ANN, Wanted(parse(q), limit=1000)).found) == count:
                return time.monotonic() - began
        time.sleep(0.01)
    raise AssertionError(f"{q} is not found")


def test_what_is_told_is_found_soon(database: Database) -> None:
    with running(database) as (thread, index):
        say(database, "first", hear=thread.hear)
        wait_for(database, index, "first")
        for number in range(5):
            say(database, f"number {number}", hear=thread.hear)
            assert wait_for(database, index, f'"number {number}"') < indexing.COMPARE_SECONDS / 2


def test_an_existing_database_is_indexed_and_goes_on_where_it_was(database: Database) -> None:
    say(database, *["word"] * (indexing.BATCH + 10))
    with running(database) as (_, index):
        wait_for(database, index, "word", indexing.BATCH + 10)
        reached = index.positions()
    say(database, "word")
    with running(database) as (_, index):
        wait_for(database, index, "word", indexing.BATCH + 11)
        assert index.positions() == {LOBBY_ID: reached[LOBBY_ID] + 1}


def test_what_is_not_told_is_found_too(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "COMPARE_SECONDS", 0.1)
    with running(database) as (_, index):
        wait_for(database, index, "word", 0)
        say(database, "word")
        wait_for(database, index, "word")


def test_too_much_told_makes_it_look_at_all(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "TOLD", 2)
    thread = Indexing(database, index := database.index())
    for _ in range(5):
        say(database, "word", hear=thread.hear)
    thread.start()
    with contextlib.closing(index), contextlib.ExitStack() as stack:
        stack.callback(thread.stop)
        wait_for(database, index, "word", 5)


def test_two_nodes_index_each_message_once(postgres_url: str) -> None:
    with contextlib.ExitStack() as stack:
        databases = [stack.enter_context(contextlib.closing(opening.open_to_serve(postgres_url))) for _ in range(2)]
        commit(databases[0], [c.by(c.NOBODY_ID, c.Register("hash", username="ann"))])
        nodes = [stack.enter_context(running(database)) for database in databases]
        for number in range(10):
            database, (thread, _) = databases[number % 2], nodes[number % 2]
            say(database, *["word"] * 5, hear=thread.hear)
        for database, (_, index) in zip(databases, nodes, strict=True):
            wait_for(database, index, "word", 50)
        assert nodes[0][1].positions() == nodes[1][1].positions()
