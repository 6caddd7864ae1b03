"""slow: how one member that never reads affects the 100 others in its room, and the server's memory."""

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
TARGET_RATIO = Target("<", 2)
TARGET_KIB = Target("<=", 1024)


def run(plan: Plan) -> Outcome:
    rows: dict[str, list[Row]] = {}
    lines: list[Line] = []
    for name in plan.chosen("veche", "naive"):
        with_one, without = f"{name}, one slow", f"{name}, none slow"
        ours = name == "veche"
        runs = {without: partial(send_to, plan, name, 0), with_one: partial(send_to, plan, name, 1)}
        rows |= in_turns(plan, plan.turns if ours else 1, runs)
        lines += ratios(
            rows, "p99 ms", {(with_one, without): TARGET_RATIO if ours else None}, "delivery p99 of the others"
        )
        kept = held(rows[with_one], rows[without])
        lines.append(Line(f"held for the slow one: {name}", kept, "KiB", TARGET_KIB if ours else None))
    return Outcome(lines, rows)


def held(with_one: Sequence[Row], without: Sequence[Row]) -> float:
    """Return the KiB held for the slow member: the peak growth of the server, and the kernel's send queue."""
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
    """The server's peak memory, and the peak of the kernel's send queues for slow members.

    `cut` is the number of slow members that the server has disconnected.
    """

    first_memory: int = 0
    peak_memory: int = 0
    peak_queue: int = 0
    cut: int = 0

    @contextmanager
    def window(self, endpoint: Endpoint, unread_ports: list[int]) -> Iterator[None]:
        """Sample every 0.2 s while the block runs."""
        ended = threading.Event()
        self.first_memory = machine.resident_bytes(endpoint.server.pid)
        watcher = threading.Thread(target=self._sample, args=(endpoint, unread_ports, ended))
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def _sample(self, endpoint: Endpoint, unread_ports: list[int], ended: threading.Event) -> None:
        last = False
        while not last:
            last = ended.wait(EVERY_SECONDS)
            queues = [machine.send_queue(endpoint.server.port, port) for port in unread_ports]
            self.peak_queue = max(self.peak_queue, sum(queue or 0 for queue in queues))
            self.cut = sum(queue is None for queue in queues)
            self.peak_memory = max(self.peak_memory, machine.resident_bytes(endpoint.server.pid))
