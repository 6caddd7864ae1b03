"""`veche doctor`: checks for common problems, and prints what to do about them."""

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from veche.cli.serve import OTHER_FILES
from veche.cli.show import show_json, show_table
from veche.core.accounts import skeleton_key
from veche.core.errors import ChatError
from veche.core.names import RESERVED_WORDS, check_username, normal_form
from veche.settings import ServerSettings
from veche.storage.database import DEFAULT_URL
from veche.storage.engines import sqlite_files
from veche.storage.engines.sqlite_database import sqlite_path
from veche.storage.engines.sqlite_state import USABLE, State, state_of
from veche.storage.migrate import schema_version

LOW_DISK = 1 << 30  # bytes
SLOW_SYNC = 0.02  # seconds
SHOWN = 20  # of the usernames that could not be registered today


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


def show(findings: list[Finding], *, json: bool) -> None:
    """Print the findings, as a table or as JSON."""
    if json:
        show_json([finding._asdict() for finding in findings])
    else:
        rows = [("ok" if finding.good else "!!", finding.subject, finding.sentence) for finding in findings]
        show_table(("", "what", "finding"), rows)


def _system(settings: ServerSettings) -> Iterator[Finding]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    yield Finding(sys.version_info >= (3, 11), "Python", sys.version.split()[0])
    needed = settings.connections + OTHER_FILES
    yield Finding(
        files >= needed, "open files", f"{files} at most; {needed} are needed for {settings.connections} connections."
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
    if settings.old_secret:
        yield Finding(True, "old secret", "its tokens are still valid: remove VECHE_OLD_SECRET when they have expired")


def _disk(settings: ServerSettings) -> Iterator[Finding]:
    folder = _path(settings).parent
    if not folder.is_dir():
        created = settings.database_url == DEFAULT_URL
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


def _database(settings: ServerSettings) -> Iterator[Finding]:
    path = _path(settings)
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


def _usernames(settings: ServerSettings) -> Iterator[Finding]:
    """List the accounts of older versions that could not be registered today. They work as before."""
    path = _path(settings)
    if state_of(path) not in USABLE:
        return
    old = [f"{id} {username!a} ({why})" for id, username, why in _not_allowed_today(sqlite_files.usernames(path))]
    more = f" and {len(old) - SHOWN} more" if len(old) > SHOWN else ""
    yield Finding(
        not old,
        "usernames",
        f"{len(old)} could not be registered today; these accounts work as before: {', '.join(old[:SHOWN])}{more}"
        if old
        else "all keep the rule",
    )


def _not_allowed_today(usernames: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str, str]]:
    first: dict[tuple[str, bool], int] = {}  # the ids of those that look alike
    for id, username in usernames:
        first.setdefault(skeleton_key(username), id)
    for id, username in usernames:
        skeleton, ascii = skeleton_key(username)
        alike = [first.get((skeleton, other)) for other in ((False,) if ascii else (False, True))]
        others = [str(one) for one in alike if one is not None and one < id]
        try:
            check_username(username)
        except ChatError as refusal:
            yield id, username, refusal.message.removesuffix(".")
        else:
            if username != normal_form(username):
                yield id, username, "it is not in its normal form"
            elif username in RESERVED_WORDS:
                yield id, username, "it is reserved"
            elif others:
                yield id, username, f"it looks like that of account {' and '.join(others)}"


def _path(settings: ServerSettings) -> Path:
    return sqlite_path(settings.database_url)


_CHECKS: tuple[Callable[[ServerSettings], Iterator[Finding]], ...] = (
    _system,
    _secret,
    _disk,
    _database,
    _usernames,
)
