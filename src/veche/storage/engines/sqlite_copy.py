"""Copies a database, which may be in use."""

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from veche.storage.engines.sqlite_files import is_veche, reading
from veche.storage.engines.sqlite_identity import draw_generation, own_as, sync, sync_folder, write
from veche.storage.engines.sqlite_state import Unusable

SPARE = 32 << 20  # bytes that have to stay free
SHOW_EVERY = 5.0  # seconds between two lines about the progress
INSTRUCTIONS = 100_000  # of SQLite's machine, between two looks at the progress

Say = Callable[[str], None]


class NoSpace(Exception):
    """There is not enough space for a copy. The message says how much is needed, and where."""


def backup(path: Path, target: Path, *, overwrite: bool = False, say: Say | None = None) -> None:
    """Copy a database to a new file, and mark the copy. The database is only read, and may be in use.

    `target` appears only when the copy is complete. The mark gives the copy a new epoch when it is first served,
    because the logs may be shorter then, and clients have to notice that. `say` gets lines about the progress.

    Raises FileExistsError, NoSpace, Unusable, sqlite3.Error and OSError.
    """
    if target.exists() and not overwrite:
        raise FileExistsError(target)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    partial.unlink(missing_ok=True)
    try:
        with reading(path) as source:
            if not is_veche(source):
                raise Unusable(f"{path} is no database of Veche.")
            _copy(source, partial, say)
        with contextlib.closing(sqlite3.connect(partial, isolation_level=None)) as copy, write(copy):
            copy.execute("INSERT OR REPLACE INTO meta VALUES ('copied', ?)", (_now(),))
            copy.execute(f"PRAGMA user_version = {draw_generation():d}")
        sync(partial)
        _rename(partial, target, overwrite=overwrite)
        sync_folder(target)
    finally:
        partial.unlink(missing_ok=True)


def _rename(partial: Path, target: Path, *, overwrite: bool) -> None:
    if not overwrite:
        try:
            os.link(partial, target)  # fails if the target exists by now
        except FileExistsError:
            raise
        except OSError:  # this file system has no hard links
            if target.exists():
                raise FileExistsError(target) from None
        else:
            return
    partial.replace(target)


def _copy(source: sqlite3.Connection, target: Path, say: Say | None) -> None:
    (pages,) = source.execute("PRAGMA page_count").fetchone()
    (page,) = source.execute("PRAGMA page_size").fetchone()
    need_space(target.parent, pages * page)
    if say is not None:
        source.set_progress_handler(_Progress(target, pages * page, say), INSTRUCTIONS)
    source.execute("PRAGMA query_only = OFF")  # with it, VACUUM INTO is refused although it only reads the source
    source.execute("VACUUM INTO ?", (str(target),))
    source.set_progress_handler(None, 0)


class _Progress:
    """Says how much of a copy is written, from time to time."""

    def __init__(self, target: Path, size: int, say: Say) -> None:
        self._target = target
        self._size = size
        self._say = say
        self._next = time.monotonic() + SHOW_EVERY

    def __call__(self) -> int:
        if time.monotonic() >= self._next:
            self._next += SHOW_EVERY
            self._say(percent(self._target.stat().st_size if self._target.exists() else 0, self._size))
        return 0  # go on


def percent(done: int, size: int) -> str:
    return f"{min(100, done * 100 // max(1, size))} % of {size >> 20} MiB copied."


def need_space(folder: Path, size: int) -> None:
    """Raise NoSpace if the folder has no room for `size` more bytes."""
    free = shutil.disk_usage(folder).free
    if free < size + SPARE:
        raise NoSpace(
            f"A copy of the database needs {(size + SPARE) >> 20} MiB in {folder}, and {free >> 20} are free."
        )


def copy_files(source: Path, target: Path, say: Say | None) -> None:
    """Copy the bytes of a file to a new file, with the owner of the folder. It is on disk when this returns."""
    size, done, shown = source.stat().st_size, 0, time.monotonic() + SHOW_EVERY
    with source.open("rb") as reader, target.open("xb") as writer:
        while part := reader.read(8 << 20):
            done += writer.write(part)
            if say is not None and time.monotonic() >= shown:
                shown += SHOW_EVERY
                say(percent(done, size))
        writer.flush()
        os.fsync(writer.fileno())
    own_as(target, target.parent)


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
