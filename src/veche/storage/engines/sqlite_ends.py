"""Opens an SQLite database for `veche copy`. It is locked: no server and no other command uses it meanwhile."""

import contextlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Insert, Table, insert

from veche.storage.engines import sqlite_files, sqlite_identity
from veche.storage.engines.copy_end import CopyEnd
from veche.storage.engines.engine import Transaction
from veche.storage.engines.secret_file import read_secret, write_secret
from veche.storage.engines.sqlite_database import SqliteDatabase, lock, make_default_folder, sqlite_path
from veche.storage.engines.sqlite_lock import Purpose
from veche.storage.engines.sqlite_opening import must_exist, must_have_this_schema, sentences
from veche.storage.engines.sqlite_state import USABLE, State, check


@contextlib.contextmanager
def source(url: str) -> Iterator[CopyEnd]:
    """Open a database from which rows are copied. It is only read. Raises DatabaseError."""
    must_exist(sqlite_path(url))
    with _alone(url) as database:
        path = database.path
        with sentences(path):
            state = check(path)
            must_have_this_schema(path)
            identity = _identity(path)
        yield CopyEnd(database, identity, state is State.COPY, read_secret(database.secret_path), _load, lambda _: None)


@contextlib.contextmanager
def target(url: str) -> Iterator[CopyEnd]:
    """Open a database to which rows are copied. It is created if it is missing. Raises DatabaseError."""
    make_default_folder(url)
    with _alone(url) as database:
        with sentences(database.path):
            check(database.path, USABLE | {State.MISSING, State.HALF})
        database.migrate()

        def complete(secret: str | None) -> None:
            if secret is not None:
                write_secret(database.secret_path, secret)

        yield CopyEnd(database, "", False, None, _load, complete)


@contextlib.contextmanager
def _alone(url: str) -> Iterator[SqliteDatabase]:
    held = lock(sqlite_path(url), Purpose.REPLACE)
    try:
        database = SqliteDatabase(url)
        try:
            yield database
        finally:
            database.close()
    finally:
        held.release()


def _load(tx: Transaction, table: Table, rows: Sequence[Any]) -> None:
    tx.write_each(_insert(table), [row._asdict() for row in rows])


@cache
def _insert(table: Table) -> Insert:
    return insert(table)


def _identity(path: Path) -> str:
    with sqlite_files.reading(path) as connection:
        epoch, generation = sqlite_identity.read(connection)
        return f"sqlite {epoch} {generation}"
