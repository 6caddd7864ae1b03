"""What an event does to the connections of an account: which logs they begin or stop to hear, which sessions end."""

from typing import TypeAlias

import msgspec

from veche.core.rooms import LogId


class Open(msgspec.Struct, frozen=True, gc=False):
    """The account's connections begin to hear a log, from the entry after `after` on."""

    account_id: int
    log_id: LogId
    after: int


class Close(msgspec.Struct, frozen=True, gc=False):
    """The account's connections stop hearing a log: the account left with entry `seq` of it.

    None: an entry of an older version, which does not say so. `at`: microseconds since 1970 in UTC.
    """

    account_id: int
    log_id: LogId
    seq: int | None
    at: int


class End(msgspec.Struct, frozen=True, gc=False):
    """Sessions of the account end: the one named, or all but `kept`."""

    account_id: int
    session_id: str | None
    kept: str | None

    def ends(self, session_id: str) -> bool:
        """Tell whether a session is among those that end."""
        return session_id == self.session_id if self.session_id else session_id != self.kept


Effect: TypeAlias = Open | Close | End
