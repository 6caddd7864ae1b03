"""What the parent of all workers and its workers get, each as one JSON argument. This module has few imports."""

import json
import os
from typing import NamedTuple, TypeVar

LISTENS, READY = b"l", b"r"
"""What a worker writes to its pipe."""


class Place(NamedTuple):
    """The place of one worker. `listeners`, `ready` and `lifeline` are inherited file descriptors."""

    number: int
    """The number of the worker. No other one gets it as long as the parent runs."""
    machine: str
    """The same for all workers of one parent."""
    folder: str
    """Has the Unix sockets over which the workers pass requests to each other."""
    listeners: tuple[int, ...]
    ready: int
    """The worker writes `LISTENS` to it, and then `READY`."""
    lifeline: int
    """Nobody writes to it. It ends when the parent does."""

    def report_listening(self) -> None:
        """Tell the parent that clients can connect."""
        os.write(self.ready, LISTENS)

    def report_ready(self) -> None:
        """Tell the parent that this worker should get clients: it can replace another one. Called once."""
        os.write(self.ready, READY)
        os.close(self.ready)


class Plan(NamedTuple):
    """What `veche serve` tells the program that it becomes: the parent of all workers."""

    workers: int
    listeners: tuple[int, ...]
    greeting: str
    log_format: str
    stop_seconds: float
    """How long a worker may take to stop before it is killed."""
    start_seconds: float
    """How long a worker may take until clients can connect, and a new one until it should get clients."""


T = TypeVar("T", Place, Plan)


def as_argument(value: Place | Plan) -> str:
    """Return the argument for the program that gets it. `from_argument` reads it."""
    return json.dumps(value._asdict())


def from_argument(kind: type[T], text: str) -> T:
    """Read an argument that `as_argument` made."""
    fields = json.loads(text)
    return kind(**{**fields, "listeners": tuple(fields["listeners"])})
