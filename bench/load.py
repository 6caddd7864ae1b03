"""Runs the load client against a server, and reads the server's CPU counters over the same time window."""

import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import msgspec

from bench import machine
from bench.build import program
from bench.errors import BenchError
from bench.peers import Endpoint, Site
from bench.report import Row

WARMUP_SECONDS = 0.7
EXTRA_SECONDS = 60  # for everything but the sending: opening, draining twice, ending
IDLE_LIMIT_SECONDS = 300


@dataclass(frozen=True)
class Load:
    """What the load client sends.

    With a `rate` (messages a second in all) it is an open loop. Without it, it is a closed loop: each sender has one
    message outstanding. The last `never_read` connections never read. With `quick_ack`, the kernel acknowledges at once
    what the senders receive. `sites`: so many load clients do exactly the same at once, each at a node of its own, in
    the same rooms, with a `rate`. So a client expects the deliveries of all of them.
    """

    connections: int
    senders: int
    seconds: float
    rate: float = 0
    never_read: int = 0
    text: str = "hello to all of you, how do you do today?"
    quick_ack: bool = False
    sites: int = 1


class Report(msgspec.Struct, frozen=True):
    """The load client's last line. `extra`: surplus deliveries. `other`: frames that are no delivery and no answer."""

    connections: int
    sent: int
    acked: int
    deliveries: int
    lost: int
    extra: int
    other: int
    closed: int
    drained: bool
    seconds: float
    deliveries_per_s: float
    acked_per_s: float
    ack_p50_ms: float
    ack_p99_ms: float
    delivery_p50_ms: float
    delivery_p99_ms: float
    client_cpu_s: float
    frames_per_read: float


class Measured(msgspec.Struct, frozen=True):
    """One run: the client's report, and the CPU seconds of the server and of the machine in the same window."""

    report: Report
    server_cpu_s: float
    busy_s: float

    @property
    def cpu_us_per_delivery(self) -> float:
        return self.server_cpu_s / max(self.report.deliveries, 1) * 1e6

    @property
    def foreign_cores(self) -> float:
        """How many cores other processes used. If it is much above 0, the turn says little."""
        return max(self.busy_s - self.server_cpu_s - self.report.client_cpu_s, 0) / self.report.seconds


def row_of(measured: Measured) -> Row:
    """Return all quantities of a run. `p50 ms` and `p99 ms` are those of deliveries."""
    report = measured.report
    return {
        "deliveries/s": report.deliveries_per_s,
        "p50 ms": report.delivery_p50_ms,
        "p99 ms": report.delivery_p99_ms,
        "cpu us/delivery": measured.cpu_us_per_delivery,
        "messages/s": report.acked_per_s,
        "cpu us/message": measured.server_cpu_s / max(report.acked, 1) * 1e6,
        "ack p50 ms": report.ack_p50_ms,
        "ack p99 ms": report.ack_p99_ms,
        "lost": report.lost + report.extra,
        "server cores": measured.server_cpu_s / report.seconds,
        "client cores": report.client_cpu_s / report.seconds,
        "frames/read": report.frames_per_read,
        "foreign cores": measured.foreign_cores,
    }


Watch = Callable[[Endpoint, list[int]], AbstractContextManager[None]]


def _no_watch(_endpoint: Endpoint, _unread_ports: list[int]) -> AbstractContextManager[None]:
    return nullcontext()


def measure(site: Site, endpoint: Endpoint, load: Load, watch: Watch = _no_watch) -> Measured:
    """Run the load. `watch` is entered for the window, with the local ports of the connections that never read."""
    with running_client(site, "load", client_options(site, endpoint, load)) as client:
        unread_ports = [int(line.split()[1]) for line in client.lines_before("begin")]
        before, busy_before = machine.cpu_seconds(endpoint.server.pid), machine.busy_seconds()
        with watch(endpoint, unread_ports):
            client.write("go\n")
            client.lines_before("end")
        cpu, busy = machine.cpu_seconds(endpoint.server.pid) - before, machine.busy_seconds() - busy_before
        return Measured(msgspec.json.decode(client.line(), type=Report), cpu, busy)


@contextmanager
def idle(site: Site, endpoint: Endpoint, connections: int) -> Iterator[None]:
    """Hold idle connections open while the block runs. Raises BenchError if the server has closed one of them."""
    options = ["--idle", "--connections", str(connections), "--limit", str(IDLE_LIMIT_SECONDS)]
    with running_client(site, "load", [*options, *_endpoint_options(site, endpoint)]) as client:
        client.lines_before("ready")
        yield
        client.close_input()
        closed = msgspec.json.decode(client.line(), type=dict[str, int])["closed"]
    if closed:
        raise BenchError(f"The server closed {closed} of {connections} idle sockets.")


def client_options(site: Site, endpoint: Endpoint, load: Load) -> list[str]:
    return [*_endpoint_options(site, endpoint), *_load_options(site, endpoint, load)]


def _endpoint_options(site: Site, endpoint: Endpoint) -> list[str]:
    options = ["--port", str(endpoint.server.port), "--path", endpoint.path]
    if endpoint.subprotocol:
        options += ["--subprotocol", endpoint.subprotocol]
    if endpoint.ready:
        options += ["--ready", endpoint.ready]
    if endpoint.first:
        options += ["--first", _file(site, "first", endpoint.first)]
    return options


def _load_options(site: Site, endpoint: Endpoint, load: Load) -> list[str]:
    room = "%r" if endpoint.rooms else str(endpoint.room)
    send = f'{{"room_id":{room},"text":"@%t {load.text}","client_message_id":"c-%n-%t"}}'
    values: dict[str, object] = {
        "connections": load.connections,
        "senders": load.senders,
        "seconds": load.seconds,
        "rate": load.rate,
        "never-read": load.never_read,
        "warmup": WARMUP_SECONDS,
        "limit": int(load.seconds + EXTRA_SECONDS),
        "message": endpoint.message or f'{{"id":%n,"send":{send}}}',
        "ack": endpoint.ack,
        "sites": load.sites,
    }
    values |= {name: value for name in ("delivery", "stamp") if (value := getattr(endpoint, name))}
    if endpoint.rooms:
        values["rooms"] = _file(site, "rooms", endpoint.rooms)
    flags = {"--joined": endpoint.joined, "--quick-ack": load.quick_ack}
    words = [part for name, value in values.items() for part in (f"--{name}", str(value))]
    return words + [flag for flag, given in flags.items() if given]


def _file(site: Site, name: str, lines: Iterable[object]) -> str:
    path = site.folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


@dataclass(frozen=True)
class Client:
    """A running C program on the client's core. `errors` is the file with its stderr."""

    stdin: IO[str]
    stdout: IO[str]
    errors: Path

    def write(self, text: str) -> None:
        self.stdin.write(text)
        self.stdin.flush()

    def close_input(self) -> None:
        self.stdin.close()

    def line(self) -> str:
        if line := self.stdout.readline():
            return line
        raise BenchError(f"The client ended early: {self.errors.read_text().strip() or 'its time limit was reached'}")

    def lines_before(self, word: str) -> list[str]:
        lines: list[str] = []
        while (line := self.line().strip()) != word:
            lines.append(line)
        return lines


@contextmanager
def running_client(site: Site, name: str, options: list[str]) -> Iterator[Client]:
    """Run the program `bench/NAME.c` until the block ends."""
    errors, command = site.folder / f"{name}.log", [str(program(name)), *options]
    with errors.open("w") as stderr, machine.pinned(machine.CLIENT_CORE):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True)
    with process:
        try:
            yield Client(cast(IO[str], process.stdin), cast(IO[str], process.stdout), errors)
        finally:
            process.kill()
