"""What happened: the two base classes of events. Each event is declared in the file of its subject."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from veche.core.effects import Effect
from veche.core.facts import Rows
from veche.core.values import Head, LogId

SMALL = 64  # bytes that an event without text counts as


class Event(msgspec.Struct, frozen=True, gc=False):
    """A change of rows. It is stored; nobody hears of it."""

    def apply(self, rows: Rows) -> None:
        """Change the rows that later commands of the same transaction read. Reads with `peek` only."""


class LogEvent(Event, frozen=True, gc=False):
    """An entry of a log: stored with its seq, announced once it is committed, read again by clients that resume.

    A dialect that does not name an event shows nothing of it. `kind` is the name under which it is stored;
    `stored_as` has the stored names of fields where they differ.
    """

    kind: ClassVar[str]
    stored_as: ClassVar[Mapping[str, str]] = {}
    log_id: LogId
    seq: int
    at: int

    def effects(self) -> tuple[Effect, ...]:
        """What it changes for connected clients."""
        return ()

    @property
    def size(self) -> int:
        """About how many bytes it has; bounds what is written at once."""
        return SMALL

    def next_head(self, head: Head) -> Head:
        """Return the head of its log after it."""
        return Head(self.seq, head.message_count, head.last_message_id)
