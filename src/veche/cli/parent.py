"""How `veche serve --workers N` becomes the parent of its workers (`cli.workers`)."""

import logging
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from veche.cli.place import Plan, as_argument
from veche.settings import PREFIX, ServerSettings, SettingsError
from veche.storage.opening import allows_several_nodes

STOP_SECONDS = 30.0
"""How long a worker may take to stop, after the time in which it sends its clients away."""

START_SECONDS = 60.0
"""How long a worker may take to start. The first one has no limit, because it may have to migrate the database."""


def check_workers(settings: ServerSettings) -> None:
    """Raise SettingsError if there are to be several workers that could not serve together."""
    if settings.workers == 1:
        return
    if not allows_several_nodes(settings.database_url):
        raise SettingsError(
            f"VECHE_WORKERS is {settings.workers}, but one process serves an SQLite database. For several, set "
            "VECHE_DATABASE_URL to postgresql://... and VECHE_BUS_URL, for example to redis://HOST."
        )
    if not settings.bus_url:
        raise SettingsError(
            f"VECHE_WORKERS is {settings.workers}, and several workers need a bus: set VECHE_BUS_URL, for example to "
            "redis://HOST, or to postgresql to use the database."
        )


def become_parent(
    settings: ServerSettings,
    listeners: Sequence[socket.socket],
    greeting: str,
    environ: Mapping[str, str],
    given: Mapping[str, object],
) -> NoReturn:
    """Replace this program by the parent of the workers, which has few imports. The process stays the same.

    `environ`: the environment with what is in files `.env`. `given`: the settings of the command line. The workers find
    all of them in their environment.
    """
    environ = dict(environ)
    for field, value in given.items():
        if value is not None:
            environ[f"{PREFIX}{field.upper()}"] = ",".join(value) if isinstance(value, tuple) else str(value)
            environ.pop(f"{PREFIX}{field.upper()}_FILE", None)
    for listener in listeners:
        listener.set_inheritable(True)
    plan = Plan(
        settings.workers,
        tuple(listener.fileno() for listener in listeners),
        greeting,
        settings.log_format,
        settings.drain_seconds + STOP_SECONDS,
        START_SECONDS,
    )
    logging.shutdown()
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-P", "-m", "veche.cli.workers", as_argument(plan)], environ)  # noqa: S606
