"""A server of its own. The tests of a whole server start it here.

It is one `veche serve` process on SQLite. With `pytest --on=nodes` it is two, on one PostgreSQL and one Redis.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import psycopg
from psycopg.rows import dict_row

from tests.starting import RUN_SECONDS, Forked, starter

if TYPE_CHECKING:
    from tests.services import PostgresAddress, RedisAddress

VECHE = Path(sys.executable).with_name("veche")
Process = subprocess.Popen[str] | Forked
AT_START = ("VECHE_TEST_CRASH_AT", "VECHE_WORKERS", "PYTHON", "LD_")
"""The beginnings of what is read before or at the imports, or makes a server start others. It is not forked then."""
DRIVERS = ("veche.storage.kinds.postgres_database", "veche.bus.redis")
"""What a node imports for its services."""
START_SECONDS = 60.0
END_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of this process with these settings, and with no other VECHE_* variables.

    The server caches its bytecode, like an installed one. Otherwise each start would compile it again.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VECHE_")}
    clean.pop("PYTHONDONTWRITEBYTECODE", None)
    return clean | dict(settings)


def is_forked(settings: Mapping[str, str]) -> bool:
    """Return whether a command with these settings may be a fork of the starter."""
    return not any(name.startswith(AT_START) for name in settings)


def run_veche(
    *words: str, folder: Path | None = None, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of `veche` to its end, in a folder. `settings` are all the VECHE_* variables that it has."""
    chosen = settings or {}
    command, environ, where = [str(VECHE), *words], environment(chosen), folder or Path.cwd()
    if is_forked(chosen):
        return starter(*(DRIVERS if two_nodes is not None else ())).run(command, where, environ)
    return subprocess.run(
        command, cwd=where, env=environ, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )


@dataclass(frozen=True)
class TwoNodes:
    """What all servers of a run with `--on=nodes` share. Each folder has a database of its own."""

    postgres: PostgresAddress
    redis: RedisAddress
    servers: list[VecheProcess] = field(default_factory=list)
    """The servers that were started, and have a database."""
    databases: dict[Path, str] = field(default_factory=dict)
    """The URL of the database for each folder."""

    def database_url(self, folder: Path) -> str:
        if folder not in self.databases:
            self.databases[folder] = self.postgres.new_database()
        return self.databases[folder]

    def drop_databases_of_ended(self) -> None:
        """Remove the databases of the folders whose servers have all ended."""
        self.servers[:] = [server for server in self.servers if server.running]
        for folder in self.databases.keys() - {server.folder for server in self.servers}:
            self.postgres.drop_database(self.databases.pop(folder))


two_nodes: TwoNodes | None = None
"""Set while the tests run with `--on=nodes`."""


@dataclass
class Node:
    """One `veche serve` process."""

    port: int = 0
    """It takes a free one if it is 0."""
    greeting: str = ""
    """The first line that it printed: where it is."""
    process: Process | None = None

    @property
    def started(self) -> Process:
        assert self.process is not None, "the server was not started"
        return self.process

    def read_greeting(self) -> bool:
        """Wait until it is ready. Return False if it is not, after a minute."""
        out = self.started.stdout
        assert out is not None
        ready = select.select([out], [], [], START_SECONDS)[0]
        self.greeting = out.readline() if ready else ""
        found = re.search(r"http://[0-9.]+:(\d+)", self.greeting)
        if found is not None:
            self.port = int(found[1])
        return found is not None

    def ended(self) -> int:
        """Wait until it has ended by itself, or kill it after some seconds. Return its exit code."""
        try:
            return self.started.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.started.kill()
            return self.started.wait()


@dataclass(eq=False)
class VecheProcess:
    """One server, with its database and its log in a folder. A restart keeps them, and the port.

    Use it as `with VecheProcess(folder) as server:`, or call `start` and `end`.

    On two nodes, the database is a PostgreSQL. `base`, `address` and `port` lead to one node or the other, so that
    half of the connections are on each. What starts, stops and kills does it to both.
    """

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = (str(VECHE),)
    stored_at: str = ""
    """The database. Empty means an SQLite database in the folder, or that of the two nodes."""
    nodes: list[Node] = field(default_factory=lambda: [Node() for _ in range(1 if two_nodes is None else 2)])
    turn: int = 0
    """How many connections have been given a node."""

    def __post_init__(self) -> None:
        if self.stored_at:  # the test has chosen what it needs
            del self.nodes[1:]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> Self:
        """Start the server, and return when it is ready."""
        words = [*self.program, "serve", "--database-url", self.database_url]
        settings = self.settings
        if two_nodes is not None and not self.stored_at:
            files = str(self.folder / "veche-files")
            settings = {"VECHE_FILES": files} | settings | {"VECHE_BUS_URL": two_nodes.redis.url()}
        if two_nodes is not None and not self.stored_at and self not in two_nodes.servers:
            two_nodes.servers.append(self)
        for node in self.nodes:
            with self.log_file.open("ab") as log:
                node.process = self._begin([*words, "--port", str(node.port)], environment(settings), log)
        ready = [node.read_greeting() for node in self.nodes]
        if not all(ready):
            self.stop(signal.SIGKILL)
            raise AssertionError(f"The server did not start: {self.log[-4000:]}")
        return self

    def _begin(self, words: list[str], environ: dict[str, str], log: IO[bytes]) -> Process:
        """Start a process: by a fork, which is quick, unless it has to be the program that an operator starts."""
        if self.program == (str(VECHE),) and is_forked(self.settings):
            return starter(*(DRIVERS if two_nodes is not None else ())).start(words, self.folder, environ, log)
        pipe = subprocess.PIPE
        return subprocess.Popen(words, cwd=self.folder, env=environ, stdout=pipe, stderr=log, text=True)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the server, unless that was done before.

        Fail if it has ended by itself, if its exit code is wrong, or if there is a traceback in its log.
        """
        processes = [node.process for node in self.nodes if node.process is not None]
        if any(process.stdout is not None and not process.stdout.closed for process in processes):
            for process in processes:
                ended = process.poll()
                assert ended is None, f"The server has ended by itself, with {ended}:\n{self.log[-4000:]}"
            code = self.stop(how)
            assert code == (-signal.SIGKILL if how is signal.SIGKILL else 0), self.log
        assert "Traceback" not in self.log, self.log

    def send_signal(self, how: signal.Signals) -> None:
        """Send the server a signal, and return at once."""
        for node in self.nodes:
            node.started.send_signal(how)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop the server, and return its exit code. It has some seconds to end."""
        self.send_signal(how)
        return self.ended()

    def ended(self) -> int:
        """Wait until the server has ended by itself, or kill it after some seconds. Return its exit code.

        If the codes of two nodes differ, it is one that is not 0.
        """
        codes = [node.ended() for node in self.nodes]
        self.close()
        return next((code for code in codes if code), 0)

    def close(self) -> None:
        """Let go of what belongs to this process."""
        for node in self.nodes:
            assert node.started.stdout is not None
            node.started.stdout.close()

    @property
    def running(self) -> bool:
        """Whether any process of the server runs."""
        return any(node.process is not None and node.process.poll() is None for node in self.nodes)

    @property
    def process(self) -> Process:
        """The process of a server that has only one."""
        [node] = self.nodes
        return node.started

    @property
    def greeting(self) -> str:
        """The first line that the server printed: where it is."""
        return self.nodes[0].greeting

    @property
    def port(self) -> int:
        """The port for the next connection.

        Two nodes take turns as in the sequence of Thue and Morse: ABBA BAAB ... So they have half of the connections
        each, and also half of every second one, as when each person opens one for calls and one for events.
        """
        self.turn += 1
        return self.nodes[(self.turn - 1).bit_count() % len(self.nodes)].port

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port, for plain sockets."""
        return "127.0.0.1", self.port

    @property
    def database(self) -> Path:
        """The file of the database. Two nodes have none."""
        assert len(self.nodes) == 1, 'this test looks into the file of the database: mark it with one_node("why")'
        return self.folder / "veche.db"

    @property
    def database_url(self) -> str:
        if self.stored_at:
            return self.stored_at
        return f"sqlite:///{self.database}" if two_nodes is None else two_nodes.database_url(self.folder)

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Read what is committed, as another process sees it. `query` has a `?` for each of the values."""
        if two_nodes is not None:
            options = "options=-csearch_path%3Dveche"
            with psycopg.connect(f"{self.database_url}?{options}", row_factory=dict_row) as postgres:
                return postgres.execute(query.replace("?", "%s"), values).fetchall()
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as file:
            file.row_factory = sqlite3.Row
            return [dict(row) for row in file.execute(query, values)]

    @property
    def log_file(self) -> Path:
        return self.folder / "server.log"

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def memory(self) -> int:
        """The resident memory of the server, in bytes."""
        return self._bytes("VmRSS:")

    @property
    def peak_memory(self) -> int:
        """The most resident memory that the server has had, in bytes."""
        return self._bytes("VmHWM:")

    def _bytes(self, name: str) -> int:
        texts = [Path(f"/proc/{node.started.pid}/status").read_text() for node in self.nodes]
        return 1024 * sum(int(text.partition(name)[2].split()[0]) for text in texts)
