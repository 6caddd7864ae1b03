"""What the hub tells a dialect of its subscriber."""

from typing import Protocol

from veche.core.rooms import LogId


class Listener(Protocol):
    """What a dialect is told about its subscriber, on the loop."""

    def caught_up(self, log_id: LogId) -> None:
        """Everything there is of this log was written; from now on it is live."""

    def entered(self, room_id: int, after: int) -> None:
        """The account is in a room now that is not heard here, from the entry after `after` on; may be told twice."""

    def removed(self, room_id: int) -> None:
        """The account is no longer in a room; nothing more of it will be written. May be told twice."""

    def session_ended(self) -> None:
        """The session was ended: say so and close."""

    def lost(self) -> None:
        """The hub lost the subscriber's place: close, so that it comes back and resumes."""
