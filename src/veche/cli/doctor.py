"""`veche doctor`: checks for common problems, and prints what to do about them."""

import resource
import sys
from collections.abc import Callable, Iterator

from veche.cli.serve import OTHER_FILES
from veche.cli.show import show_json, show_table
from veche.settings import ServerSettings
from veche.storage.opening import Finding, checks


def examine(settings: ServerSettings) -> list[Finding]:
    """Run all checks. If a check raises, its error becomes a finding."""
    return [
        *_findings("system", lambda: _system(settings)),
        *_findings("secret", lambda: _secret(settings)),
        *_findings("database", lambda: _database(settings)),
    ]


def show(findings: list[Finding], *, json: bool) -> None:
    """Print the findings, as a table or as JSON."""
    if json:
        show_json([finding._asdict() for finding in findings])
    else:
        rows = [("ok" if finding.good else "!!", finding.subject, finding.sentence) for finding in findings]
        show_table(("", "what", "finding"), rows)


def _findings(subject: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:  # the other checks have to run too
        yield Finding(False, subject, str(error))


def _system(settings: ServerSettings) -> Iterator[Finding]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    yield Finding(sys.version_info >= (3, 11), "Python", sys.version.split()[0])
    needed = settings.connections + OTHER_FILES
    yield Finding(
        files >= needed, "open files", f"{files} at most; {needed} are needed for {settings.connections} connections."
    )


def _secret(settings: ServerSettings) -> Iterator[Finding]:
    if settings.secret:
        yield Finding(True, "secret", "from VECHE_SECRET")
    if settings.old_secret:
        yield Finding(True, "old secret", "its tokens are still valid: remove VECHE_OLD_SECRET when they have expired")


def _database(settings: ServerSettings) -> Iterator[Finding]:
    for check in checks(settings.database_url):
        for finding in _findings("database", check):
            if finding.subject != "secret" or not settings.secret:
                yield finding
