"""A `veche serve` process of its own. The tests of a whole server start it here."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

VECHE = Path(sys.executable).with_name("veche")
START_SECONDS = 60.0
END_SECONDS = 30.0


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


@dataclass
class VecheProcess:
    """One server, with its database and its log in a folder. A restart keeps them, and the port.

    Use it as `with VecheProcess(folder) as server:`, or call `start` and `end`.
    """

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = 0
    """The server takes a free one if it is 0."""
    program: tuple[str, ...] = (str(VECHE),)
    url: str = ""
    """The database. Empty means an SQLite database in the folder."""
    greeting: str = ""
    """The first line that the server printed: where it is."""
    _process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> Self:
        """Start the server, and return when it is ready."""
        words = [*self.program, "serve", "--port", str(self.port), "--database-url", self.database_url]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                words, cwd=self.folder, env=environment(self.settings), stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        ready = select.select([self._process.stdout], [], [], START_SECONDS)[0]
        self.greeting = self._process.stdout.readline() if ready else ""
        found = re.search(r"http://[0-9.]+:(\d+)", self.greeting)
        if found is None:
            self.stop(signal.SIGKILL)
            raise AssertionError(f"The server did not start: {self.log[-4000:]}")
        self.port = int(found[1])
        return self

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the server, unless that was done before.

        Fail if it has ended by itself, if its exit code is wrong, or if there is a traceback in its log.
        """
        if self._process is not None and self._process.stdout is not None and not self._process.stdout.closed:
            ended = self._process.poll()
            assert ended is None, f"The server has ended by itself, with {ended}:\n{self.log[-4000:]}"
            code = self.stop(how)
            assert code == (-signal.SIGKILL if how is signal.SIGKILL else 0), self.log
        assert "Traceback" not in self.log, self.log

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop the server, and return its exit code. It has some seconds to end."""
        self.process.send_signal(how)
        return self.ended()

    def ended(self) -> int:
        """Wait until the server has ended by itself, or kill it after some seconds. Return its exit code."""
        try:
            code = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.close()
        return code

    def close(self) -> None:
        """Let go of what belongs to this process."""
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None, "the server was not started"
        return self._process

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port, for plain sockets."""
        return "127.0.0.1", self.port

    @property
    def database(self) -> Path:
        return self.folder / "veche.db"

    @property
    def database_url(self) -> str:
        return self.url or f"sqlite:///{self.database}"

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
        return 1024 * int(Path(f"/proc/{self.process.pid}/status").read_text().partition(name)[2].split()[0])
