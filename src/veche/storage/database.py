"""Opens a database by its URL. It has one pool of connections to write and one to read."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from veche.storage.engines import sqlite
from veche.storage.migrate import migrate
from veche.storage.transaction import Transaction

READERS = 4


class DatabaseError(Exception):
    """The database cannot be opened. The message says why, or what to do."""


class Database:
    """One open database. With `serving`, it is locked, so that no second server can serve it.

    Raises DatabaseError.
    """

    def __init__(self, url: str, *, serving: bool = False) -> None:
        self.path = sqlite_path(url)
        self._lock: IO[str] | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if serving:
                self._lock = sqlite.lock(self.path)
        except sqlite.DatabaseInUse:
            raise DatabaseError(f"Another Veche serves {self.path}. Stop it, or name another database.") from None
        except OSError as error:
            raise DatabaseError(f"Cannot write to {self.path}: {error.strerror}.") from None
        self._kind = sqlite.Sqlite()
        self._writer = sqlite.open_engine(self.path, connections=1)
        self._readers = sqlite.open_engine(self.path, connections=READERS)

    def migrate(self) -> None:
        """Migrate the database to this version's schema.

        Raises DatabaseError if the schema is newer, or if the database cannot be opened or written.
        """
        try:
            migrate(self._writer)
        except ValueError as error:
            raise DatabaseError(str(error)) from None
        except DBAPIError as error:
            raise DatabaseError(f"Cannot open {self.path}: {error.orig}.") from None

    @contextlib.contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Open a write transaction. It is committed at the end of the block, or rolled back if the block raises."""
        with self._writer.connect() as connection:
            connection.exec_driver_sql(self._kind.begin_write)
            try:
                yield Transaction(connection, self._kind)
            except BaseException:
                _roll_back(connection)
                raise
            try:
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Open a read transaction. All its reads see one snapshot of the database."""
        with self._readers.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield Transaction(connection, self._kind)
            finally:
                connection.exec_driver_sql("ROLLBACK")

    @property
    def engine(self) -> Engine:
        """The writer's engine, for migrations and tests."""
        return self._writer

    def close(self) -> None:
        """Close all connections and release the lock."""
        self._readers.dispose()
        self._writer.dispose()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _roll_back(connection: Connection) -> None:
    with contextlib.suppress(sqlite.OperationalError):  # SQLite may have rolled back by itself
        connection.exec_driver_sql("ROLLBACK")


def sqlite_path(url: str) -> Path:
    """Return the file of a `sqlite:///` URL. Raises DatabaseError for other URLs."""
    scheme, _, rest = url.partition("://")
    if scheme.startswith("postgres"):
        raise DatabaseError("PostgreSQL is not supported yet: give an address like sqlite:///veche.db.")
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        raise DatabaseError(f"{url!r} is no database address: give one like sqlite:///veche.db.")
    return Path(unquote(rest[1:].partition("?")[0]))
