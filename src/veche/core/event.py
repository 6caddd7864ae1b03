"""The base classes of events, and of what is no event. Each is declared in the file of its subject."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from veche.core.effects import Effect
from veche.core.facts import Rows
from veche.core.values import Head, LogId, Person

SMALL = 64  # the size of an event without text, in bytes


class Event(msgspec.Struct, frozen=True, gc=False):
    """A change of rows. It is stored, but only a LogEvent is also announced to clients."""

    def apply(self, rows: Rows) -> None:
        """Change the rows that later commands of the same transaction read.

        To read rows, use `peek` or `items`, not `get`.
        """


class LogEvent(Event, frozen=True, gc=False):
    """An entry of a log. It is stored with its seq, announced after the commit, and read again when a client resumes.

    `kind` is the name under which this type of event is stored. `stored_as` has the stored name of each field that
    is stored under another name. A dialect sends nothing for an event that it does not encode.
    """

    kind: ClassVar[str]
    stored_as: ClassVar[Mapping[str, str]] = {}
    log_id: LogId
    seq: int
    at: int

    def effects(self) -> tuple[Effect, ...]:
        """Return what the event changes for connected clients."""
        return ()

    @property
    def size(self) -> int:
        """About how many bytes the event has. The hub uses it to limit how much it writes at once."""
        return SMALL

    def next_head(self, head: Head) -> Head:
        """Return the head of the log after this event. `head` is the head before it."""
        return Head(self.seq, head.message_count, head.last_message_id)


class Ephemeral(msgspec.Struct, frozen=True, gc=False):
    """What a person does in a room at this moment. It is in no log, and is shown to whoever is connected now.

    It may be lost, and nobody asks for it again.
    """

    log_id: LogId
    person: Person
