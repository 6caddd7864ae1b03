"""Connections that are behind: resuming, slow, or joined just now. Each reads the log from a cursor of its own.

Catching up is pull: one page of one log at a time, the next as the socket drains, nothing held in memory. A
subscriber becomes live in the very turn in which it has reached what was delivered to the others.
"""

import logging
from collections.abc import Callable

from veche.hub.subscriber import Subscriber, Subscription
from veche.hub.topic import Topic
from veche.hub.topics import PAGE, Page, Pull

log = logging.getLogger("veche.hub")


class CatchUp:
    """`settle(topic)` writes all that a topic's live subscribers still wait for."""

    def __init__(self, pull: Pull, settle: Callable[[Topic], None]) -> None:
        self._pull = pull
        self._settle = settle

    def begin(self, subscription: Subscription) -> None:
        """Count a subscription as behind, from its `seq` on."""
        subscription.topic.put(subscription, live=False)
        subscription.subscriber.behind.append(subscription)

    def go_on(self, subscriber: Subscriber) -> None:
        """Make live what has caught up, or else ask for the next page."""
        for subscription in tuple(subscriber.behind):
            if subscriber.slow or subscriber.pulling:
                return
            if subscription.topic.delivered is not None and subscription.stands():
                self._advance(subscription)

    def _advance(self, subscription: Subscription) -> None:
        topic, subscriber = subscription.topic, subscription.subscriber
        self._settle(topic)  # which may bring this very subscriber on
        if subscriber.slow or subscriber.pulling or subscription not in subscriber.behind or topic.delivered is None:
            return
        if subscription.seq is not None and subscription.seq < topic.delivered:
            self._ask(subscription, subscription.seq, topic.delivered)
        elif topic.delivered >= max(subscription.seq or 0, subscription.promised):
            subscriber.behind.remove(subscription)
            topic.put(subscription, live=True)
            subscriber.listener.caught_up(topic.log_id)

    def _ask(self, subscription: Subscription, after: int, upto: int) -> None:
        def reply(events: Page | None) -> None:
            subscription.subscriber.pulling = False
            if subscription.stands():
                self._write(subscription, events)
            self.go_on(subscription.subscriber)

        subscription.subscriber.pulling = True
        self._pull(reply, subscription.topic.log_id, after, upto, PAGE)

    def _write(self, subscription: Subscription, events: Page | None) -> None:
        if not events:  # the log has a hole, or cannot be read now
            subscription.subscriber.listener.lost()
            return
        serializer = subscription.serializer
        try:
            payloads = [data for event in events if (data := serializer.encode(event)) is not None]
        except Exception:
            log.exception("the form %s cannot be made of a page of log %d", serializer.name, subscription.topic.log_id)
            subscription.subscriber.listener.lost()
            return
        subscription.seq = events[-1].seq
        if payloads:
            subscription.subscriber.write(b"".join(map(serializer.frame, payloads)))
