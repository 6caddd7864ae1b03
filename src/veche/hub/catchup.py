"""Connections that are behind: resuming, slow, or joined just now. Each reads the log from a cursor of its own.

Catching up is pull: one page of one log at a time, the next as the socket drains, nothing held in memory. A
connection becomes live in the very turn in which it has reached what was delivered to the others.
"""

import logging
from collections.abc import Callable

from veche.hub.channel import Channel
from veche.hub.channels import PAGE, Page, Pull
from veche.hub.connection import Connection, Subscription

log = logging.getLogger("veche.hub")


class CatchUp:
    """`settle(channel)` writes all that a channel's live connections still wait for."""

    def __init__(self, pull: Pull, settle: Callable[[Channel], None]) -> None:
        self._pull = pull
        self._settle = settle

    def begin(self, subscription: Subscription) -> None:
        """Count a subscription as behind, from its `seq` on."""
        subscription.channel.put(subscription, live=False)
        subscription.connection.behind.append(subscription)

    def go_on(self, connection: Connection) -> None:
        """Make live what has caught up, or else ask for the next page."""
        for subscription in tuple(connection.behind):
            if connection.slow or connection.pulling:
                return
            if subscription.channel.delivered is not None and subscription.stands():
                self._advance(subscription)

    def _advance(self, subscription: Subscription) -> None:
        channel, connection = subscription.channel, subscription.connection
        self._settle(channel)  # which may bring this very connection on
        if connection.slow or connection.pulling or subscription not in connection.behind or channel.delivered is None:
            return
        if subscription.seq is not None and subscription.seq < channel.delivered:
            self._ask(subscription, subscription.seq, channel.delivered)
        elif channel.delivered >= max(subscription.seq or 0, subscription.promised):
            connection.behind.remove(subscription)
            channel.put(subscription, live=True)
            connection.listener.caught_up(channel.log_id)

    def _ask(self, subscription: Subscription, after: int, upto: int) -> None:
        def reply(events: Page | None) -> None:
            subscription.connection.pulling = False
            if subscription.stands():
                self._write(subscription, events)
            self.go_on(subscription.connection)

        subscription.connection.pulling = True
        self._pull(reply, subscription.channel.log_id, after, upto, PAGE)

    def _write(self, subscription: Subscription, events: Page | None) -> None:
        if not events:  # the log has a hole, or cannot be read now
            subscription.connection.listener.lost()
            return
        shape = subscription.shape
        try:
            payloads = [data for event in events if (data := shape.encode(event)) is not None]
        except Exception:
            log.exception("the form %s cannot be made of a page of log %d", shape.name, subscription.channel.log_id)
            subscription.connection.listener.lost()
            return
        subscription.seq = events[-1].seq
        if payloads:
            subscription.connection.write(b"".join(map(shape.frame, payloads)))
