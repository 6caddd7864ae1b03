"""A witness of a `veche serve` process: how long a callback holds the event loop, and how long others wait meanwhile.

    with WitnessedServer(tmp_path, {"VECHE_DIALECTS": "native"}) as server:
        with server.watch() as seen:
            ...                      # what should not hold the loop
        seen.check()                 # no callback took 50 ms of the loop's CPU time
        seen.waits, seen.callbacks   # what `GET /healthz`, asked every 10 ms, waited; the longest callbacks

`callbacks` is exact: `witnessed.py` is the program of the server's process, and measures CPU time. Other programs on
the machine do not change it. `waits` is wall-clock time, and so only a figure on a busy machine.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.veche_process import VecheProcess

from .witnessed import FLOOR

PROGRAM = Path(__file__).with_name("witnessed.py")
LIMIT = 0.05  # seconds of CPU time that one callback may take
INTERVAL = 0.01  # seconds between two requests of /healthz
TIMEOUT = 30.0  # seconds for any single wait
SECRET = "a secret of these tests alone, long enough"
SETTINGS = {
    "VECHE_SECRET": SECRET,
    "VECHE_WRONG_LOGINS_PER_MINUTE": "10000",
    "VECHE_LOGINS_PER_MINUTE": "100000",
}


@dataclass
class Seen:
    """What was seen during one `watch`. Times are in seconds."""

    callbacks: list[tuple[float, str]] = field(default_factory=list)
    """The CPU time and the name of each callback over FLOOR, the longest first."""
    waits: list[float] = field(default_factory=list)
    """How long each `GET /healthz` took."""

    def check(self, limit: float = LIMIT) -> None:
        """Fail if a callback held the loop for longer than `limit`."""
        assert self.waits, "/healthz was not answered"
        held = [f"{name}: {1000 * took:.0f} ms" for took, name in self.callbacks if took > limit]
        assert not held, f"the loop was held by {', '.join(held[:5])}"

    def __str__(self) -> str:
        longest = f"{1000 * self.callbacks[0][0]:.0f} ms" if self.callbacks else f"< {1000 * FLOOR:.0f} ms"
        wait, worst = 1000 * statistics.median(self.waits), 1000 * max(self.waits)
        return f"longest callback {longest}; /healthz p50 {wait:.1f} ms, worst {worst:.0f} ms ({len(self.waits)})"


class WitnessedServer(VecheProcess):
    """A server whose event loop is watched."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self._report = folder / "callbacks"
        program = (sys.executable, str(PROGRAM), str(self._report))
        super().__init__(folder, SETTINGS | (settings or {}), program=program)

    @contextlib.contextmanager
    def watch(self) -> Iterator[Seen]:
        """Watch the server during the block. The result is complete after the block."""
        seen, stop = Seen(), threading.Event()
        before = self._report.stat().st_size
        thread = threading.Thread(target=_ask, args=(self.address, seen.waits, stop))
        thread.start()
        try:
            yield seen
        finally:
            stop.set()
            thread.join(TIMEOUT)
            lines = self._report.read_bytes()[before:].decode().splitlines()
            seen.callbacks = sorted(((float(line.split()[0]), line.partition(" ")[2]) for line in lines), reverse=True)


def _ask(address: tuple[str, int], waits: list[float], stop: threading.Event) -> None:
    """Ask for /healthz on one connection until `stop` is set, and once more after that: all work before it is done."""
    with socket.create_connection(address, TIMEOUT) as asking:
        last = False
        while not last:
            last = stop.wait(INTERVAL)
            begin = time.perf_counter()
            asking.sendall(b"GET /healthz HTTP/1.1\r\nHost: witness\r\n\r\n")
            answer = b""
            while b'{"status":"ok"}' not in answer:
                part = asking.recv(65536)
                assert part, "/healthz was not answered"
                answer += part
            waits.append(time.perf_counter() - begin)
