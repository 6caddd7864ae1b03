"""Run the load client against an open endpoint and read the server's counters over exactly its window."""

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

WARMUP_SECONDS = 0.7
EXTRA_SECONDS = 60  # to open, to drain twice and to end, above the sending itself
IDLE_LIMIT_SECONDS = 300


@dataclass(frozen=True)
class Load:
    """What is sent: closed loop (each sender keeps one message outstanding) or, with a `rate`, open loop."""

    connections: int
    senders: int
    seconds: float
    rate: float = 0
    never_read: int = 0
    text: str = "hello to all of you, how do you do today?"


class Report(msgspec.Struct, frozen=True):
    """The load client's last line. `extra`: deliveries too many; `other`: frames that are no delivery and no answer."""

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
    """One run: what the client saw, and CPU seconds, the server's and everybody's, over the same window."""

    report: Report
    server_cpu_s: float
    busy_s: float

    @property
    def cpu_us_per_delivery(self) -> float:
        return self.server_cpu_s / max(self.report.deliveries, 1) * 1e6

    @property
    def foreign_cores(self) -> float:
        """How many cores others kept busy meanwhile: much above 0, and the turn says little."""
        return max(self.busy_s - self.server_cpu_s - self.report.client_cpu_s, 0) / self.report.seconds


During = Callable[[Endpoint, list[int]], AbstractContextManager[None]]


def _unwatched(_endpoint: Endpoint, _deaf: list[int]) -> AbstractContextManager[None]:
    return nullcontext()


def measure(site: Site, endpoint: Endpoint, load: Load, during: During = _unwatched) -> Measured:
    """Run the load; `during` gets the local ports of the members that never read, and spans the window."""
    with running_client(
        site, "load", [*_endpoint_options(site, endpoint), *_load_options(site, endpoint, load)]
    ) as client:
        deaf = [int(line.split()[1]) for line in client.lines_before("begin")]
        before, busy_before = machine.cpu_seconds(endpoint.server.pid), machine.busy_seconds()
        with during(endpoint, deaf):
            client.tell("go\n")
            client.lines_before("end")
        cpu, busy = machine.cpu_seconds(endpoint.server.pid) - before, machine.busy_seconds() - busy_before
        return Measured(msgspec.json.decode(client.line(), type=Report), cpu, busy)


@contextmanager
def idle(site: Site, endpoint: Endpoint, connections: int) -> Iterator[None]:
    """Hold open sockets while the block runs; raises when the server closed one of them."""
    options = ["--idle", "--connections", str(connections), "--limit", str(IDLE_LIMIT_SECONDS)]
    with running_client(site, "load", [*options, *_endpoint_options(site, endpoint)]) as client:
        client.lines_before("ready")
        yield
        client.end()
        closed = msgspec.json.decode(client.line(), type=dict[str, int])["closed"]
    if closed:
        raise BenchError(f"The server closed {closed} of {connections} idle sockets.")


def _endpoint_options(site: Site, endpoint: Endpoint) -> list[str]:
    options = ["--port", str(endpoint.server.port), "--path", endpoint.path]
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
    }
    if endpoint.delivery:
        values["delivery"] = endpoint.delivery
    if endpoint.rooms:
        values["rooms"] = _file(site, "rooms", endpoint.rooms)
    return [part for name, value in values.items() for part in (f"--{name}", str(value))]


def _file(site: Site, name: str, lines: Iterable[object]) -> str:
    path = site.folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


@dataclass(frozen=True)
class Client:
    """A program in C that runs on the client's core, and the ends of its pipes."""

    stdin: IO[str]
    stdout: IO[str]
    errors: Path

    def tell(self, text: str) -> None:
        self.stdin.write(text)
        self.stdin.flush()

    def end(self) -> None:
        self.stdin.close()

    def line(self) -> str:
        if line := self.stdout.readline():
            return line
        raise BenchError(f"The client ended early: {self.errors.read_text().strip() or 'its time was up'}")

    def lines_before(self, word: str) -> list[str]:
        lines: list[str] = []
        while (line := self.line().strip()) != word:
            lines.append(line)
        return lines


@contextmanager
def running_client(site: Site, name: str, options: list[str]) -> Iterator[Client]:
    """Run `bench/NAME.c` until the block ends."""
    errors, command = site.folder / f"{name}.log", [str(program(name)), *options]
    with errors.open("w") as stderr, machine.pinned(machine.CLIENT_CORE):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True)
    with process:
        try:
            yield Client(cast(IO[str], process.stdin), cast(IO[str], process.stdout), errors)
        finally:
            process.kill()
