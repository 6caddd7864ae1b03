"""The records of a run: one frozen value for each thing that happened, with the time of one monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

ME = 0
"""The client's own log (`me`), in place of a room id; no room has the id 0."""


class Record(msgspec.Struct, frozen=True, tag=True):
    """`at` is in seconds of the monotonic clock."""

    at: float


class Invoke(Record, frozen=True):
    """A message is sent for the first time. Later tries are not recorded."""

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


class Change(Record, frozen=True):
    """An edit of a message is sent for the first time, or a deletion, which has no text."""

    client: str
    room: int
    cid: str
    message_id: int
    text: str | None


class Changed(Record, frozen=True):
    """A change was acknowledged. `revision` is that of the message then."""

    client: str
    connection: int
    room: int
    cid: str
    seq: int
    message_id: int
    revision: int
    duplicate: bool


class Turn(Record, frozen=True):
    """Something is switched on or off: the command is sent for the first time."""

    client: str
    cid: str
    switch: str
    on: bool


class Turned(Record, frozen=True):
    """The command of a turn was answered."""

    client: str
    connection: int
    cid: str
    duplicate: bool


class Nack(Record, frozen=True):
    client: str
    cid: str
    code: str
    temporary: bool


class Recv(Record, frozen=True):
    """A frame with a seq was received, applied or not.

    Only messages have `cid` and `sender`. Messages and edits have the `text` and the `revision` that they show. Changes
    of a message have its `message_id`, and in `change` the revision that they made.
    """

    client: str
    connection: int
    room: int
    seq: int
    event: str
    message_id: int | None = None
    cid: str | None = None
    sender: int | None = None
    text: str | None = None
    revision: int = 0
    change: int | None = None


class Welcome(Record, frozen=True):
    """The answer to `hello` or `sync`: the heads of the logs that the client continues."""

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
    """The socket ended: closed by the server with `code`, dropped by the client (`own`), or lost."""

    client: str
    connection: int
    code: int | None
    own: bool


class Unexpected(Record, frozen=True):
    """The server sent something that docs/native.md does not have."""

    client: str
    sentence: str


class Fault(Record, frozen=True):
    """The server process ended. `how` is `kill`, `drain` or a crash point; `code` is None if it had to be killed."""

    how: str
    code: int | None
    seconds: float


class Opened(Record, frozen=True):
    """A socket was opened to the node at `url`."""

    client: str
    connection: int
    url: str


class Trouble(Record, frozen=True):
    """Something beside the server's processes was disturbed for some seconds, from `at`. `how` says what, and how.

    `bus`: nodes cannot hear each other meanwhile. `overlaps`: something else was disturbed at the same time.
    """

    how: str
    seconds: float
    bus: bool = False
    overlaps: bool = False


Verdict = Literal["next", "repeat", "gap"]


def judge(position: int, seq: int) -> Verdict:
    """Compare a seq with a position, as docs/native.md, "Events", says: apply, ignore, or sync."""
    if seq == position + 1:
        return "next"
    return "repeat" if seq <= position else "gap"


class Journal:
    """All records of a run, in order."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.records: list[Record] = []

    def add(self, record: Record) -> None:
        self.records.append(record)

    def save(self, path: Path) -> None:
        """Write the records as JSON lines."""
        encoder = msgspec.json.Encoder()
        path.write_bytes(b"".join(encoder.encode(record) + b"\n" for record in self.records))
