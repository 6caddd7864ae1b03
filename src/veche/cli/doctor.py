"""`veche doctor`: checks for common problems, and prints what to do about them."""

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from veche.settings import ServerSettings
from veche.storage.database import sqlite_path
from veche.storage.engines import sqlite_files
from veche.storage.migrate import schema_version

LOW_DISK = 1 << 30  # bytes
LOW_FILES = 4096  # open files
SLOW_SYNC = 0.02  # seconds


class Finding(NamedTuple):
    """The result of one check."""

    good: bool
    subject: str
    sentence: str


def examine(settings: ServerSettings) -> list[Finding]:
    """Run all checks. If a check raises, its error becomes a finding."""
    findings: list[Finding] = []
    for check in _CHECKS:
        try:
            findings.extend(check(settings))
        except Exception as error:  # the other checks have to run too
            findings.append(Finding(False, check.__name__.strip("_"), str(error)))
    return findings


def show(findings: list[Finding], out: Console) -> None:
    table = Table("", "what", "finding")
    for finding in findings:
        table.add_row("[green]ok[/]" if finding.good else "[red]!![/]", finding.subject, finding.sentence)
    out.print(table)


def _system(settings: ServerSettings) -> Iterator[Finding]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    yield Finding(sys.version_info >= (3, 11), "Python", sys.version.split()[0])
    yield Finding(
        files >= LOW_FILES, "open files", f"{files} at most; each connection takes one. Raise it with ulimit -n."
    )


def _secret(settings: ServerSettings) -> Iterator[Finding]:
    path = Path(f"{_path(settings)}.secret")
    if settings.secret:
        yield Finding(True, "secret", "from VECHE_SECRET")
    elif not path.exists():
        yield Finding(True, "secret", "will be created beside the database at the first start")
    else:
        private = path.stat().st_mode & 0o077 == 0
        advice = "" if private else "; other users can read it: run chmod 600 on it"
        yield Finding(private, "secret", f"stored in {path}{advice}")


def _disk(settings: ServerSettings) -> Iterator[Finding]:
    folder = _path(settings).parent
    folder.mkdir(parents=True, exist_ok=True)
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


def _database(settings: ServerSettings) -> Iterator[Finding]:
    path = _path(settings)
    if not path.exists():
        yield Finding(True, "database", f"{path} will be created at the first start")
        return
    result, version = sqlite_files.examine(path)
    yield Finding(result == "ok", "database", f"{path}: {result}")
    yield Finding(
        version <= schema_version(),
        "schema",
        f"{version}; this version of Veche knows versions up to {schema_version()}",
    )


def _path(settings: ServerSettings) -> Path:
    return sqlite_path(settings.database_url)


_CHECKS: tuple[Callable[[ServerSettings], Iterator[Finding]], ...] = (_system, _secret, _disk, _database)
