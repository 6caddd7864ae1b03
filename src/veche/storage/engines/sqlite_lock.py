"""Locks on an SQLite database: it has at most one server, and nobody uses it while it is replaced.

There are two locks. One is on the file `<name>.lock` beside the database: all who use the database share it, and who
replaces the database holds it alone. The other is on the database file itself, not on its name, so a server finds
another one that serves the same file by another name (a hard link). The kernel releases both when the process ends.
"""

import contextlib
import fcntl
import os
from enum import Enum
from pathlib import Path


class DatabaseInUse(Exception):
    """Somebody else holds a lock on the database. The message says who, and what to do."""


class Purpose(Enum):
    """What a process wants to do with the database."""

    USE = "beside a server, or without one"
    SERVE = "as its only server"
    REPLACE = "alone"


class Lock:
    """Locks on one database. They are held until `release`."""

    def __init__(self, descriptors: list[int]) -> None:
        self._descriptors = descriptors

    def release(self) -> None:
        """Release the locks. Call it after all connections of this process are closed.

        Closing the descriptor of the database file also drops the locks that SQLite holds on it in this process.
        """
        while self._descriptors:
            os.close(self._descriptors.pop())


def lock(path: Path, purpose: Purpose) -> Lock:
    """Lock a database. To serve it creates the file, if it is missing. Raises DatabaseInUse and OSError."""
    alone = purpose is Purpose.REPLACE
    held: list[int] = []
    try:
        if not _try(held, path.with_name(f"{path.name}.lock"), alone=alone, create=True):
            raise DatabaseInUse(
                f"Veche runs with {path}. Stop the server, and let other commands end first."
                if alone
                else f"Another Veche has locked {path}: it restores it, or is of an older version. Try again later."
            )
        of_file = purpose is not Purpose.USE and (path.exists() or purpose is Purpose.SERVE)
        if of_file and not _try(held, path, alone=True, create=purpose is Purpose.SERVE):
            raise DatabaseInUse(f"Another Veche serves {path}. Stop it, or name another database.")
    except BaseException:
        Lock(held).release()
        raise
    return Lock(held)


def is_served(path: Path) -> bool:
    """Return whether a server, or a command that replaces it, has locked this file. The file has to exist."""
    held: list[int] = []
    try:
        return not _try(held, path, alone=False, create=False)
    finally:
        Lock(held).release()


def _try(held: list[int], path: Path, *, alone: bool, create: bool) -> bool:
    """Open and lock a file, and add it to `held`. Return False if somebody else has locked it."""
    flags = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
    held.append(os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, 0o600))
    if create:
        _own_as_folder(held[-1], path.parent)
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(held[-1], (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        return True
    return False


def _own_as_folder(descriptor: int, folder: Path) -> None:
    """If root has made a file for the account of a server, give it to that account, which has to open it too."""
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid == 0:
        owner = folder.stat()
        with contextlib.suppress(OSError):  # a file system without owners
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
