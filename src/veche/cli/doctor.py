"""`veche doctor`: checks for common problems, and prints what to do about them."""

import asyncio
import logging
import resource
import secrets
import sys
from collections.abc import Callable, Iterator
from functools import partial

from veche.bus.bus import Bus
from veche.bus.opening import open_bus, postgres_connections
from veche.cli.parent import check_workers
from veche.cli.serve import OTHER_FILES
from veche.cli.show import show_json, show_table
from veche.settings import ServerSettings
from veche.storage.opening import Finding, Serving, allows_several_nodes, bus_address, checks


def examine(settings: ServerSettings) -> list[Finding]:
    """Run all checks. If a check raises, its error becomes a finding."""
    return [
        *_findings("system", lambda: _system(settings)),
        *_findings("secret", lambda: _secret(settings)),
        *_findings("database", lambda: _database(settings)),
        *_findings("bus", lambda: _bus(settings)),
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
    bus = settings.bus_url
    serving = Serving(settings.workers, bool(bus), postgres_connections(bus))
    for check in checks(settings.database_url, serving):
        for finding in _findings("database", check):
            if finding.subject != "secret" or not settings.secret:
                yield finding


def _bus(settings: ServerSettings) -> Iterator[Finding]:
    check_workers(settings)
    if not settings.bus_url:
        if allows_several_nodes(settings.database_url):
            yield Finding(True, "bus", "none, so one node serves the database; for several, set VECHE_BUS_URL")
        return
    # With a history of its own, so it hears no node and no node hears it. And with a secret of its own, because to make
    # the one of the database is not for this command.
    address = partial(bus_address, settings.database_url)
    bus = open_bus(settings.bus_url, secrets.token_hex(32), "doctor", (), address)
    said = _Lines()
    logger = logging.getLogger("veche.bus")
    logger.addHandler(said)
    logger.propagate = False
    try:
        connected = asyncio.run(_connect(bus))
    finally:
        logger.removeHandler(said)
        logger.propagate = True
    why = said.first or "it cannot be reached"
    yield Finding(connected, "bus", "it is reached" if connected else why)


async def _connect(bus: Bus) -> bool:
    await bus.start()
    connected = bus.connected
    await bus.stop()
    return connected


class _Lines(logging.Handler):
    """Keeps the first warning of the bus, which says why it cannot be reached."""

    first = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self.first = self.first or record.getMessage()
