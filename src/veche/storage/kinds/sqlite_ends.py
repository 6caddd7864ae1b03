"""Opens an SQLite database for `veche copy`. It is locked: no server and no other command uses it meanwhile."""

import contextlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Insert, Table, insert

from veche.storage.engines import sqlite_files, sqlite_identity
from veche.storage.engines.engine import Transaction
from veche.storage.engines.sqlite_lock import Purpose
from veche.storage.engines.sqlite_state import USABLE, State, check
from veche.storage.kinds.copy_end import CopyEnd, complete_nothing
from veche.storage.kinds.secret_file import read_secret, write_secret
from veche.storage.kinds.sqlite_database import SqliteDatabase, lock, make_default_folder, sqlite_path
from veche.storage.kinds.sqlite_opening import must_exist, must_have_this_schema, sentences


@contextlib.contextmanager
def source(url: str) -> Iterator[CopyEnd]:
    """Open a database from which rows are copied. It is only read. Raises DatabaseError."""
    must_exist(sqlite_path(url))
    with _alone(url) as database:
        path = database.path
        with sentences(path):
            state = check(path)
            must_have_this_schema(path)
            epoch, generation = _identity(path)
        yield CopyEnd(
            database,
            f"sqlite {epoch} {generation}",
            state is State.COPY,
            read_secret(database.secret_path),
            _load,
            complete_nothing,
        )


@contextlib.contextmanager
def target(url: str) -> Iterator[CopyEnd]:
    """Open a database to which rows are copied. It is created if it is missing. Raises DatabaseError."""
    make_default_folder(url)
    with _alone(url) as database:
        with sentences(database.path):
            check(database.path, USABLE | {State.MISSING, State.HALF})
        database.migrate()

        def complete(secret: str | None, epoch: str) -> None:
            if secret is not None:
                write_secret(database.secret_path, secret)
            if (known := sqlite_identity.remembered(database.path)) is not None:  # an empty chat was served here
                generation = _identity(database.path).generation
                sqlite_identity.remember(database.path, {sqlite_identity.Identity(epoch, generation)} | known)

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


def _identity(path: Path) -> sqlite_identity.Identity:
    with sqlite_files.reading(path) as connection:
        return sqlite_identity.read(connection)
