"""What is SQLite's own: how connections are opened, how keys are passed, the lock, and the backup."""

import contextlib
import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import msgspec
from sqlalchemy import (
    ColumnElement,
    Engine,
    Select,
    TableValuedAlias,
    bindparam,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.exc import OperationalError as OperationalError
from sqlalchemy.pool import QueuePool

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # a commit is on disk before it is acknowledged
    "PRAGMA busy_timeout=10000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-32768",
    "PRAGMA temp_store=MEMORY",
)


DriverError = sqlite3.Error  # what `backup` and `examine` raise


class DatabaseInUse(Exception):
    """Another server holds this database."""


def open_engine(path: Path, *, connections: int) -> Engine:
    """Open an engine whose connections never begin by themselves: writers say BEGIN IMMEDIATE (see `begin`)."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,  # errors are logged, what people wrote is not
        connect_args={"check_same_thread": False, "cached_statements": 256, "isolation_level": None},
    )
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma)


BEGIN_WRITE = "BEGIN IMMEDIATE"  # take the write lock first: what a decision reads is what it changes


def keys(name: str) -> TableValuedAlias:
    """Make a table of keys from one parameter, so that a batch of any size is one prepared statement.

    Fill it with `pack`; its column `value` holds a key, `part(table, i)` the i-th part of a compound one.
    """
    return func.json_each(bindparam(name)).table_valued("value", name=f"keys_{name}")


def by_key(query: Select[Any], column: ColumnElement[Any]) -> Select[Any]:
    """Narrow a query to the rows whose column is among the keys that fill the parameter `keys`."""
    return query.where(column.in_(select(keys("keys").c.value)))


def part(table: TableValuedAlias, index: int) -> ColumnElement[Any]:
    """Name one part of a compound key."""
    return func.json_extract(table.c.value, f"$[{index}]")


def pack(values: Iterable[object]) -> str:
    """Make the parameter that `keys` reads."""
    return msgspec.json.encode(list(values)).decode()


def lock(path: Path) -> IO[str]:
    """Keep a second server off the same file, for as long as the returned file stays open."""
    handle = Path(f"{path}.lock").open("a+", encoding="utf-8")  # noqa: SIM115  # it stays open as long as we serve
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise DatabaseInUse(str(path)) from None
    return handle


def backup(path: Path, target: Path) -> None:
    """Copy a database that may be in use to a new file, whole or not at all.

    The copy bears a new epoch: whoever restores it may have shortened the log, and clients must know.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    partial.unlink(missing_ok=True)
    try:
        with contextlib.closing(_open_read_only(path)) as source:
            source.execute("VACUUM INTO ?", (str(partial),))
        with contextlib.closing(sqlite3.connect(partial)) as copy, copy:
            copy.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (secrets.token_hex(8),))
        _sync(partial)
        os.link(partial, target)  # fails when the target exists: a backup never overwrites
        _sync(target.parent)
    finally:
        partial.unlink(missing_ok=True)


def examine(path: Path) -> tuple[str, str]:
    """Check a database that may be in use: `ok` or what is wrong with it, and the schema it has."""
    with contextlib.closing(_open_read_only(path)) as connection:
        (result,) = connection.execute("PRAGMA quick_check").fetchone()
        (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(result), str(version)


def _open_read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
