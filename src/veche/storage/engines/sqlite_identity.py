"""Which database file was served here last: its epoch and its generation, in the database and in a file beside it.

The epoch names one history of the chat, and clients know it. The generation is a random number that changes at each
start of a server and from time to time while it runs. So a file that was copied away and comes back later has another
generation. It is in the header of the database file (SQLite's user version), where it can be read without SQLite.

A change is remembered in the file `<name>.generation` before it is made, together with what was there before. So after
a crash at any moment the database has one of the identities that the file has.
"""

import contextlib
import os
import secrets
import sqlite3
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from veche.ops.crash import crash_point
from veche.storage.engines.engine import COPYING

EPOCH = "SELECT value FROM meta WHERE key = 'epoch'"
COPIED = "SELECT value FROM meta WHERE key = 'copied'"


class Identity(NamedTuple):
    """A generation of 0 means that no server that knows generations has served this file yet."""

    epoch: str
    generation: int


def memory_of(path: Path) -> Path:
    """Return the path of the file that remembers the identities of a database."""
    return path.with_name(f"{path.name}.generation")


def remembered(path: Path) -> frozenset[Identity] | None:
    """Read the identities that the database may have. None: no database was served by this name.

    A file that cannot be understood has none, so that no database fits it.
    """
    try:
        lines = memory_of(path).read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    words = [line.split() for line in lines]
    return frozenset(Identity(two[0], int(two[1])) for two in words if len(two) == 2 and two[1].isdecimal())


def remember(path: Path, identities: Collection[Identity]) -> None:
    """Store the identities that the database may have. They are on disk when this returns."""
    memory = memory_of(path)
    partial = memory.with_name(f".{memory.name}.{os.getpid()}")
    text = "".join(f"{epoch} {generation}\n" for epoch, generation in sorted(identities))
    with partial.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    own_as(partial, path if path.exists() else path.parent)
    partial.replace(memory)
    sync_folder(path)


def read(connection: sqlite3.Connection) -> Identity:
    (epoch,) = connection.execute(EPOCH).fetchone()
    (generation,) = connection.execute("PRAGMA user_version").fetchone()
    return Identity(str(epoch), int(generation))


def copied_at(connection: sqlite3.Connection) -> str | None:
    """Return when `veche backup` made this copy, as text. None: it is no copy, or has been served since."""
    at: str | None
    (at,) = connection.execute(COPIED).fetchone() or (None,)
    return at


def is_half_copied(connection: sqlite3.Connection) -> bool:
    """Return whether `veche copy` has begun to copy another database to this one, and has not ended."""
    return connection.execute("SELECT 1 FROM meta WHERE key = ?", (COPYING,)).fetchone() is not None


def draw_epoch() -> str:
    return secrets.token_hex(8)


def draw_generation() -> int:
    return secrets.randbelow(2**31 - 1) + 1


def change(connection: sqlite3.Connection, path: Path, *, epoch: str | None = None, forget: bool = False) -> None:
    """Give the database a new generation, and also the epoch `epoch` if it is not None.

    With a new epoch it is no copy any more. `forget` forgets the identities remembered so far: they are those of
    another file.
    """
    before = read(connection)
    after = Identity(epoch or before.epoch, draw_generation())
    remember(path, {before, after} | (set() if forget else remembered(path) or set()))
    crash_point("identity_remembered")
    with write(connection):
        stamp(connection, after, fresh=epoch is not None)
    crash_point("identity_stored")
    settle(connection, path)


def stamp(connection: sqlite3.Connection, identity: Identity, *, fresh: bool) -> None:
    """Write an identity, in the transaction that is open. `fresh` removes the mark of a copy."""
    connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (identity.epoch,))
    connection.execute(f"PRAGMA user_version = {identity.generation:d}")
    if fresh:
        connection.execute("DELETE FROM meta WHERE key = 'copied'")


def settle(connection: sqlite3.Connection, path: Path) -> bool:
    """Move all that is in the write-ahead log into the database file, so that this file alone is complete.

    Then only its own identity is remembered. Return False if somebody still reads from the log.
    """
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        return False
    known = remembered(path)
    if known is not None and known != (mine := {read(connection)}):
        remember(path, mine)
    return True


@contextlib.contextmanager
def write(connection: sqlite3.Connection) -> Iterator[None]:
    """Open a write transaction on a connection that starts none by itself."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Make sure that the names in the folder of `path` are on disk."""
    sync(path.parent)


def own_as(path: Path, other: Path) -> None:
    """Give a new file the owner of another one, if this process may: root may work for the account of a server."""
    with contextlib.suppress(OSError):
        owner = other.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def stamp_of_now() -> str:
    """Return the time in UTC, for names of files."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime())
