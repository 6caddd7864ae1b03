"""Measures the storage writer alone: 200 messages outstanding, in a fresh database.

`python -m bench.writer FOLDER BATCH SECONDS` prints the result as JSON, for `bench --against`.

If the commands or the start of the storage change, adapt `_people`, `_Flow.send` and `store`.
"""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import quantiles
from tempfile import mkdtemp

from bench.errors import BenchError
from veche.core.accounts import Register
from veche.core.actor import NOBODY_ID, Actor
from veche.core.command import Command, T
from veche.core.errors import ChatError
from veche.core.event import LogEvent
from veche.core.messages import SendMessage, Sent
from veche.core.room_creation import CreateRoom
from veche.core.values import Kind
from veche.storage.kinds.sqlite_database import SqliteDatabase
from veche.storage.writer import Writer

OUTSTANDING = 200
WARMUP_SECONDS = 0.3


@dataclass(frozen=True)
class Stored:
    """The acknowledged messages per second, their latency, and the CPU time of all threads per message."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def store(folder: Path, batch: int, seconds: float) -> Stored:
    """Keep 200 messages outstanding for `seconds`. At most `batch` messages go into one commit."""
    own = Path(mkdtemp(dir=folder, prefix="writer-"))
    database = SqliteDatabase(f"sqlite:///{own}/veche.db")
    try:
        database.migrate()
        return asyncio.run(_drive(database, batch, seconds))
    finally:
        database.close()
        shutil.rmtree(own)


async def _drive(database: SqliteDatabase, batch: int, seconds: float) -> Stored:
    writer = Writer(database, _ignore, batch=batch)
    writer.start()
    senders = await _people(writer)
    flow = _Flow(writer, senders)
    flow.begin()
    await asyncio.sleep(WARMUP_SECONDS)
    flow.latencies.clear()
    start, cpu = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    latencies, elapsed, cpu = list(flow.latencies), time.perf_counter() - start, time.process_time() - cpu
    flow.open = False
    await writer.stop()
    if flow.refused:
        raise BenchError(f"The writer refused: {flow.refused}")
    percentiles = quantiles(latencies, n=100)
    return Stored(len(latencies) / elapsed, percentiles[49] * 1000, percentiles[98] * 1000, cpu / len(latencies) * 1e6)


@dataclass
class _Flow:
    """The outstanding messages. Each answer sends the next message of the same sender."""

    writer: Writer
    senders: Sequence[tuple[int, int]]  # account and room
    latencies: list[float] = field(default_factory=list)
    number: int = 0
    open: bool = True
    refused: str = ""

    def begin(self) -> None:
        for index in range(OUTSTANDING):
            self.send(index)

    def send(self, index: int) -> None:
        self.number += 1
        sent = time.perf_counter()
        account_id, room_id = self.senders[index % len(self.senders)]
        command = SendMessage(room_id, "hello to all of you, how do you do today?", f"c-{self.number}")
        actor = Actor(account_id, "native")
        self.writer.submit(actor, command, lambda answer: self.answered(answer, index, sent))

    def answered(self, answer: Sent | ChatError, index: int, sent: float) -> None:
        self.latencies.append(time.perf_counter() - sent)
        if isinstance(answer, ChatError):
            self.refused, self.open = str(answer), False
        if self.open:
            self.send(index)


async def _people(writer: Writer) -> list[tuple[int, int]]:
    """Register ten accounts, each with a room of its own. Return (account id, room id) of each."""
    people: list[tuple[int, int]] = []
    for number in range(10):
        account = await _ask(writer, NOBODY_ID, Register(password_hash="", username=f"member{number}"))
        entered = await _ask(writer, account.id, CreateRoom(Kind.GROUP, f"room {number}"))
        people.append((account.id, entered.room.id))
    return people


async def _ask(writer: Writer, account_id: int, command: Command[T]) -> T:
    answer: asyncio.Future[T | ChatError] = asyncio.get_running_loop().create_future()
    writer.submit(Actor(account_id, "native"), command, answer.set_result)
    outcome = await answer
    if isinstance(outcome, ChatError):
        raise BenchError(f"The writer refused: {outcome}")
    return outcome


def _ignore(events: Sequence[LogEvent]) -> None:
    """Do nothing: the writer has no hub here."""


def main() -> None:
    folder, batch, seconds = sys.argv[1:]
    print(json.dumps(asdict(store(Path(folder), int(batch), float(seconds)))))


if __name__ == "__main__":
    main()
