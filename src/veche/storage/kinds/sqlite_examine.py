"""The checks of `veche doctor` on an SQLite database. It may be in use, and is only read."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from veche.storage.database import DEFAULT_URL
from veche.storage.engines import sqlite_files
from veche.storage.engines.sqlite_state import USABLE, State, state_of
from veche.storage.finding import Finding
from veche.storage.kinds.sqlite_database import sqlite_path
from veche.storage.migrate import schema_version
from veche.storage.usernames import not_allowed_today

LOW_DISK = 1 << 30  # bytes
SLOW_SYNC = 0.02  # seconds


def checks(url: str) -> list[Callable[[], Iterator[Finding]]]:
    """Return the checks of a database. Each may raise what the driver raises, and DatabaseError."""
    path = sqlite_path(url)
    return [lambda: _secret(path), lambda: _disk(path, url), lambda: _database(path), lambda: _usernames(path)]


def _secret(database: Path) -> Iterator[Finding]:
    path = Path(f"{database}.secret")
    if not path.exists():
        yield Finding(True, "secret", "will be created beside the database at the first start")
    else:
        private = path.stat().st_mode & 0o077 == 0
        advice = "" if private else "; other users can read it: run chmod 600 on it"
        yield Finding(private, "secret", f"stored in {path}{advice}")


def _disk(database: Path, url: str) -> Iterator[Finding]:
    folder = database.parent
    if not folder.is_dir():
        created = url == DEFAULT_URL
        advice = "will be created at the first start" if created else "does not exist: create it"
        yield Finding(created, "disk", f"{folder} {advice}")
        return
    free = shutil.disk_usage(folder).free
    yield Finding(free > LOW_DISK, "disk", f"{free >> 20} MiB free at {folder}")
    probe = folder / f".veche-doctor-{os.getpid()}"
    try:
        seconds = min(_sync(probe) for _ in range(5))
        yield Finding(seconds < SLOW_SYNC, "fsync", f"{seconds * 1000:.1f} ms; every acknowledgement waits for one")
    finally:
        probe.unlink(missing_ok=True)


def _sync(probe: Path) -> float:
    with probe.open("ab") as file:
        file.write(b"veche")
        file.flush()
        start = time.perf_counter()
        os.fsync(file.fileno())
        return time.perf_counter() - start


def _database(path: Path) -> Iterator[Finding]:
    state = state_of(path)
    if state is State.MISSING:
        yield Finding(True, "database", f"{path} will be created at the first start")
        return
    if state not in USABLE:
        yield Finding(False, "database", state.sentence(path))
        return
    if state is State.COPY:
        yield Finding(True, "epoch", "the database is a backup; a new epoch is drawn at the first start")
    result, version = sqlite_files.examine(path)
    yield Finding(result == "ok", "database", f"{path}: {result}")
    yield Finding(
        version <= schema_version(),
        "schema",
        f"{version}; this version of Veche knows versions up to {schema_version()}",
    )


def _usernames(path: Path) -> Iterator[Finding]:
    if state_of(path) in USABLE:
        yield not_allowed_today(sqlite_files.usernames(path))
