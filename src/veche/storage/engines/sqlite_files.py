"""The files of an SQLite database: locking it for one server, backups, and checks."""

import contextlib
import fcntl
import os
import secrets
import sqlite3
from pathlib import Path
from typing import IO
from urllib.parse import quote

DriverError = sqlite3.Error  # what `backup` and `examine` raise


class DatabaseInUse(Exception):
    """Another server has locked this database."""


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
