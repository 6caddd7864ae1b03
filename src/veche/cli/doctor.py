"""`veche doctor`: checks for common problems, and prints what to do about them."""

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from veche.cli.show import show_json, show_table
from veche.core.accounts import skeleton_key
from veche.core.errors import ChatError
from veche.core.names import RESERVED_WORDS, check_username, normal_form
from veche.core.values import Account
from veche.settings import ServerSettings
from veche.storage.accounts import list_accounts
from veche.storage.database import Database, sqlite_path
from veche.storage.engines import sqlite_files
from veche.storage.migrate import schema_version

LOW_DISK = 1 << 30  # bytes
LOW_FILES = 4096  # open files
SLOW_SYNC = 0.02  # seconds
PAGE = 1000  # accounts
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


def _usernames(settings: ServerSettings) -> Iterator[Finding]:
    """List the accounts of older versions that could not be registered today. They work as before."""
    if not _path(settings).exists():
        return
    old = [f"{account.id} {account.username!a} ({why})" for account, why in _not_allowed_today(settings)]
    more = f" and {len(old) - SHOWN} more" if len(old) > SHOWN else ""
    yield Finding(
        not old,
        "usernames",
        f"{len(old)} could not be registered today; these accounts work as before: {', '.join(old[:SHOWN])}{more}"
        if old
        else "all keep the rule",
    )


def _not_allowed_today(settings: ServerSettings) -> Iterator[tuple[Account, str]]:
    accounts = list(_accounts(settings))
    first: dict[tuple[str, bool], Account] = {}  # of those that look alike
    for account in accounts:
        first.setdefault(skeleton_key(account.username), account)
    for account in accounts:
        skeleton, ascii = skeleton_key(account.username)
        alike = [first.get((skeleton, other)) for other in ((False,) if ascii else (False, True))]
        others = [str(one.id) for one in alike if one is not None and one.id < account.id]
        try:
            check_username(account.username)
        except ChatError as refusal:
            yield account, refusal.message.removesuffix(".")
        else:
            if account.username != normal_form(account.username):
                yield account, "it is not in its normal form"
            elif account.username in RESERVED_WORDS:
                yield account, "it is reserved"
            elif others:
                yield account, f"it looks like that of account {' and '.join(others)}"


def _accounts(settings: ServerSettings) -> Iterator[Account]:
    database, last = Database(settings.database_url), 0
    try:
        with database.reading() as snapshot:
            while page := list_accounts(snapshot, last, PAGE):
                yield from page
                last = page[-1].id
    finally:
        database.close()


def _path(settings: ServerSettings) -> Path:
    return sqlite_path(settings.database_url)


_CHECKS: tuple[Callable[[ServerSettings], Iterator[Finding]], ...] = (
    _system,
    _secret,
    _disk,
    _database,
    _usernames,
)
