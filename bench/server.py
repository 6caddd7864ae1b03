"""Starts a server process on a free port of 127.0.0.1, waits until it answers, and stops it."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from bench.errors import BenchError

START_SECONDS = 60.0
STOP_SECONDS = 10.0
LOG_LINES = 15


@dataclass(frozen=True)
class Server:
    """A server process. `started` is its start by time.monotonic()."""

    pid: int
    port: int
    started: float


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    log: Path,
    env: Mapping[str, str] | None = None,
    *,
    wait: bool = True,
    any_status: bool = False,
) -> Iterator[Server]:
    """Run `command` on the server's core until the block ends.

    With `wait`, wait until /healthz answers 200, or any status with `any_status`.
    """
    with log.open("wb") as output, machine.pinned(machine.SERVER_CORE):
        started = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **(env or {})}
        )
    try:
        if wait:
            _wait_until_healthy(process, port, log, any_status)
        yield Server(process.pid, port, started)
    finally:
        _stop(process)


def answers(port: int, path: str = "/healthz", *, any_status: bool = False) -> bool:
    """Return whether a GET request is answered with 200, or with any status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK or any_status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path, any_status: bool) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers(port, any_status=any_status):
        if process.poll() is not None or time.monotonic() > deadline:
            ended = "ended" if process.poll() is not None else f"did not answer within {START_SECONDS:.0f} s"
            raise BenchError(f"{process.args!r} {ended}; its last lines:\n{tail(log)}")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end. Kill it if it does not, with what it has started."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in reversed(machine.family(process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def tail(log: Path) -> str:
    """Return the last lines of a server's log."""
    with suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
    return ""
