"""Opens a database by its URL, and migrates it."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from sqlalchemy.exc import DBAPIError

from veche.storage.engines import sqlite, sqlite_files
from veche.storage.engines.engine import Engine, Failure, Transaction
from veche.storage.migrate import migrate


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
                self._lock = sqlite_files.lock(self.path)
        except sqlite_files.DatabaseInUse:
            raise DatabaseError(f"Another Veche serves {self.path}. Stop it, or name another database.") from None
        except OSError as error:
            raise DatabaseError(f"Cannot write to {self.path}: {error.strerror}.") from None
        self._engine: Engine = sqlite.Sqlite(self.path)

    def migrate(self) -> None:
        """Migrate the database to this version's schema.

        Raises DatabaseError if the schema is newer, or if the database cannot be opened or written.
        """
        try:
            migrate(sqlite.engine_for_migrations(self.path))
        except ValueError as error:
            raise DatabaseError(str(error)) from None
        except DBAPIError as error:
            raise DatabaseError(f"Cannot open {self.path}: {error.orig}.") from None

    def writing(self) -> AbstractContextManager[Transaction]:
        """Open a write transaction. It is committed at the end of the block, or rolled back if the block raises."""
        return self._engine.writing()

    def reading(self) -> AbstractContextManager[Transaction]:
        """Open a read transaction. All its reads see one snapshot of the database."""
        return self._engine.reading()

    def failure_of(self, error: BaseException) -> Failure | None:
        """Return why a transaction raised `error`. None means a bug."""
        return self._engine.failure_of(error)

    def close(self) -> None:
        """Close all connections and release the lock."""
        self._engine.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def sqlite_path(url: str) -> Path:
    """Return the file of a `sqlite:///` URL. Raises DatabaseError for other URLs. It does not show the URL.

    The URL may contain a password.
    """
    scheme, _, rest = url.partition("://")
    if scheme.startswith("postgres"):
        raise DatabaseError("PostgreSQL is not supported yet: give an address like sqlite:///veche.db.")
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        raise DatabaseError("This is no database address: give one like sqlite:///veche.db.")
    path = unquote(rest[1:].partition("?")[0])
    if path == ":memory:":
        raise DatabaseError("A database in memory is lost when the server stops: give a file, as sqlite:///veche.db.")
    if not path or "\0" in path:
        raise DatabaseError("The address of the database names no file: give one like sqlite:///veche.db.")
    return Path(path)
