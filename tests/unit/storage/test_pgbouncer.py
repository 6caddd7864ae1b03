"""A node behind PgBouncer, which gives each transaction any of a few connections of the server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from core import commands as c

from tests.programs import MissingError, skip
from tests.services import PostgresAddress
from tests.services.pgbouncer import PgBouncer
from veche.core.values import Kind
from veche.storage import opening
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.entries import read_entries

from .conftest import codes

ANN, ROOM = 1, 1
ROUNDS = 60


@pytest.fixture
def behind(postgres: PostgresAddress, postgres_url: str) -> Iterator[str]:
    """The address of an empty database behind PgBouncer."""
    try:
        with PgBouncer(postgres) as bouncer:
            yield bouncer.url(postgres_url.rpartition("/")[2])
    except MissingError as missing:
        skip(missing)


def write(database: Database, name: str) -> None:
    for number in range(ROUNDS):
        outcomes, _ = commit(database, [c.by(ANN, c.SendMessage(ROOM, "hi", f"{name}-{number}"))])
        assert codes(outcomes) == ["ok"]


def read(database: Database, _: str) -> None:
    for number in range(ROUNDS):
        with database.reading() as tx:
            seqs = [event.seq for event in read_entries(tx, ROOM, 0, 2**31, 10 + number)]
        assert seqs == list(range(1, len(seqs) + 1))


def test_two_nodes_write_and_read_behind_pgbouncer(behind: str) -> None:
    with (
        contextlib.closing(opening.open_to_serve(behind)) as one,
        contextlib.closing(opening.open_to_serve(behind)) as two,
    ):
        commit(one, [c.by(c.NOBODY_ID, c.Register("hash", username="ann"))])
        commit(one, [c.by(ANN, c.CreateRoom(Kind.CHANNEL, "Channel"))])
        with ThreadPoolExecutor(6) as pool:
            work = [pool.submit(write, one, "one"), pool.submit(write, two, "two")]
            work += [pool.submit(read, node, "") for node in (one, one, two, two)]
            for each in work:
                each.result()
        with one.reading() as tx:
            entries = list(read_entries(tx, ROOM, 0, 2**31, 1000))
        assert [entry.seq for entry in entries] == list(range(1, 2 * ROUNDS + 2))
