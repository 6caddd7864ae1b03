"""A server program in a folder of its own, which can be stopped, killed, restarted and paused."""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

from tests.services.guard import descendants
from tests.veche_process import free_port

GUARD = Path(__file__).with_name("guard.py")
START_SECONDS = 60.0
END_SECONDS = 30.0
PORTS_TRIED = 3
LOOK_SECONDS = 0.01
"""How long to wait between two looks at a condition that nothing announces."""


class MissingError(Exception):
    """A program is not installed. The message says what to install."""


class Service(ABC):
    """One server on 127.0.0.1. It never outlives its owner: guard.py sees to that.

    Its folder is a new one in the folder for temporary files, and belongs to the user that the server runs as.
    A restart keeps the folder and the port. `close` removes the folder.
    """

    allowed: ClassVar[bool] = True
    """False in a run without the tests that are marked `slow`."""

    def __init__(self, name: str, *, owner: int | None = None, as_nobody: bool = False) -> None:
        assert self.allowed, "a test that starts a server has to be marked `slow`"
        self.folder = Path(tempfile.mkdtemp(prefix=f"veche-{name}-"))
        self.port = free_port()
        self.owner = owner or os.getpid()
        """The pid of the process that the server ends with."""
        self.uid, self.gid = os.geteuid(), os.getegid()
        if as_nobody and self.uid == 0:
            nobody = pwd.getpwnam("nobody")
            self.uid, self.gid = nobody.pw_uid, nobody.pw_gid
            os.chown(self.folder, self.uid, self.gid)
        self._guard: subprocess.Popen[str] | None = None
        self.pid = 0
        """The pid of the server, or 0 if it does not run."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the words that start the server in the foreground, on `self.port`."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server accepts a client's command now."""

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def running(self) -> bool:
        return self._guard is not None and self._guard.poll() is None

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port, for plain sockets."""
        return ("127.0.0.1", self.port)

    @property
    def log(self) -> str:
        """All that the server has printed since it was made."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> Self:
        """Start the server, and return when it answers. It must not be running.

        Raises RuntimeError, with the log, if it ends by itself or needs over a minute.
        """
        for _ in range(PORTS_TRIED):
            self.begin()
            if self.wait_until_ready():
                return self
            self._end_of_guard()
            if "in use" not in self.log[-2000:].casefold():
                break
            self._take_other_port()
        raise RuntimeError(f"{type(self).__name__} did not start:\n{self.log[-4000:]}")

    def begin(self) -> None:
        """Start the server, and return at once."""
        assert not self.running, "the server runs already"
        words = [GUARD, self.owner, self.folder, self.uid, self.gid, self.folder / "log", *self.command()]
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._guard.stdout is not None
        ready = select.select([self._guard.stdout], [], [], START_SECONDS)[0]
        self.pid = int(self._guard.stdout.readline() or 0) if ready else 0
        self._guard.stdout.close()

    def wait_until_ready(self) -> bool:
        """Return True as soon as the server answers; False if it ends before, or has not answered within a minute."""
        until = time.monotonic() + START_SECONDS
        while self.running and time.monotonic() < until:
            if self.answers():
                return True
            time.sleep(LOOK_SECONDS)
        return False

    def _take_other_port(self) -> None:
        self.port = free_port()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send the server a signal, and return when all its processes have ended. SIGKILL goes to each of them.

        It is killed if it needs over 30 seconds. A paused server is resumed first, unless it is killed.
        """
        if how is signal.SIGKILL:
            self._signal_all(how)
        else:
            self.resume()
            self._signal(self.pid, how)
        self._end_of_guard(END_SECONDS)

    def kill(self) -> None:
        """Kill every process of the server with SIGKILL, as a power cut would. Return when they have ended."""
        self.stop(signal.SIGKILL)

    def restart(self, how: signal.Signals = signal.SIGTERM) -> Self:
        """Stop the server in this way if it runs, and start it with the same data on the same port."""
        if self.running:
            self.stop(how)
        return self.start()

    def pause(self) -> None:
        """Stop every process of the server with SIGSTOP: its connections stay open, and nothing answers."""
        self._signal(self.pid, signal.SIGSTOP)  # first the one that starts others
        while any(not _halted(pid) for pid in self.pids()):
            self._signal_all(signal.SIGSTOP)
            time.sleep(LOOK_SECONDS)

    def resume(self) -> None:
        """Continue a paused server."""
        self._signal_all(signal.SIGCONT)

    def pids(self) -> list[int]:
        """Return the pids of all processes of the server."""
        return descendants(self._guard.pid) if self._guard is not None and self.running else []

    def close(self) -> None:
        """Kill the server if it runs, and remove its folder. A second call does nothing."""
        self._end_of_guard()
        shutil.rmtree(self.folder, ignore_errors=True)

    def leave(self) -> None:
        """Leave a running server to its owner, another process: nothing here ends it, or waits for it."""
        if self._guard is not None:
            self._guard.returncode = 0  # else Python would warn that it still runs
        self._guard, self.pid = None, 0

    def _end_of_guard(self, seconds: float = 0) -> None:
        if self._guard is None:
            return
        try:
            self._guard.wait(seconds)
        except subprocess.TimeoutExpired:
            self._signal_all(signal.SIGKILL)
            self._guard.wait()
        self._guard, self.pid = None, 0

    def _signal_all(self, how: signal.Signals) -> None:
        for pid in self.pids():
            _send(pid, how)  # it may have ended since

    def _signal(self, pid: int, how: signal.Signals) -> None:
        assert self.running, "the server does not run"
        _send(pid, how)


def _send(pid: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)


def _halted(pid: int) -> bool:
    """Whether a process is stopped by a signal, or has ended. See proc_pid_stat(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "TZX"
    except OSError:
        return True
