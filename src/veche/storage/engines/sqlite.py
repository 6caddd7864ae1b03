"""SQLite: how connections are opened, statements by key, ids, the lock of the server, and the backup."""

import contextlib
import fcntl
import os
import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import quote

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Executable,
    Row,
    Select,
    TableValuedAlias,
    and_,
    bindparam,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.exc import OperationalError as OperationalError
from sqlalchemy.pool import QueuePool

from veche.core.values import RESERVED_IDS

T = TypeVar("T")

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
    """Open an engine whose connections never begin by themselves: writers say BEGIN IMMEDIATE."""
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


class Sqlite:
    """An `engines.engine.Engine`. One writer at a time: BEGIN IMMEDIATE takes the lock of the whole database."""

    begin_write = "BEGIN IMMEDIATE"

    def __init__(self) -> None:
        self._made: dict[Any, Any] = {}
        # SQL with its parameters in order, made once: SQLAlchemy's own execution costs more than SQLite itself.
        self._reads: dict[Any, tuple[str, list[tuple[str, Any]]]] = {}
        self._writes: dict[Executable, tuple[str, list[str]]] = {}

    def statement(self, make: "Callable[[Sqlite], T]") -> T:
        """Return what `make` makes for this engine, made at the first call and kept."""
        if make not in self._made:
            self._made[make] = make(self)
        found: T = self._made[make]
        return found

    def by_key(self, query: Select[Any], *columns: ColumnElement[Any]) -> Select[Any]:
        """Narrow a query to the rows whose columns are among the keys in the parameter `keys`.

        All keys are one parameter, a JSON array, so that a batch of any size is one prepared statement.
        """
        table = _key_table()
        if len(columns) == 1:
            return query.where(columns[0].in_(select(table.c.value)))
        parts = [column == _part(table, index) for index, column in enumerate(columns)]
        return query.where(and_(*parts))

    def for_each_key(self, make: Callable[[Callable[[int], ColumnElement[Any]]], Select[Any]]) -> Select[Any]:
        """Make a query of the keys themselves; `make` gets a function that gives the i-th part of a key."""
        table = _key_table()
        return make(lambda index: _part(table, index)).select_from(table)

    def pack(self, keys: Iterable[object]) -> str:
        """Make the value of the parameter `keys`."""
        return msgspec.json.encode(list(keys)).decode()

    def read_keys(
        self, connection: Connection, make: "Callable[[Sqlite], Select[Any]]", keys: Iterable[object]
    ) -> Sequence[Row[Any]]:
        """Run the query that `make` makes, for these keys."""
        if make not in self._reads:
            compiled = self.statement(make).compile(dialect=connection.dialect)
            self._reads[make] = (str(compiled), [(name, compiled.params[name]) for name in compiled.positiontup or ()])
        sql, parameters = self._reads[make]
        packed = self.pack(keys)
        values = tuple(packed if name == "keys" else value for name, value in parameters)
        return connection.exec_driver_sql(sql, values).all()

    def write_each(self, connection: Connection, write: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a write once for each row."""
        if write not in self._writes:
            compiled = write.compile(dialect=connection.dialect, column_keys=list(rows[0]))  # type: ignore[attr-defined]
            self._writes[write] = (str(compiled), compiled.positiontup)
        sql, names = self._writes[write]
        connection.exec_driver_sql(sql, [tuple(row[name] for name in names) for row in rows])

    def lock_logs(self, connection: Connection, log_ids: Collection[int]) -> None:
        """Do nothing: the transaction holds the lock of the whole database."""

    def new_ids(self, connection: Connection) -> Callable[[str], int]:
        """Return a function that gives the next free id of a table: one above the highest. Nobody else writes."""
        last: dict[str, int] = {}

        def new_id(table: str) -> int:
            if table not in last:
                query = f"SELECT max(id) FROM {table}{_BUILT_IN.get(table, '')}"  # noqa: S608  # names of ours
                last[table] = connection.exec_driver_sql(query).scalar() or 0
            last[table] += 1
            return last[table]

        return new_id


_BUILT_IN = dict.fromkeys(("accounts", "rooms"), f" WHERE id < {RESERVED_IDS}")


def _key_table() -> TableValuedAlias:
    return func.json_each(bindparam("keys")).table_valued("value", name="keys")


def _part(table: TableValuedAlias, index: int) -> ColumnElement[Any]:
    return func.json_extract(table.c.value, f"$[{index}]")


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

    The copy gets a new epoch: restoring it may shorten the logs, and clients have to notice.
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
