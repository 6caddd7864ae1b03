"""Opens a PostgreSQL database by its URL, and migrates it. `postgres_opening.py` decides when that may be done."""

import contextlib
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from veche.ops.addresses import ADVICE, is_clear
from veche.storage.engines.engine import DatabaseError, Failure, Transaction
from veche.storage.engines.postgres import Postgres
from veche.storage.engines.postgres_index import PostgresIndex
from veche.storage.engines.postgres_outcome import FORGET
from veche.storage.engines.postgres_sql import SCHEMA, one_value
from veche.storage.kinds import postgres_identity as identity
from veche.storage.kinds import postgres_ids as ids
from veche.storage.kinds.postgres_lock import lock
from veche.storage.kinds.postgres_nodes import PostgresNode
from veche.storage.kinds.postgres_options import TlsOptionError, without_unknown
from veche.storage.migrate import migrate

# They hold for every connection, of the bus too, because they are part of the connection string.
CONNECT = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
    "target_session_attrs": "read-write",  # of several hosts, the one that is no replica
    "application_name": "veche",
    "client_encoding": "utf8",
}
CHECK_SECONDS = 5.0  # that a node which serves waits for the lock; it tries again with the next connection
SECRET_KEY = "secret"  # noqa: S105  # the key of a row in `meta`

# That a connection is lost, or that the server may not be used in this way.
_NOT_OURS = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.InsufficientPrivilege,
    errors.ReadOnlySqlTransaction,
)

logger = logging.getLogger("veche.storage")


class PostgresDatabase:
    """One open PostgreSQL database. All tables are in a schema of their own, `veche`.

    `on_replaced` is called in the thread that finds that the server now has another history (`postgres_identity`).
    `patient` is as for `Postgres`. Raises DatabaseError if the URL is wrong. Nothing is connected yet.
    """

    def __init__(self, url: str, *, patient: bool = False) -> None:
        self.conninfo, self.name = parse(url)
        self.on_replaced: Callable[[], object] = lambda: None
        self.histories = 0
        self._history: str | None = None
        self._checking = threading.Lock()
        self._checked: identity.Seen | None = None  # what new connections have to lead to
        self._engine = Postgres(self.conninfo, self._check_identity, patient=patient)

    def history(self) -> str:
        """Return what tells this database and its present history from all others (`Database.history`)."""
        if self._history is not None:
            return self._history
        with self.connected() as connection:
            return identity.look(connection).history

    def secret(self) -> str:
        with self.locked() as connection:
            found = read_meta(connection, SECRET_KEY)
            if found is None:
                write_meta(connection, SECRET_KEY, found := secrets.token_hex(32))
                logger.info("a secret for tokens was made; it is in the database, so all nodes use it")
            return found

    def migrate(self) -> None:
        """Migrate the database to this version's schema. Other processes may do the same, and nodes may run.

        Raises DatabaseError if the schema is newer, or if the database cannot be written.
        """
        try:
            migrate(self._engine_for_migrations(), partial(_begin_migration, self.name), SCHEMA)
            with self.locked() as connection:
                ids.create_missing(connection)
        except ValueError as error:
            raise DatabaseError(str(error)) from None
        except DBAPIError as error:
            raise DatabaseError(f"Cannot migrate {self.name}: {_sentence(error.orig)}") from None

    def _engine_for_migrations(self) -> Engine:
        return create_engine(
            "postgresql+psycopg://",
            creator=lambda: psycopg.connect(self.conninfo, autocommit=True),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,  # errors are logged without the parameters, which contain text that people wrote
        )

    def begin_serving(self) -> None:
        """Remember which server this is, and draw a new epoch if the database has come from another one."""
        with self.locked() as connection:
            connection.execute(identity.LOCAL)
            if identity.remember(connection):
                logger.warning("%s has come from another server: it has a new epoch", self.name)
            connection.execute(FORGET)
            self._checked = identity.look(connection)
            self._history = self._checked.history

    def _check_identity(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Find out whether a new connection leads to another history: a replica took over, or a backup came back."""
        if self._checked is None or identity.look(connection) == self._checked:
            return
        with self._checking, connection.transaction():
            connection.execute(identity.LOCAL)
            lock(connection, self.name, CHECK_SECONDS)
            changed = identity.remember(connection)
            seen = identity.look(connection)
            if seen == self._checked:  # another thread was faster
                return
            if changed:
                why = "it has a new epoch, and clients load again"
                logger.critical("%s is another server than before: %s", self.name, why)
            self._history = seen.history
            self.histories += 1
            self.on_replaced()
            self._checked = seen  # last: until it is set, other new connections are not used either

    def new_epoch(self) -> str:
        """Draw a new epoch, and return it."""
        with self.locked() as connection:
            return identity.draw_epoch(connection)

    def join(self, node_id: str, lobby_seq: int, *, machine: str = "", shares_bus: bool = False) -> PostgresNode:
        """Become a node (`Database.join`)."""
        engine = self._engine
        node = PostgresNode(
            node_id, self.name, engine.connect, engine.limited, self.locked, machine=machine, shares_bus=shares_bus
        )
        node.join(lobby_seq)
        return node

    def writing(self) -> AbstractContextManager[Transaction]:
        return self._engine.writing()

    def reading(self) -> AbstractContextManager[Transaction]:
        return self._engine.reading()

    def index(self) -> PostgresIndex:
        """Return the index of the search (`Database.index`)."""
        return PostgresIndex(self._engine.indexing)

    def rest(self) -> None:
        self._engine.rest()

    def failure_of(self, error: BaseException) -> Failure | None:
        return self._engine.failure_of(error)

    def close(self) -> None:
        self._engine.close()

    @contextlib.contextmanager
    def connected(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Open a connection for a block. Raises DatabaseError if it is lost, or if the role may not do something.

        What else the server says is a bug, in our statement or in our schema, and is raised as it is.
        """
        try:
            with psycopg.connect(self.conninfo, autocommit=True) as connection:
                yield connection
        except _NOT_OURS as error:
            if "session is read-only" in str(error):
                raise DatabaseError(f"{self.name} is a replica, which cannot be written. Name the primary.") from None
            raise DatabaseError(f"{self.name}: {_sentence(error)}") from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Open a transaction for a block, in which no other process migrates or changes the epoch."""
        with self.connected() as connection, connection.transaction():
            lock(connection, self.name)
            yield connection


def parse(url: str) -> tuple[str, str]:
    """Return what the driver takes for a URL, and a name without a password. Raises DatabaseError.

    The error does not show the URL, which may contain a password.
    """
    if not is_clear(url):
        raise DatabaseError(f"The address of the database cannot be understood. {ADVICE}")
    try:
        url, dropped = without_unknown(url)
    except TlsOptionError as error:
        raise DatabaseError(
            f"The address of the database has the option {error}, which is one of another driver. Use sslmode instead: "
            "sslmode=require encrypts, sslmode=verify-full also checks the certificate."
        ) from None
    if dropped:
        logger.warning("the address of the database has options that are ignored: %s", ", ".join(dropped))
    scheme, _, rest = url.partition("://")
    try:
        parts: dict[str, Any] = conninfo_to_dict(f"{scheme.partition('+')[0]}://{rest}")
        if not all(port.isdigit() for port in str(parts.get("port", 0)).split(",") if port):
            raise ValueError("a port is no number")
    except (psycopg.Error, ValueError):
        raise DatabaseError(
            "The address of the database cannot be understood. It has to be like "
            "postgresql://user:password@host:5432/name; write special characters in the password as %XX."
        ) from None
    host = parts.get("host") or parts.get("hostaddr") or "localhost"
    port = f":{parts['port']}" if "port" in parts else ""
    return make_conninfo(**parts | CONNECT), f"postgresql://{host}{port}/{parts.get('dbname', '')}"


def read_meta(connection: psycopg.Connection[tuple[Any, ...]], key: str) -> str | None:
    """Read a value of the table `meta`, or None."""
    value: str | None = one_value(connection, f"SELECT value FROM {SCHEMA}.meta WHERE key = $1::text", key)  # noqa: S608
    return value


def write_meta(connection: psycopg.Connection[tuple[Any, ...]], key: str, value: str) -> None:
    """Write a value of the table `meta`."""
    connection.execute(
        f"INSERT INTO {SCHEMA}.meta (key, value) VALUES (%s, %s) "  # noqa: S608
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [key, value],
    )


def _begin_migration(name: str, connection: Connection) -> None:
    """Begin a transaction of a migration. What it does has to wait for transactions of running nodes, but not long."""
    connection.exec_driver_sql("BEGIN")
    driver: Any = connection.connection.driver_connection
    lock(driver, name)
    for statement in (
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}",
        f"SET LOCAL search_path TO {SCHEMA}",
        "SET LOCAL lock_timeout TO '10s'",
    ):
        connection.exec_driver_sql(statement)


def _sentence(error: BaseException | None) -> str:
    """Return the first line of the driver's error."""
    return f"{str(error).strip().partition(chr(10))[0].rstrip('.')}."
