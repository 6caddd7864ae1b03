"""A witness of a `veche serve` process: how long a callback holds the event loop, and how long others wait meanwhile.

    with WitnessedServer(tmp_path, {"VECHE_DIALECTS": "native"}) as server:
        with server.watch() as seen:
            ...                      # what should not hold the loop
        seen.check()                 # no callback took 50 ms of the loop's CPU time
        seen.waits, seen.callbacks   # what `GET /healthz`, asked every 10 ms, waited; the longest callbacks

`callbacks` is exact: this file is also the program of the server's process. It measures the CPU time of each callback
of the loop: of each handle (tasks, timers, answers of threads), and of each `data_received`. Other programs on the
machine do not change it. `waits` is wall-clock time, and so only a figure on a busy machine.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

LIMIT = 0.05  # seconds of CPU time that one callback may take
FLOOR = 0.01  # seconds; shorter callbacks are not reported
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


@dataclass
class WitnessedServer:
    """One `veche serve` process on a free port, with a database in its own folder and this file as its program."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    base: str = ""
    _process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        env = {name: value for name, value in os.environ.items() if not name.startswith("VECHE_")}
        url = f"sqlite:///{self.folder / 'veche.db'}"
        command = [sys.executable, __file__, str(self._report), "serve", "--port", "0", "--database-url", url]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=env | SETTINGS | self.settings, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        found = re.search(r"http://[0-9.]+:[0-9]+", self._process.stdout.readline())
        assert found, self.log
        self.base = found[0]
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        process.send_signal(signal.SIGTERM)
        code = process.wait(TIMEOUT)
        process.stdout.close()
        assert code == 0, self.log
        assert "Traceback" not in self.log, self.log

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port, for plain sockets."""
        host, _, port = self.base.removeprefix("http://").rpartition(":")
        return host, int(port)

    @property
    def memory(self) -> int:
        """The resident memory of the process, in bytes."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return 1024 * int(status.partition("VmRSS:")[2].split()[0])

    @property
    def _report(self) -> Path:
        return self.folder / "callbacks"

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


# What runs in the server's process.


def _measured(report: Callable[[str], object], callback: Callable[..., Any]) -> Callable[..., Any]:
    """Return a callback that reports its CPU time and name if it took longer than FLOOR."""

    def measure(*args: Any, **kwargs: Any) -> Any:
        begin = time.thread_time()
        try:
            return callback(*args, **kwargs)
        finally:
            if (took := time.thread_time() - begin) > FLOOR:
                report(f"{took:.4f} {_name_of(callback, args)}\n")

    return measure


def _name_of(callback: Callable[..., Any], args: tuple[Any, ...]) -> str:
    task = getattr(callback, "__self__", None)
    coroutine = task.get_coro() if hasattr(task, "get_coro") else None
    name = getattr(coroutine or callback, "__qualname__", None) or repr(callback)
    return " ".join(name.split())


def _serve(path: str) -> None:
    import uvloop

    from veche.cli.main import main
    from veche.wire.http import BoundedHttp
    from veche.wire.websocket import WebSocket

    report = Path(path).open("a", buffering=1).write  # noqa: SIM115  # open as long as the process

    class WitnessedLoop(uvloop.Loop):
        def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
            return super().call_soon(_measured(report, callback), *args, context=context)

        def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
            return super().call_soon_threadsafe(_measured(report, callback), *args, context=context)

        def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
            return super().call_later(delay, _measured(report, callback), *args, context=context)

        def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
            return super().call_at(when, _measured(report, callback), *args, context=context)

    uvloop.Loop = WitnessedLoop  # type: ignore[misc]
    uvloop.new_event_loop = WitnessedLoop  # type: ignore[assignment]
    for protocol in (BoundedHttp, WebSocket):
        protocol.data_received = _measured_method(report, protocol.data_received)  # type: ignore[method-assign]
    main()


def _measured_method(report: Callable[[str], object], method: Callable[..., Any]) -> Callable[..., Any]:
    measured = _measured(report, method)

    def call(self: Any, *args: Any) -> Any:
        return measured(self, *args)

    return call


if __name__ == "__main__":
    _report_path = sys.argv.pop(1)
    _serve(_report_path)
