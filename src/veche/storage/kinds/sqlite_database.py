"""Opens an SQLite database by its URL, and migrates it. `sqlite_opening.py` decides when that may be done."""

import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy.exc import DBAPIError

from veche.storage.database import DEFAULT_URL
from veche.storage.engines import sqlite, sqlite_lock
from veche.storage.engines.engine import DatabaseError, Failure, Transaction
from veche.storage.engines.sqlite_index import SqliteIndex
from veche.storage.kinds.secret_file import load_or_create_secret
from veche.storage.migrate import migrate
from veche.storage.nodes import LoneNode
from veche.storage.tables import epoch as read_epoch


class SqliteDatabase:
    """One open SQLite database. With `serving`, it is locked, so that no second server can serve it.

    With `serving`, the file is created if it is missing. Raises DatabaseError.
    """

    def __init__(self, url: str, *, serving: bool = False) -> None:
        self.path = sqlite_path(url)
        self.on_replaced: Callable[[], object] = lambda: None  # nobody replaces a file that is locked
        self.histories = 0
        self._lock: sqlite_lock.Lock | None = None
        if serving:
            make_default_folder(url)
            self._lock = lock(self.path, sqlite_lock.Purpose.SERVE)
        self._engine = sqlite.Sqlite(self.path)

    def migrate(self) -> None:
        """Migrate the database to this version's schema.

        Raises DatabaseError if the schema is newer, or if the database cannot be opened or written.
        """
        try:
            migrate(sqlite.engine_for_migrations(self.path), sqlite.begin_migration)
        except ValueError as error:
            raise DatabaseError(str(error)) from None
        except DBAPIError as error:
            raise DatabaseError(f"Cannot open {self.path}: {error.orig}.") from None

    @property
    def name(self) -> str:
        return str(self.path)

    def history(self) -> str:
        """Return what tells this database and its present history from all others: its path and its epoch."""
        with self.reading() as snapshot:
            return f"{self.path} {read_epoch(snapshot)}"

    def secret(self) -> str:
        return load_or_create_secret(self.secret_path)

    @property
    def secret_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.secret")

    def join(self, node_id: str, lobby_seq: int, *, machine: str = "", shares_bus: bool = False) -> LoneNode:
        """Become the only node: the file is locked."""
        return LoneNode(node_id, lobby_seq)

    def writing(self) -> AbstractContextManager[Transaction]:
        """Open a write transaction. It is committed at the end of the block, or rolled back if the block raises."""
        return self._engine.writing()

    def reading(self) -> AbstractContextManager[Transaction]:
        """Open a read transaction. All its reads see one snapshot of the database."""
        return self._engine.reading()

    def index(self) -> SqliteIndex:
        """Open the index of the search (`Database.index`). It is a file beside the database."""
        with self.reading() as snapshot:
            epoch = read_epoch(snapshot)
        return SqliteIndex(self.path.with_name(f"{self.path.name}.search"), epoch)

    def begin_serving(self, *, epoch: str | None = None, forget: bool = False) -> None:
        """Mark the database as the one that is served here, with a new epoch if `epoch` is not None.

        `forget`: another database was served here before.
        """
        self._engine.begin_serving(epoch=epoch, forget=forget)

    def settle(self) -> None:
        """Make the database file complete without the files beside it, unless somebody still reads."""
        self._engine.settle()

    def rest(self) -> None:
        """Do what is better done when nobody waits for a commit. It may raise, and then does it the next time."""
        self._engine.rest()

    def failure_of(self, error: BaseException) -> Failure | None:
        """Return why a transaction raised `error`. None means a bug."""
        return self._engine.failure_of(error)

    def close(self) -> None:
        """Close all connections and release the lock."""
        self._engine.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def lock(path: Path, purpose: sqlite_lock.Purpose) -> sqlite_lock.Lock:
    """Lock a database until the lock is released. Raises DatabaseError."""
    try:
        if not path.parent.is_dir():
            raise DatabaseError(f"There is no folder {path.parent}. Create it, or name another database.")
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise DatabaseError(f"{path} is no file.")
        return sqlite_lock.lock(path, purpose)
    except sqlite_lock.DatabaseInUse as error:
        raise DatabaseError(str(error)) from None
    except OSError as error:
        raise DatabaseError(f"Cannot write to {path}: {error.strerror}.") from None


def make_default_folder(url: str) -> None:
    """Create the folder of the database if `url` is the default. Raises DatabaseError."""
    if url == DEFAULT_URL:
        folder = sqlite_path(url).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(f"Cannot create {folder}: {error.strerror}.") from None


def sqlite_path(url: str) -> Path:
    """Return the file of a `sqlite:///` URL, without symbolic links. Raises DatabaseError for other URLs.

    The error does not show the URL, which may contain a password.
    """
    scheme, _, rest = url.partition("://")
    name = unquote(rest[1:].partition("?")[0])
    if scheme != "sqlite" or not rest.startswith("/") or not name or "\0" in name:
        raise DatabaseError(
            f"The address of the database has to be like {DEFAULT_URL}, sqlite:////srv/veche.db for a path from /, or "
            "postgresql://user:password@host/name."
        )
    if name.startswith((":memory:", "file:")):
        raise DatabaseError("A database in memory would lose all messages. Give a file, like sqlite:///veche.db.")
    try:
        return Path(name).resolve()
    except (OSError, RuntimeError) as error:
        raise DatabaseError(f"{name} is no path of a database: {error}.") from None
