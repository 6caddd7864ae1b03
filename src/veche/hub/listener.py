"""What the hub calls on a dialect: one listener for each subscriber."""

import logging
from collections.abc import Callable
from typing import ParamSpec, Protocol

from veche.core.values import LogId

P = ParamSpec("P")

log = logging.getLogger("veche.hub")


class Listener(Protocol):
    """Called on the loop."""

    def caught_up(self, log_id: LogId) -> None:
        """Everything there is of this log was written; from now on it is live."""

    def joined(self, room_id: int, after: int) -> None:
        """The account joined a room that is not subscribed here; its log goes on after `after`."""

    def removed(self, room_id: int, seq: int) -> None:
        """The account left a room with entry `seq` of its log; nothing more of it is written. May be called twice.

        Without a subscription it is called too: a dialect may have checked the membership and not subscribed yet. If
        the check saw the room at `seq` or later, the account has joined again since, and the call is out of date.
        """

    def session_ended(self) -> None:
        """The session was ended: say so and close."""

    def lost(self) -> None:
        """The hub lost the subscriber's position: close the connection, so that the client reconnects and resumes."""


def call(callback: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call a listener's callback. Its failure is logged, and keeps no other listener from being called."""
    try:
        callback(*args, **kwargs)
    except Exception:
        log.exception("the listener failed: %r%r", callback, args)
