"""The connections and statements of SQLite: what is left open, and parameters that are missing."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import bindparam, insert, select

from veche.storage.accounts import accounts
from veche.storage.engines.engine import READERS
from veche.storage.log import head_seqs
from veche.storage.messages import MESSAGE
from veche.storage.tables import meta

from .conftest import Town

CHANNEL = 1


def test_closing_closes_all_connections_so_that_no_write_ahead_log_is_left(town: Town) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(READERS):
            head_seqs(stack.enter_context(town.database.reading()), [CHANNEL])
    town.do(town.say(CHANNEL))
    wal = town.database.path.with_name(f"{town.database.path.name}-wal")
    assert wal.exists()
    town.database.close()
    assert not wal.exists()


def test_a_stream_that_is_not_read_to_its_end_keeps_no_snapshot(town: Town) -> None:
    town.batch(*[town.say(CHANNEL) for _ in range(5)])
    streams = []
    for _ in range(READERS + 1):
        with town.database.reading() as tx:
            streams.append(tx.stream(MESSAGE))
            next(streams[-1])
    town.do(town.say(CHANNEL, "newest"))
    for _ in range(READERS):
        assert town.rows("SELECT count(*) FROM messages") == [(6,)]
    assert town.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0, "an old snapshot is still held"


def test_readers_that_fail_leave_their_places(town: Town) -> None:
    def fail(_: int) -> None:
        with contextlib.suppress(ZeroDivisionError), town.database.reading() as tx:
            head_seqs(tx, [CHANNEL])
            raise ZeroDivisionError

    with ThreadPoolExecutor(2 * READERS) as threads:
        list(threads.map(fail, range(100)))
    assert town.database._engine._readers.qsize() == READERS  # type: ignore[attr-defined]


def test_a_connection_that_cannot_roll_back_is_replaced(town: Town) -> None:
    with contextlib.suppress(ZeroDivisionError), town.database.writing() as tx:
        tx.connection.close()  # type: ignore[attr-defined]
        raise ZeroDivisionError
    assert town.do(town.say(CHANNEL)).message.seq == town.head(CHANNEL)


def test_a_parameter_that_is_missing_or_misspelt_is_refused(town: Town) -> None:
    query = select(accounts.c.id).where(accounts.c.id == bindparam("account"))
    for parameters in ({}, {"accuont": 1}):
        with town.database.reading() as tx, pytest.raises(TypeError, match="account"):
            tx.read(query, **parameters)
    with town.database.reading() as tx:
        assert tx.read(query, account=1)
        with pytest.raises(KeyError):
            tx.read(query, accuont=1)


def test_a_write_takes_the_same_names_every_time(town: Town) -> None:
    write = insert(meta)
    with town.database.writing() as tx:
        tx.write_each(write, [{"key": "a", "value": "b"}])
    with town.database.writing() as tx, pytest.raises(TypeError, match="this write takes"):
        tx.write_each(write, [{"key": "c"}])
