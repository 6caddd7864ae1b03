"""What the hub tells a dialect of its subscriber."""

from typing import Protocol

from veche.core.rooms import LogId


class Listener(Protocol):
    """What a dialect is told about its subscriber, on the loop."""

    def caught_up(self, log_id: LogId) -> None:
        """Everything there is of this log was written; from now on it is live."""

    def joined(self, room_id: int, after: int) -> None:
        """The account joined a room that is not subscribed here; its log goes on after `after`."""

    def removed(self, room_id: int, seq: int) -> None:
        """The account left a room with entry `seq` of its log; nothing more of it is written. May be called twice."""

    def session_ended(self) -> None:
        """The session was ended: say so and close."""

    def lost(self) -> None:
        """The hub lost the subscriber's place: close, so that it comes back and resumes."""
