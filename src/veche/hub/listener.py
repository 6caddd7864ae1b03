"""What the hub calls on a dialect: one listener for each subscriber."""

import logging
from collections.abc import Callable
from typing import ParamSpec, Protocol

from veche.core.values import LogId

P = ParamSpec("P")

logger = logging.getLogger("veche.hub")


class Listener(Protocol):
    """Receives what happens to one subscriber. The callbacks run on the event loop and must not block."""

    def caught_up(self, log_id: LogId) -> None:
        """All entries of this log up to now were written. The subscription is live."""

    def joined(self, room_id: int, after: int) -> None:
        """The account joined a room that has no subscription of this subscriber.

        `after` is the room's head before the join.
        """

    def removed(self, room_id: int, seq: int) -> None:
        """The account left a room with entry `seq` of its log. No later entry is written. May be called twice.

        Also called without a subscription, because a dialect may have checked the membership and not subscribed yet.
        If the room's head at the check was `seq` or higher, the account has joined again, and the call is out of date.
        """

    def session_ended(self) -> None:
        """The session ended: tell the client so, and close the connection."""

    def crowded_out(self) -> None:
        """The account has too many clients, and this one connected first: close the connection."""

    def replaced(self) -> None:
        """The account has a newer client in this dialect, perhaps on another node. Most dialects allow that."""

    def lost(self) -> None:
        """The hub lost the subscriber's position: close the connection, so that the client reconnects and resumes."""


def call(callback: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call a listener's callback. Log an exception and do not raise it, so that other listeners are still called."""
    try:
        callback(*args, **kwargs)
    except Exception:
        logger.exception("the listener failed: %r%r", callback, args)
