"""The `Engine` for PostgreSQL 15 and newer.

Several processes may write at once. Each write transaction locks the rows of the logs that it touches, in the order of
their ids, before it reads what it decides by. It runs as READ COMMITTED: what it reads after it has the locks is what
the others have committed.
"""

import contextlib
import itertools
import logging
import queue
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from psycopg import errors
from sqlalchemy import ColumnElement, Select

from veche.storage.engines import postgres_sql as sql
from veche.storage.engines.engine import READERS, DatabaseError, Failure, Query, Write
from veche.storage.engines.places import Places, close_all, filled
from veche.storage.engines.postgres_limit import TimeLimit
from veche.storage.engines.postgres_outcome import is_rolled_back, resolve
from veche.storage.engines.postgres_transaction import PostgresTransaction
from veche.storage.engines.prepared import Prepared

Connection = psycopg.Connection[tuple[Any, ...]]

# Seconds. A transaction of ours takes milliseconds. One that stands still belongs to a node that was stopped: its
# locks must not stop the others.
IDLE_SECONDS, LOCK_SECONDS, STATEMENT_SECONDS, READ_SECONDS = 5, 10, 20, 10
UNREAD_SECONDS = 5
"""How long a node may leave unread what it has asked for. PostgreSQL counts it neither as idle nor as a statement."""
GRACE_SECONDS = 5
"""After a limit of the server, until a server that says nothing is taken for one that stands still."""
BEGIN_WRITING, BEGIN_READING = "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


def _set(**values: str) -> str:
    """Return a query that sets these settings until the end of the transaction."""
    return "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in values.items())


# A prepared statement gets one plan for any keys, and keeps it. While a table is small or has no statistics, a plan
# would walk through it or join it by a hash, and would still do so when the table has grown.
_BY_INDEX = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
_LIMITS = {
    "lock_timeout": f"{LOCK_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    "tcp_user_timeout": f"{UNREAD_SECONDS}s",
}
_SETTINGS = _set(statement_timeout=f"{STATEMENT_SECONDS}s", **_LIMITS, **_BY_INDEX)
_READING_SETTINGS = _set(statement_timeout=f"{READ_SECONDS}s", **_LIMITS, **_BY_INDEX)
_PATIENT_SETTINGS = _set(
    statement_timeout="0", lock_timeout=f"{LOCK_SECONDS}s", idle_in_transaction_session_timeout="0"
)
_AGAIN = (
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
    errors.ReadOnlySqlTransaction,
    # The two of a pooler that gives a transaction a connection without our prepared statements.
    errors.InvalidSqlStatementName,
    errors.DuplicatePreparedStatement,
)
_NO_PREPARED = (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement)

logger = logging.getLogger("veche.storage")


class Postgres:
    """One open PostgreSQL database: one connection to write, and a few to read. They are opened when they are needed.

    `on_connect` is called with each new connection, and may refuse it with an exception. `patient`: statements may take
    as long as they need.
    """

    def __init__(
        self, conninfo: str, on_connect: Callable[[Connection], None] = lambda _: None, *, patient: bool = False
    ) -> None:
        self._conninfo = conninfo
        self._on_connect = on_connect
        self._patient = patient
        self._writers: Places[Connection] = filled(queue.SimpleQueue(), 1)
        self._readers: Places[Connection] = filled(queue.LifoQueue(), READERS)
        self._indexers: Places[Connection] = filled(queue.SimpleQueue(), 1)
        self._prepared: dict[Query | Write, Prepared] = {}
        self._prepares = True  # whether the server keeps our prepared statements; a pooler may not
        self._closing = threading.Event()
        self._time = TimeLimit()
        self.writer = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    def where_keys(self, query: Select[Any], *columns: ColumnElement[Any]) -> Select[Any]:
        return sql.where_keys(query, *columns)

    def select_from_keys(self, make: Callable[[Callable[[int], ColumnElement[Any]]], Select[Any]]) -> Select[Any]:
        return sql.select_from_keys(make)

    @contextlib.contextmanager
    def writing(self) -> Iterator[PostgresTransaction]:
        with self._connection(self._writers, STATEMENT_SECONDS + GRACE_SECONDS) as connection:
            tx = None
            try:
                with self._begun(connection, BEGIN_WRITING, _SETTINGS) as tx:
                    yield tx
                    tx.commit()
            except psycopg.Error as error:
                if tx is None or not tx.commit_was_sent or is_rolled_back(error):
                    raise
                connection.close()  # it may look as if it were not lost
                # Nobody may be told anything before it is known whether the transaction is committed.
                if not resolve(self.writer, tx.number, self.connect, self.limited, self._closing):
                    raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[PostgresTransaction]:
        with (
            self._connection(self._readers, READ_SECONDS + GRACE_SECONDS) as connection,
            self._begun(connection, BEGIN_READING, _READING_SETTINGS) as tx,
        ):
            yield tx
            tx.commit()

    @contextlib.contextmanager
    def indexing(self) -> Iterator[PostgresTransaction]:
        """Open a transaction that writes to the index of the search, on a connection of its own.

        If its COMMIT is not answered, it raises, and whether it is committed shows in the positions.
        """
        with (
            self._connection(self._indexers, STATEMENT_SECONDS + GRACE_SECONDS) as connection,
            self._begun(connection, BEGIN_WRITING, _SETTINGS) as tx,
        ):
            yield tx
            tx.commit()

    @contextlib.contextmanager
    def _begun(self, connection: Connection, begin: str, settings: str) -> Iterator[PostgresTransaction]:
        """Begin a transaction. Its limits are set each time, because a pooler may give it another connection.

        The time of the connection begins anew with each wait: one wait may not take long, but all of them together may.
        A patient one is no pipeline: COPY is not possible in a pipeline.
        """
        if self._patient:
            connection.execute(begin, prepare=False)
            connection.execute(_PATIENT_SETTINGS, prepare=False)
            yield PostgresTransaction(connection, self, lambda: None)
            return
        with connection.pipeline() as pipeline:

            def sync() -> None:
                self._time.begin_again(connection)
                pipeline.sync()

            connection.execute(begin, prepare=False)
            connection.execute(settings)
            yield PostgresTransaction(connection, self, sync)
            self._time.begin_again(connection)

    @contextlib.contextmanager
    def _connection(self, places: Places[Connection], seconds: float) -> Iterator[Connection]:
        """Take a connection, or open one, for so long at most. Roll back what is not committed at the end."""
        connection = places.get()
        try:
            if connection is None:
                connection = self.connect()
            if not self._prepares:
                connection.prepare_threshold = None
            with self.limited(connection, seconds):
                try:
                    yield connection
                finally:
                    if not self._roll_back(connection):
                        connection = None
        except _NO_PREPARED:
            self._prepares = False
            raise
        finally:
            places.put(connection)

    def limited(self, connection: Connection, seconds: float) -> AbstractContextManager[None]:
        """Break a connection if a block takes longer: the server stands still. A patient engine waits."""
        return contextlib.nullcontext() if self._patient else self._time.limited(connection, seconds)

    def connect(self) -> Connection:
        """Open a connection. It begins no transaction by itself. Raises psycopg.OperationalError."""
        connection = psycopg.connect(
            self._conninfo,
            autocommit=True,
            cursor_factory=psycopg.RawCursor,
        )
        try:
            with self.limited(connection, READ_SECONDS + GRACE_SECONDS):
                if self._prepares and _is_pooled(connection):
                    logger.info("there is a pooler in front of PostgreSQL, so statements are not prepared")
                    self._prepares = False
                connection.prepare_threshold = 0 if self._prepares else None
                connection.prepared_max = 400
                self._on_connect(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _roll_back(self, connection: Connection) -> bool:
        """End what is not committed. If that fails, close the connection and return False."""
        try:
            if not connection.broken and connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        except psycopg.Error:
            connection.close()
        if self._closing.is_set():
            connection.close()
        return not connection.closed and not connection.broken

    def rest(self) -> None:
        """Do nothing: PostgreSQL does by itself what is to be done."""

    def failure_of(self, error: BaseException) -> Failure | None:
        if isinstance(error, _AGAIN):
            return Failure.AGAIN
        if isinstance(error, psycopg.IntegrityError):
            return Failure.CONFLICT
        if isinstance(error, DatabaseError):
            return Failure.UNAVAILABLE
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            # Without a state, the connection was lost, or there was none.
            return Failure.AGAIN if error.sqlstate is None or error.sqlstate.startswith("08") else Failure.UNAVAILABLE
        return None

    def next_number(self) -> int:
        """Return a number for a transaction. No other of this process gets it."""
        return next(self._numbers)

    def prepared(self, statement: Query | Write, names: Iterable[str]) -> Prepared:
        """Return the SQL of a statement. It is compiled at the first call."""
        found = self._prepared.get(statement)
        if found is None:
            listed = list(names)
            if isinstance(statement, Write):
                found = sql.prepare_write(statement, listed)
            else:
                query = statement if isinstance(statement, Select) else statement(self)
                found = sql.prepare_query(query, listed)
            self._prepared[statement] = found
        return found

    def close(self) -> None:
        self._closing.set()
        close_all(self._writers)
        close_all(self._readers)
        close_all(self._indexers)
        self._time.close()


def _is_pooled(connection: Connection) -> bool:
    """Return whether a pooler may give each transaction another connection. It hides which one it is.

    Another connection may not have our prepared statements, or it has others by the same names.
    """
    return bool(sql.one_value(connection, "SELECT pg_backend_pid()") != connection.info.backend_pid)
