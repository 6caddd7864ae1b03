"""What a worker gets from the parent of all workers, as one JSON argument. This module has few imports."""

import json
import os
from typing import NamedTuple, Self


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
    """The worker writes to it when clients can connect."""
    lifeline: int
    """Nobody writes to it. It ends when the parent does."""

    def text(self) -> str:
        """Return the argument. `parse` reads it."""
        return json.dumps(self._asdict())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the argument."""
        fields = json.loads(text)
        return cls(**{**fields, "listeners": tuple(fields["listeners"])})

    def report_ready(self) -> None:
        """Tell the parent that clients can connect."""
        os.write(self.ready, b"1")
        os.close(self.ready)


class Plan(NamedTuple):
    """What `veche serve` tells the program that it becomes: the parent of all workers."""

    workers: int
    listeners: tuple[int, ...]
    greeting: str
    log_format: str
    stop_seconds: float
    """How long a worker may take to stop before it is killed."""

    def text(self) -> str:
        """Return the argument. `parse` reads it."""
        return json.dumps(self._asdict())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the argument."""
        fields = json.loads(text)
        return cls(**{**fields, "listeners": tuple(fields["listeners"])})
