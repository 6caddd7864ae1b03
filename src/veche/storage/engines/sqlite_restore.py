"""Puts another database file in the place of a database, and sets the old one aside.

The process may be killed after any step. Each step leaves a database that is the old one or the new one:

1. Copy the file to a hidden file beside the database, check it, and give it a new epoch.
2. Move what is in the old write-ahead log into the old database, so that the log is gone.
3. Give the old file a second name.
4. Remember the identities of both, the old one and the new one.
5. Give the new file the name of the database. From now on it is the new one.
6. Forget the old identity.

If the old database is broken, or the log beside it is of another file, the log is not touched in step 2. It gets a
second name in step 3, and is removed before step 5.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from veche.ops.crash import crash_point
from veche.storage.engines.sqlite_copy import Say, copy_files, need_space
from veche.storage.engines.sqlite_files import is_veche, reading, reading_without_log, version_of
from veche.storage.engines.sqlite_identity import (
    Identity,
    copied_at,
    draw_epoch,
    draw_generation,
    own_as,
    read,
    remember,
    remembered,
    stamp,
    stamp_of_now,
    sync,
    sync_folder,
    write,
)
from veche.storage.engines.sqlite_lock import DatabaseInUse, is_served
from veche.storage.engines.sqlite_raw import NotADatabase, read_raw, wal_of
from veche.storage.engines.sqlite_state import USABLE, State, Unusable, state_of

BROKEN = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")


class Restored(NamedTuple):
    """What a restore did. `aside` is the new path of the old database, or None if there was none."""

    copied_at: str | None
    schema: str
    messages: int
    aside: Path | None
    log_left_out: bool


def restore(
    file: Path, path: Path, *, check_schema: Callable[[str], None], end_sessions: bool = False, say: Say | None = None
) -> Restored:
    """Put a copy of `file` in the place of the database `path`. The file is only read. The caller holds the lock.

    `check_schema` raises an error if this version of Veche cannot serve a schema. Raises Unusable, DatabaseInUse,
    NoSpace, sqlite3.Error and OSError. Then the database is what it was.
    """
    new = path.with_name(f".{path.name}.restore")
    _remove(new)
    try:
        with _malformed_is_broken(file):
            with_log = _has_own_log(file, path)
        log_left_out = not with_log and wal_of(file).exists()
        need_space(path.parent, file.stat().st_size + (wal_of(file).stat().st_size if with_log else 0))
        copy_files(file, new, say)
        if with_log:
            copy_files(wal_of(file), wal_of(new), say)
        with _malformed_is_broken(file):
            identity, restored = _prepare(new, file, check_schema, end_sessions=end_sessions)
        crash_point("restore_copied")
        aside = _replace(path, new, identity)
    finally:
        _remove(new)
    crash_point("restore_done")
    return restored._replace(aside=aside, log_left_out=log_left_out)


@contextlib.contextmanager
def _malformed_is_broken(file: Path) -> Iterator[None]:
    """Name the file that is to be restored if SQLite finds that it is malformed. It may find that at any statement."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # it is a full disk, for example
            raise
        raise Unusable(f"{file} is broken: {error}. The database is unchanged.") from None


def _has_own_log(file: Path, path: Path) -> bool:
    """Return whether the write-ahead log beside a file is to be restored with it. Raises Unusable, DatabaseInUse."""
    if not file.is_file():
        raise Unusable(f"There is no file {file}.")
    if not (path.exists() and file.samefile(path)) and is_served(file):
        raise DatabaseInUse(f"A server runs with {file}. Copy it with `veche backup` first.")
    try:
        state, log = state_of(file), read_raw(file)
    except NotADatabase as error:
        raise Unusable(str(error)) from None
    if state is not State.MIXED:
        return log.wal is not None
    with reading_without_log(file) as connection:
        if is_veche(connection) and copied_at(connection) is not None:
            return False
    # Copied by hand, without the file that remembers its generation: the log is tried, and what is malformed refused.
    return remembered(file) is None and log.wal is not None and log.wal <= {log.generation}


def _prepare(
    new: Path, file: Path, check_schema: Callable[[str], None], *, end_sessions: bool
) -> tuple[Identity, Restored]:
    """Check a copied file, and give it a new epoch and generation. It is complete and on disk when this returns."""
    identity = Identity(draw_epoch(), draw_generation())
    with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as connection:
        try:
            (result,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            result = str(error)
        if result != "ok":
            raise Unusable(f"{file} is broken: {result}. The database is unchanged.")
        if not is_veche(connection):
            raise Unusable(f"{file} is no database of Veche.")
        check_schema(schema := version_of(connection))
        copied = copied_at(connection)
        (messages,) = connection.execute("SELECT count(*) FROM messages").fetchone()
        connection.execute("PRAGMA journal_mode = DELETE")  # the file alone is complete
        connection.execute("PRAGMA foreign_keys = ON")  # what belongs to a session goes with it
        with write(connection):
            stamp(connection, identity, fresh=True)
            if end_sessions:
                connection.execute("DELETE FROM sessions")
    sync(new)
    return identity, Restored(copied, schema, messages, None, False)


def _replace(path: Path, new: Path, identity: Identity) -> Path | None:
    with _busy_is_in_use(path):
        old = _empty_log(path)
    crash_point("restore_emptied")
    aside = _set_aside(path)
    crash_point("restore_set_aside")
    remember(path, (remembered(path) or frozenset()) | {identity} | ({old} if old else frozenset()))
    crash_point("restore_remembered")
    for end in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    sync_folder(path)
    crash_point("restore_log_removed")
    if path.exists():
        own_as(new, path)
        shutil.copymode(path, new)
    new.replace(path)
    sync_folder(path)
    crash_point("restore_replaced")
    remember(path, {identity})
    return aside


def _empty_log(path: Path) -> Identity | None:
    """Move what is in the log of the old database into its file, and return its identity.

    Return None, and change nothing, if there is no database, if it is broken, or if the log may be of another file.
    """
    try:
        if state_of(path) not in USABLE:
            return None
        with reading(path) as connection:
            identity = read(connection)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=1.0)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")  # fails if another connection is open
    except (NotADatabase, Unusable):
        return None
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname.startswith(BROKEN):
            return None
        raise
    return identity


@contextlib.contextmanager
def _busy_is_in_use(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname.startswith(BUSY):
            raise DatabaseInUse(f"Another program has {path} open. Close it first.") from None
        raise


def _set_aside(path: Path) -> Path | None:
    """Give the old database a second name, and its log too if it has one. Return the new path of the database."""
    aside = path.with_name(f"{path.name}.replaced-{stamp_of_now()}")
    while aside.exists() or wal_of(aside).exists():
        aside = aside.with_name(f"{aside.name}x")
    for old, second in ((path, aside), (wal_of(path), wal_of(aside))):
        if old.exists() and old.stat().st_size:
            try:
                os.link(old, second)
            except OSError:  # this file system has no hard links
                copy_files(old, second, None)
    sync_folder(path)
    return aside if aside.exists() else None


def _remove(new: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        new.with_name(new.name + end).unlink(missing_ok=True)
