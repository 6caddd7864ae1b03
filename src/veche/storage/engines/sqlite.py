"""The `Engine` for SQLite."""

import contextlib
import queue
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Select,
    TableValuedAlias,
    and_,
    bindparam,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects import sqlite as dialects
from sqlalchemy.pool import NullPool

from veche.core.facts import Fact
from veche.core.state import State
from veche.core.values import RESERVED_IDS
from veche.storage.engines import sqlite_identity
from veche.storage.engines.engine import READERS, Failure, Query, Write
from veche.storage.engines.places import Places, close_all, filled
from veche.storage.engines.prepared import Prepared, prepare
from veche.storage.kept import KeptRows

BUSY_TIMEOUT = "PRAGMA busy_timeout=10000"
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # a commit is on disk before it is acknowledged
    BUSY_TIMEOUT,
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-4096",  # KiB of each connection; the kernel has the whole file in its own cache
    "PRAGMA temp_store=MEMORY",
)
CHANGE_SECONDS = 60.0  # the least time between two generations of a database that is served
_DIALECT = dialects.dialect()
_FAULTS_OF_ONE_COMMAND = (sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
_encode_keys = msgspec.json.Encoder().encode


def _is_wrong_sql(error: sqlite3.Error) -> bool:
    """Return whether a statement is wrong, for example because a table or a function does not exist."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


def engine_for_migrations(path: Path) -> Engine:
    """Create an SQLAlchemy engine for Alembic. Its connections start no transaction automatically."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        # Errors are logged without the parameters, which contain text that people wrote.
        hide_parameters=True,
        connect_args={"check_same_thread": False, "isolation_level": None},
    )
    event.listen(engine, "connect", lambda connection, _record: _set_pragmas(connection))
    return engine


def begin_migration(connection: Connection) -> None:
    """Begin a transaction of a migration: no other process migrates meanwhile."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class Sqlite:
    """One open SQLite database: one connection to write, and a few to read.

    There is one writer at a time, because BEGIN IMMEDIATE takes the write lock of the whole database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writers: Places[sqlite3.Connection] = filled(queue.SimpleQueue(), 1)
        # The last used has the warmest cache.
        self._readers: Places[sqlite3.Connection] = filled(queue.LifoQueue(), READERS)
        self._prepared: dict[Query | Write, Prepared] = {}
        # What the last write transaction kept, and the connection and version of the database at that time.
        self._kept = KeptRows()
        self._last_ids: dict[str, int] = {}
        self._version: tuple[sqlite3.Connection, int] | None = None
        self._change_at: float | None = None  # when the generation changes next; None: this process does not serve

    def where_keys(self, query: Select[Any], *columns: ColumnElement[Any]) -> Select[Any]:
        """Restrict a query to the rows whose `columns` equal one of the keys.

        All keys are passed as one parameter, a JSON array. So the same prepared statement works for any number of
        keys.
        """
        table = _key_table()
        if len(columns) == 1:
            return query.where(columns[0].in_(select(table.c.value)))
        parts = [column == _key_part(table, index) for index, column in enumerate(columns)]
        return query.where(and_(*parts))

    def select_from_keys(self, make: Callable[[Callable[[int], ColumnElement[Any]]], Select[Any]]) -> Select[Any]:
        table = _key_table()
        return make(lambda index: _key_part(table, index)).select_from(table)

    @contextlib.contextmanager
    def writing(self) -> "Iterator[SqliteTransaction]":
        with self._connection(self._writers) as connection:
            connection.execute("BEGIN IMMEDIATE")
            self._forget_if_others_wrote(connection)
            tx = SqliteTransaction(connection, self, self._kept, self._last_ids)
            try:
                yield tx
                tx.end_streams()
                connection.execute("COMMIT")
            except BaseException:
                tx.end_streams()
                self._forget()  # after a failed COMMIT nobody knows whether it took effect
                raise
            to_keep, tx.to_keep = tx.to_keep, None  # its state refers back to the transaction
            self._kept.keep(*to_keep) if to_keep is not None else self._forget()

    @contextlib.contextmanager
    def reading(self) -> "Iterator[SqliteTransaction]":
        with self._connection(self._readers) as connection:
            connection.execute("BEGIN")
            tx = SqliteTransaction(connection, self, None, {})
            try:
                yield tx
            finally:
                tx.end_streams()

    def _forget_if_others_wrote(self, connection: sqlite3.Connection) -> None:
        """Forget what is kept if another connection has written since, which changes `data_version`."""
        (number,) = connection.execute("PRAGMA data_version").fetchone()
        if self._version != (connection, number):
            self._version = (connection, number)
            self._forget()

    def _forget(self) -> None:
        self._kept.forget()
        self._last_ids = {}

    @contextlib.contextmanager
    def _connection(self, places: Places[sqlite3.Connection]) -> Iterator[sqlite3.Connection]:
        """Take a connection, or open one. Roll back what is not committed at the end."""
        connection = places.get()
        try:
            if connection is None:
                connection = self._open()
            yield connection
        finally:
            places.put(connection if connection is None or _roll_back(connection) else None)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False, cached_statements=256, isolation_level=None)
        _set_pragmas(connection)
        return connection

    def settle(self) -> None:
        """Move all that is in the write-ahead log into the database file."""
        with self._connection(self._writers) as connection, _without_waiting(connection):
            sqlite_identity.settle(connection, self._path)

    def begin_serving(self, *, epoch: str | None = None, forget: bool = False) -> None:
        """Give the database a new generation, and the epoch `epoch` if it is not None. See `sqlite_identity.change`.

        Raises what `failure_of` calls UNAVAILABLE, if the database cannot be written now.
        """
        self._change_at = time.monotonic() + CHANGE_SECONDS
        with self._connection(self._writers) as connection, _without_waiting(connection):
            sqlite_identity.change(connection, self._path, epoch=epoch, forget=forget)

    def rest(self) -> None:
        if self._change_at is not None and time.monotonic() >= self._change_at:
            self.begin_serving()
        else:
            self.settle()

    def failure_of(self, error: BaseException) -> Failure | None:
        if isinstance(error, sqlite3.IntegrityError):
            return Failure.CONFLICT
        if isinstance(error, sqlite3.Error) and (isinstance(error, _FAULTS_OF_ONE_COMMAND) or _is_wrong_sql(error)):
            return None
        return Failure.UNAVAILABLE if isinstance(error, sqlite3.Error | OSError) else None

    def prepared(self, statement: Query | Write, names: Iterable[str]) -> Prepared:
        """Return the SQL of a statement. It is compiled at the first call."""
        found = self._prepared.get(statement)
        if found is None:
            made = statement if isinstance(statement, Select | Write) else statement(self)
            found = self._prepared[statement] = prepare(made, _DIALECT, list(names))
        return found

    def close(self) -> None:
        close_all(self._writers)
        close_all(self._readers)  # the last connection copies the write-ahead log into the database and removes it


def _roll_back(connection: sqlite3.Connection) -> bool:
    """Roll back what is not committed. If that fails, close the connection and return False."""
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        with contextlib.suppress(sqlite3.Error):
            connection.close()
        return False
    return True


class SqliteTransaction:
    """The `Transaction` for SQLite."""

    __slots__ = ("_engine", "_streams", "connection", "kept", "last_ids", "to_keep")

    def __init__(
        self, connection: sqlite3.Connection, engine: Sqlite, kept: KeptRows | None, last_ids: dict[str, int]
    ) -> None:
        self.connection = connection
        self._engine = engine
        self.kept = kept
        self.last_ids = last_ids  # by table: the highest id, if it is known
        self.to_keep: tuple[State, Collection[Fact[Any, Any]]] | None = None
        self._streams: list[sqlite3.Cursor] = []

    def read(self, query: Query, **parameters: object) -> Sequence[Any]:
        prepared = self._engine.prepared(query, parameters)
        return list(map(prepared.row, self.connection.execute(prepared.sql, prepared.values(parameters))))

    def first(self, query: Query, **parameters: object) -> Any:
        return next(iter(self.read(query, **parameters)), None)

    def stream(self, query: Query, **parameters: object) -> Iterator[Any]:
        prepared = self._engine.prepared(query, parameters)
        cursor = self.connection.execute(prepared.sql, prepared.values(parameters))
        self._streams.append(cursor)
        return map(prepared.row, cursor)

    def end_streams(self) -> None:
        """Close all streams. One that is open would keep its old snapshot in the connection."""
        for cursor in self._streams:
            cursor.close()

    def read_by_keys(self, query: Query, keys: Iterable[object]) -> Sequence[Any]:
        listed = list(keys)
        return self.read(query, keys=_encode_keys(listed).decode()) if listed else ()

    def write_each(self, write: Write, rows: Sequence[Mapping[str, Any]], unique: tuple[str, ...] = ()) -> None:
        if rows:
            prepared = self._engine.prepared(write, rows[0])
            if rows[0].keys() != prepared.names:
                raise TypeError(f"this write takes {sorted(prepared.names)}, not {sorted(rows[0])}")
            self.connection.executemany(prepared.sql, map(prepared.values, rows))

    def lock_logs(self, log_ids: Collection[int]) -> None:
        """Do nothing: the transaction holds the lock of the whole database."""

    def has_locked(self, log_id: int) -> bool:
        return True

    def keep(self, state: State, facts: Collection[Fact[Any, Any]]) -> None:
        self.to_keep = (state, facts)

    def new_id(self, table: str) -> int:
        """Return the highest id plus one.

        No other transaction can take the same id, because this one holds the write lock.
        """
        last = self.last_ids.get(table)
        if last is None:
            # The table name comes from our code, never from a client.
            where = _WITHOUT_BUILT_IN_IDS.get(table, "")
            query = f"SELECT max(id) FROM {table}{where}"  # noqa: S608
            last = self.connection.execute(query).fetchone()[0] or 0
        self.last_ids[table] = last + 1
        return last + 1

    def expect_ids(self, tables: Iterable[str]) -> None:
        """Do nothing: ids cost nothing here."""


_WITHOUT_BUILT_IN_IDS = dict.fromkeys(("accounts", "rooms"), f" WHERE id < {RESERVED_IDS}")


def _key_table() -> TableValuedAlias:
    return func.json_each(bindparam("keys")).table_valued("value", name="keys")


def _key_part(table: TableValuedAlias, index: int) -> ColumnElement[Any]:
    return func.json_extract(table.c.value, f"$[{index}]")


@contextlib.contextmanager
def _without_waiting(connection: sqlite3.Connection) -> Iterator[None]:
    """Do not wait for others who read or write: what is done here can be done later."""
    connection.execute("PRAGMA busy_timeout=100")
    try:
        yield
    finally:
        connection.execute(BUSY_TIMEOUT)


def _set_pragmas(connection: sqlite3.Connection) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma)
