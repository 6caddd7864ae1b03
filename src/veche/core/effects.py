"""What an event changes for connected clients: which logs they hear, and whether their sessions go on.

The hub applies effects. It needs to know nothing else of an event.
"""

from typing import NamedTuple, TypeAlias

from veche.core.values import LogId


class Open(NamedTuple):
    """The account's connections hear a log, from the entry after `after` on."""

    account_id: int
    log_id: LogId
    after: int


class Close(NamedTuple):
    """The account's connections hear a log no more. The account left with entry `seq` of that log.

    `seq` is None in entries that were stored before it was noted; `at` is the time of the event in microseconds.
    """

    account_id: int
    log_id: LogId
    seq: int | None
    at: int


class End(NamedTuple):
    """Sessions of the account end: the one named, or all but `kept`."""

    account_id: int
    session_id: str | None
    kept: str | None

    def ends(self, session_id: str) -> bool:
        """Tell whether a session is among those that end."""
        return session_id == self.session_id if self.session_id else session_id != self.kept


Effect: TypeAlias = Open | Close | End
