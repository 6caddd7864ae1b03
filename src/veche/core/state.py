"""The state of one transaction: the rows it has read and the events it has recorded.

The commands of a transaction are decided one after another.
"""

from collections.abc import Callable

from veche.core.event import Event, LogEvent
from veche.core.facts import Fact, Needs, Rows
from veche.core.rules import NO_RULES, Rules
from veche.core.values import Head, LogId

HEADS: Fact[LogId, Head] = Fact("heads")
_HEAD_OF_EMPTY_LOG = Head()


class State(Rows):
    """The rows, the events recorded so far, the time of the command being decided, new ids, and the rules."""

    now: int

    def __init__(self, new_id: Callable[[str], int], rules: Rules = NO_RULES) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.rules = rules
        self.new_id = new_id
        """Returns the next free id of a table. Call it after all checks: a refused command must not use up an id."""

    def begin(self, asked: Needs, now: int) -> None:
        """Set which rows the next command may read, and its time `now` in microseconds since 1970."""
        self.allow(asked)
        self.now = now

    def head(self, log_id: LogId) -> Head:
        """Return the head of a log."""
        return self.get(HEADS, log_id) or _HEAD_OF_EMPTY_LOG

    def next_seq(self, log_id: LogId) -> int:
        """Return the seq that the next entry of a log takes."""
        return self.head(log_id).last_seq + 1

    def record(self, event: Event) -> None:
        """Record an event and apply it to the rows, so that later commands of this transaction see it."""
        self.events.append(event)
        event.apply(self)
        if isinstance(event, LogEvent):
            self.put(HEADS, event.log_id, event.next_head(self.peek(HEADS, event.log_id) or _HEAD_OF_EMPTY_LOG))

    def log_events(self) -> list[LogEvent]:
        """Return the recorded events that are log entries, in the order in which they were recorded."""
        return [event for event in self.events if isinstance(event, LogEvent)]
