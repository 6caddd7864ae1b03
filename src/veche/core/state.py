"""What one transaction knows and records while its commands are decided one after another."""

from collections.abc import Callable

from veche.core.event import Event, LogEvent
from veche.core.facts import Fact, Needs, Rows
from veche.core.values import Head, LogId

HEADS: Fact[LogId, Head] = Fact("heads")
_NO_HEAD = Head()


class State(Rows):
    """The rows, the events recorded so far, the time of the command being decided, and new ids."""

    def __init__(self, new_id: Callable[[str], int]) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.now = 0
        self.new_id = new_id
        """Gives the next free id of a table, by its name. A refused command takes none."""

    def begin(self, needs: Needs, now: int) -> None:
        """Decide the next command: it may read what its needs ask for. `now` is in microseconds since 1970."""
        self._asked = needs
        self.now = now

    def head(self, log_id: LogId) -> Head:
        """Return the head of a log."""
        return self.get(HEADS, log_id) or _NO_HEAD

    def next_seq(self, log_id: LogId) -> int:
        """Return the seq that the next entry of a log takes."""
        return self.head(log_id).last_seq + 1

    def record(self, event: Event) -> None:
        """Record what happened: later commands of the transaction see it."""
        self.events.append(event)
        event.apply(self)
        if isinstance(event, LogEvent):
            self.put(HEADS, event.log_id, event.next_head(self.peek(HEADS, event.log_id) or _NO_HEAD))

    def log_events(self) -> list[LogEvent]:
        """Give the entries of logs among the events, in the order in which they were recorded."""
        return [event for event in self.events if isinstance(event, LogEvent)]
