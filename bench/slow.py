"""slow: what one member that never reads costs the 100 others in its room, and the server's memory."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median

from bench import machine
from bench.load import Load, Measured, measure
from bench.peers import Crowd, Endpoint
from bench.report import Line, Outcome, Plan, Row, Target, in_turns, ratios

READERS, SENDERS, RATE, SECONDS = 100, 10, 200, 10.0
CROWD = Crowd(sockets=110, accounts=11)
TEXT = "x" * 800  # an event of about 1 KB
EVERY_SECONDS = 0.2
BELOW = Target("<", 2)
AT_MOST = Target("<=", 1024)


def run(plan: Plan) -> Outcome:
    rows: dict[str, list[Row]] = {}
    lines: list[Line] = []
    for name in plan.chosen("veche", "naive"):
        with_one, without = f"{name}, one slow", f"{name}, none slow"
        ours = name == "veche"
        runs = {without: partial(send_to, plan, name, 0), with_one: partial(send_to, plan, name, 1)}
        rows |= in_turns(plan, plan.turns if ours else 1, runs)
        lines += ratios(rows, "p99 ms", {(with_one, without): BELOW if ours else None}, "delivery p99 of the others")
        kept = held(rows[with_one], rows[without])
        lines.append(Line(f"held for the slow one: {name}", kept, "KiB", AT_MOST if ours else None))
    return Outcome(lines, rows)


def held(with_one: Sequence[Row], without: Sequence[Row]) -> float:
    """KiB more than without the slow one: the server's growth and the kernel's queue, at their peaks."""
    pairs = zip(with_one, without, strict=True)
    return median(one["growth KiB"] - none["growth KiB"] + one["queue KiB"] for one, none in pairs)


def send_to(plan: Plan, name: str, never_read: int) -> Row:
    watch = Watch()
    load = Load(READERS + never_read, SENDERS, plan.seconds(SECONDS), RATE, never_read, TEXT)
    with plan.peers[name](plan.site, CROWD) as endpoint:
        measured = measure(plan.site, endpoint, load, watch.window)
    return row(measured, watch)


def row(measured: Measured, watch: "Watch") -> Row:
    report = measured.report
    return {
        "p50 ms": report.delivery_p50_ms,
        "p99 ms": report.delivery_p99_ms,
        "lost": report.lost + report.extra,
        "growth KiB": (watch.peak_memory - watch.first_memory) / 1024,
        "queue KiB": watch.peak_queue / 1024,
        "cut": watch.cut,
        "foreign cores": measured.foreign_cores,
    }


@dataclass
class Watch:
    """Peaks of the server's memory and of the kernel's queues for slow members; `cut` counts those it closed."""

    first_memory: int = 0
    peak_memory: int = 0
    peak_queue: int = 0
    cut: int = 0

    @contextmanager
    def window(self, endpoint: Endpoint, deaf: list[int]) -> Iterator[None]:
        """Look every 0.2 s while the block runs."""
        ended = threading.Event()
        self.first_memory = machine.resident_bytes(endpoint.server.pid)
        watcher = threading.Thread(target=self._look, args=(endpoint, deaf, ended))
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def _look(self, endpoint: Endpoint, deaf: list[int], ended: threading.Event) -> None:
        last = False
        while not last:
            last = ended.wait(EVERY_SECONDS)
            queues = [machine.send_queue(endpoint.server.port, port) for port in deaf]
            self.peak_queue = max(self.peak_queue, sum(queue or 0 for queue in queues))
            self.cut = sum(queue is None for queue in queues)
            self.peak_memory = max(self.peak_memory, machine.resident_bytes(endpoint.server.pid))
