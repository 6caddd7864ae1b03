"""Subscriptions that are behind: resuming, slow, or new. Each reads the log from a cursor of its own.

Catching up is pull: one page of one log at a time, the next as the socket drains, nothing held in memory. A
subscription becomes live in the same turn in which it reaches what was delivered to the others.
"""

import logging
from collections.abc import Callable

from veche.core.effects import Close
from veche.hub.listener import call
from veche.hub.topic import Subscriber, Subscription, Topic
from veche.hub.topics import PAGE, Page, ReadPage

log = logging.getLogger("veche.hub")


class CatchUp:
    """`flush(topic)` writes all that waits for the live subscribers of a topic.

    `close(subscriber, effect)` ends a subscription whose member has left.
    """

    def __init__(
        self, pull: ReadPage, flush: Callable[[Topic], None], close: Callable[[Subscriber, Close], None]
    ) -> None:
        self._pull = pull
        self._flush = flush
        self._close = close

    def begin(self, subscription: Subscription) -> None:
        """Count a subscription as behind, from its `seq` on."""
        subscription.topic.set_live(subscription, False)
        subscription.subscriber.behind.append(subscription)

    def advance(self, subscriber: Subscriber) -> None:
        """Make live what has caught up, or else ask for the next page."""
        for subscription in tuple(subscriber.behind):
            if subscriber.slow or subscriber.pulling:
                return
            if subscription.topic.delivered is not None and subscription.is_current():
                self._advance_one(subscription)

    def _advance_one(self, subscription: Subscription) -> None:
        topic, subscriber = subscription.topic, subscription.subscriber
        self._flush(topic)  # this may advance this very subscriber
        if subscriber.slow or subscriber.pulling or subscription not in subscriber.behind or topic.delivered is None:
            return
        if subscription.seq is not None and subscription.seq < topic.delivered:
            self._read_page(subscription, subscription.seq, topic.delivered)
        elif topic.delivered >= max(subscription.seq or 0, subscription.promised):
            subscriber.behind.remove(subscription)
            topic.set_live(subscription, True)
            call(subscriber.listener.caught_up, topic.log_id)

    def _read_page(self, subscription: Subscription, after: int, upto: int) -> None:
        def reply(events: Page | None) -> None:
            subscription.subscriber.pulling = False
            if subscription.is_current():
                self._take_page(subscription, events)
            self.advance(subscription.subscriber)

        subscription.subscriber.pulling = True
        self._pull(reply, subscription.topic.log_id, after, upto, PAGE)

    def _take_page(self, subscription: Subscription, events: Page | None) -> None:
        if not events:  # the log has a hole, or cannot be read now
            call(subscription.subscriber.listener.lost)
            return
        events, close = _up_to_close(subscription, events)
        self._write_page(subscription, events)
        if close is not None and subscription.is_current():
            self._close(subscription.subscriber, close)

    def _write_page(self, subscription: Subscription, events: Page) -> None:
        serializer = subscription.serializer
        try:
            shown = [event for event in events if event.seq > subscription.after]
            payloads = [data for event in shown if (data := serializer.encode(event)) is not None]
        except Exception:
            log.exception("serializer %s failed for a page of log %d", serializer.name, subscription.topic.log_id)
            call(subscription.subscriber.listener.lost)
            return
        subscription.seq = events[-1].seq
        if payloads:
            subscription.subscriber.write(b"".join(map(serializer.frame, payloads)))


def _up_to_close(subscription: Subscription, events: Page) -> tuple[Page, Close | None]:
    """Cut a page after the entry with which the member left: nothing after it is for them."""
    for count, event in enumerate(events, 1):
        for effect in event.effects():
            if isinstance(effect, Close) and subscription.ends_with(effect):
                return events[:count], effect
    return events, None
