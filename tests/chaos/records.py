"""What the checker writes down: one frozen value for each thing that happened, in the order of one monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

ME = 0
"""Stands for a client's own log (`me`) where a room id is expected; 0 is never the id of a room."""


class Record(msgspec.Struct, frozen=True, tag=True):
    """`at`: seconds of the monotonic clock."""

    at: float


class Invoke(Record, frozen=True):
    """A message leaves for the first time. Later tries of it are not written down."""

    client: str
    room: int
    cid: str
    text: str


class Ack(Record, frozen=True):
    client: str
    connection: int
    room: int
    cid: str
    seq: int
    message_id: int
    duplicate: bool


class Nack(Record, frozen=True):
    client: str
    cid: str
    code: str
    temporary: bool


class Recv(Record, frozen=True):
    """One numbered frame as it came, applied or not. `cid`, `message_id`, `sender` and `text` are a message's own."""

    client: str
    connection: int
    room: int
    seq: int
    event: str
    message_id: int | None = None
    cid: str | None = None
    sender: int | None = None
    text: str | None = None


class Welcome(Record, frozen=True):
    """The answer to `hello` or `sync`: the heads of those logs that the client had asked to be continued."""

    client: str
    connection: int
    heads: dict[int, int]


class CaughtUp(Record, frozen=True):
    client: str
    connection: int


class Reset(Record, frozen=True):
    client: str
    connection: int
    room: int
    seq: int
    reason: str


class Gone(Record, frozen=True):
    client: str
    connection: int
    room: int


class Down(Record, frozen=True):
    """The socket ended: by the server with `code`, by the client's own will (`own`), or without a word."""

    client: str
    connection: int
    code: int | None
    own: bool


class Odd(Record, frozen=True):
    """The server sent what the contract does not know."""

    client: str
    sentence: str


class Fault(Record, frozen=True):
    """The server process ended. `how`: `kill`, `drain` or a crash point; `code`: None where it had to be forced."""

    how: str
    code: int | None
    seconds: float


Verdict = Literal["next", "repeat", "gap"]


def judge(position: int, seq: int) -> Verdict:
    """The rule of docs/native.md, "Events": apply the next, ignore what is not above, sync when it is further."""
    if seq == position + 1:
        return "next"
    return "repeat" if seq <= position else "gap"


class Journal:
    """All records of a run, in the order in which they happened in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.records: list[Record] = []

    def add(self, record: Record) -> None:
        self.records.append(record)

    def save(self, path: Path) -> None:
        """Writes the records as JSON lines."""
        encoder = msgspec.json.Encoder()
        path.write_bytes(b"".join(encoder.encode(record) + b"\n" for record in self.records))
