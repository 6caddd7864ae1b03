"""SQLite: opens connections, runs statements for many keys, and makes new ids.

It also locks the database for one server, and makes and checks backups.
"""

import contextlib
import fcntl
import os
import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import itemgetter
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
    """Another server has locked this database."""


def open_engine(path: Path, *, connections: int) -> Engine:
    """Create an SQLAlchemy engine.

    Its connections never start a transaction automatically: our code executes BEGIN, or BEGIN IMMEDIATE to write.
    """
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        # Errors are logged without the parameters, which contain text that people wrote.
        hide_parameters=True,
        connect_args={"check_same_thread": False, "cached_statements": 256, "isolation_level": None},
    )
    event.listen(engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma)


class Sqlite:
    """The `engines.engine.Engine` for SQLite.

    There is one writer at a time, because BEGIN IMMEDIATE takes the write lock of the whole database.
    """

    begin_write = "BEGIN IMMEDIATE"

    def __init__(self) -> None:
        self._statements: dict[Any, Any] = {}
        # Compiled SQL and its parameters in order. They are kept, because SQLAlchemy's own execution takes longer than
        # SQLite does.
        self._compiled_reads: dict[Any, tuple[str, list[tuple[str, Any]]]] = {}
        self._compiled_writes: dict[Executable, tuple[str, Callable[[Mapping[str, Any]], tuple[Any, ...]]]] = {}

    def statement(self, make: "Callable[[Sqlite], T]") -> T:
        """Return `make(self)`. It is called once, and its result is kept for later calls."""
        if make not in self._statements:
            self._statements[make] = make(self)
        found: T = self._statements[make]
        return found

    def where_keys(self, query: Select[Any], *columns: ColumnElement[Any]) -> Select[Any]:
        """Restrict a query to the rows whose `columns` equal one of the keys in the SQL parameter `keys`.

        All keys are passed as one parameter, a JSON array. So the same prepared statement works for any number of
        keys.
        """
        table = _key_table()
        if len(columns) == 1:
            return query.where(columns[0].in_(select(table.c.value)))
        parts = [column == _key_part(table, index) for index, column in enumerate(columns)]
        return query.where(and_(*parts))

    def select_from_keys(self, make: Callable[[Callable[[int], ColumnElement[Any]]], Select[Any]]) -> Select[Any]:
        """Make a query that selects from the list of keys.

        `make` is called with a function that returns the column with the i-th part of each key.
        """
        table = _key_table()
        return make(lambda index: _key_part(table, index)).select_from(table)

    def encode_keys(self, keys: Iterable[object]) -> str:
        """Encode keys as the value of the SQL parameter `keys`."""
        return msgspec.json.encode(list(keys)).decode()

    def read_keys(
        self, connection: Connection, make: "Callable[[Sqlite], Select[Any]]", keys: Iterable[object]
    ) -> Sequence[Row[Any]]:
        """Run the query that `make` builds with these keys, and return its rows."""
        if make not in self._compiled_reads:
            compiled = self.statement(make).compile(dialect=connection.dialect)
            names = compiled.positiontup or ()
            self._compiled_reads[make] = (str(compiled), [(name, compiled.params[name]) for name in names])
        sql, parameters = self._compiled_reads[make]
        encoded = self.encode_keys(keys)
        values = tuple(encoded if name == "keys" else value for name, value in parameters)
        return connection.exec_driver_sql(sql, values).all()

    def write_each(self, connection: Connection, write: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a write once for each row."""
        if write not in self._compiled_writes:
            compiled = write.compile(dialect=connection.dialect, column_keys=list(rows[0]))  # type: ignore[attr-defined]
            self._compiled_writes[write] = (str(compiled), _values_of(compiled.positiontup))
        sql, values_of = self._compiled_writes[write]
        connection.exec_driver_sql(sql, [values_of(row) for row in rows])

    def lock_logs(self, connection: Connection, log_ids: Collection[int]) -> None:
        """Do nothing: the transaction holds the lock of the whole database."""

    def new_ids(self, connection: Connection) -> Callable[[str], int]:
        """Return a function that returns the next free id of a table: the highest id plus one.

        No other transaction can take the same id, because this one holds the write lock.
        """
        last: dict[str, int] = {}

        def new_id(table: str) -> int:
            if table not in last:
                # The table name comes from our code, never from a client.
                where = _WITHOUT_BUILT_IN_IDS.get(table, "")
                query = f"SELECT max(id) FROM {table}{where}"  # noqa: S608
                last[table] = connection.exec_driver_sql(query).scalar() or 0
            last[table] += 1
            return last[table]

        return new_id


def _values_of(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return a function that takes the values of these names out of a row."""
    if len(names) == 1:
        return lambda row: (row[names[0]],)
    return itemgetter(*names)


_WITHOUT_BUILT_IN_IDS = dict.fromkeys(("accounts", "rooms"), f" WHERE id < {RESERVED_IDS}")


def _key_table() -> TableValuedAlias:
    return func.json_each(bindparam("keys")).table_valued("value", name="keys")


def _key_part(table: TableValuedAlias, index: int) -> ColumnElement[Any]:
    return func.json_extract(table.c.value, f"$[{index}]")


def lock(path: Path) -> IO[str]:
    """Lock the database for this server. Raises DatabaseInUse if another server holds the lock.

    The lock is held while the returned file is open.
    """
    handle = Path(f"{path}.lock").open("a+", encoding="utf-8")  # noqa: SIM115  # it stays open to hold the lock
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise DatabaseInUse(str(path)) from None
    return handle


def backup(path: Path, target: Path) -> None:
    """Copy a database to a new file. The database may be in use.

    `target` appears only when the copy is complete. The copy gets a new epoch, because restoring it may shorten the
    logs and clients have to notice that.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    partial.unlink(missing_ok=True)
    try:
        with contextlib.closing(_open_read_only(path)) as source:
            source.execute("VACUUM INTO ?", (str(partial),))
        with contextlib.closing(sqlite3.connect(partial)) as copy, copy:
            copy.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (secrets.token_hex(8),))
        _fsync(partial)
        os.link(partial, target)  # fails when the target exists: a backup never overwrites
        _fsync(target.parent)
    finally:
        partial.unlink(missing_ok=True)


def examine(path: Path) -> tuple[str, str]:
    """Check a database, which may be in use.

    Return "ok" or a description of what is wrong, and the version of its schema.
    """
    with contextlib.closing(_open_read_only(path)) as connection:
        (result,) = connection.execute("PRAGMA quick_check").fetchone()
        (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(result), str(version)


def _open_read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
