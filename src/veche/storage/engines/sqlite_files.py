"""Opens an SQLite database to read it, and checks it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from veche.core.values import RESERVED_IDS
from veche.storage.engines.sqlite_raw import wal_of

DriverError = sqlite3.Error  # what these functions raise


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database to read it. Never creates one. It may be in use."""
    with contextlib.closing(_open_to_read(path)) as connection:
        yield connection


def _open_to_read(path: Path) -> sqlite3.Connection:
    """Without a write-ahead log, open the file as a writer does, because the last writer removes the log's files.

    A reader would leave them behind. In a folder that cannot be written, nobody else writes either.
    """
    if _is_filled(wal_of(path)):
        return _connect(path, "mode=ro")
    connection = _connect(path, "mode=rw")
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        return _connect(path, "mode=ro&immutable=1")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def reading_without_log(path: Path) -> "contextlib.closing[sqlite3.Connection]":
    """Open a database file as if it had no write-ahead log. Use this only if the log is not of this file."""
    return contextlib.closing(_connect(path, "mode=ro&immutable=1"))


def is_veche(connection: sqlite3.Connection) -> bool:
    """Return whether this is a database of Veche."""
    names = "('meta', 'alembic_version')"
    (tables,) = connection.execute(f"SELECT count(*) FROM sqlite_master WHERE name IN {names}").fetchone()  # noqa: S608
    return bool(tables == 2)


def version_of(connection: sqlite3.Connection) -> str:
    (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(version)


def examine(path: Path) -> tuple[str, str]:
    """Check a database, which may be in use.

    Return "ok" or a description of what is wrong, and the version of its schema.
    """
    with reading(path) as connection:
        (result,) = connection.execute("PRAGMA quick_check").fetchone()
        return str(result), version_of(connection)


def usernames(path: Path) -> list[tuple[int, str]]:
    """Return ids and usernames, ordered by id. The database may be in use. Built-in accounts are left out."""
    with reading(path) as connection:
        return connection.execute(
            "SELECT id, username FROM accounts WHERE id < ? ORDER BY id", (RESERVED_IDS,)
        ).fetchall()


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, isolation_level=None)


def _is_filled(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
