"""Starts `veche` in a moment, where the program need not be imported anew for each process.

A process of the tests has one starter (starter.py), which imports the program once and forks for each start.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

STARTER = Path(__file__).with_name("starter.py")
RUN_SECONDS = 60.0


class Forked:
    """A process that the starter forked. It is used like a `subprocess.Popen` with text from its stdout."""

    def __init__(self, pid: int, stdout: IO[str], status: int) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._status = status
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the process has ended, and return its exit code. Raises subprocess.TimeoutExpired."""
        with self._lock:
            if self.returncode is None:
                if not select.select([self._status], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired("veche", timeout or 0)
                told = os.read(self._status, 16)
                os.close(self._status)
                assert told, "the starter has ended"
                self.returncode = int(told)
            return self.returncode

    def send_signal(self, how: int) -> None:
        """Send the process a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, how)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Starter:
    """The starter of this process. Threads may share it."""

    def __init__(self, environ: Mapping[str, str], modules: Sequence[str]) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", STARTER, str(theirs.fileno()), *modules],
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.close)

    def start(self, words: Sequence[str], folder: Path, environ: Mapping[str, str], log: IO[bytes]) -> Forked:
        """Start a command in a folder, with this environment and no other."""
        request = json.dumps([[str(word) for word in words], str(folder), dict(environ)]).encode()
        out, out_of_it = os.pipe()
        status, status_of_it = os.pipe()
        try:
            with self._lock:
                socket.send_fds(self._control, [request], [out_of_it, log.fileno(), status_of_it])
                pid = int(self._control.recv(16))
        finally:
            os.close(out_of_it)
            os.close(status_of_it)
        return Forked(pid, os.fdopen(out, encoding="utf-8"), status)

    def run(self, words: Sequence[str], folder: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Start a command as `start` does, and wait until it has ended. It is killed after a minute."""
        with tempfile.TemporaryFile() as errors:
            process = self.start(words, folder, environ, errors)
            timer = threading.Timer(RUN_SECONDS, process.kill)
            timer.start()
            with process.stdout:
                said = process.stdout.read()
            code = process.wait()
            timer.cancel()
            errors.seek(0)
            return subprocess.CompletedProcess(words, code, said, errors.read().decode())

    def close(self) -> None:
        self._control.close()
        self._process.wait()


@functools.cache
def starter(*modules: str) -> Starter:
    """Return the starter of this process that has imported these modules, too."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VECHE_")}
    clean.pop("PYTHONDONTWRITEBYTECODE", None)
    return Starter(clean, modules)
