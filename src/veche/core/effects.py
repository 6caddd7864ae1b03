"""Effects: what an event changes for connected clients.

An effect opens a log for them, closes a log, ends sessions, or tells the names of their account. The hub applies the
effects of an event, and does not look at what kind of event it is.
"""

from typing import NamedTuple, TypeAlias

from veche.core.values import LogId, Person


class Open(NamedTuple):
    """The account's connections may subscribe to a log now, from the entry after seq `after`."""

    account_id: int
    log_id: LogId
    after: int


class Close(NamedTuple):
    """The account's connections no longer get the entries of a log.

    `seq` is the seq of the entry in that log with which the account left. It is None for entries that an older version
    stored without it. `at` is the time of the event in microseconds since 1970.
    """

    account_id: int
    log_id: LogId
    seq: int | None
    at: int


class End(NamedTuple):
    """Sessions of the account end: only `session_id` if it is set, otherwise all except `kept`."""

    account_id: int
    session_id: str | None
    kept: str | None

    def ends(self, session_id: str) -> bool:
        """Return whether this effect ends the session with this id."""
        return session_id == self.session_id if self.session_id else session_id != self.kept


class Renamed(NamedTuple):
    """An account has other names: what everybody may see of it now is `person`."""

    account_id: int
    person: Person


Effect: TypeAlias = Open | Close | End | Renamed
