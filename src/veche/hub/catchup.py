"""Catches up subscriptions that are behind, for example because they are new, are resuming, or were too slow.

Each subscription reads the log from its own cursor. For each subscriber, one page of one log is read at a time. The
next page is read only when its socket has room. No pages are kept in memory. A subscription becomes live in the turn of
the loop in which it has read up to the topic's `live_seq`, provided that `live_seq` has reached `promised`.
"""

import logging
from collections.abc import Callable

from veche.core.effects import Close
from veche.hub.listener import call
from veche.hub.topic import Subscriber, Subscription, Topic
from veche.hub.topics import PAGE, Page, ReadPage

logger = logging.getLogger("veche.hub")


class CatchUp:
    """`flush(topic)` writes all entries that are pending for the live subscribers of a topic.

    `close(subscriber, effect)` ends the subscription of an account that has left the room.
    """

    def __init__(
        self, pull: ReadPage, flush: Callable[[Topic], None], close: Callable[[Subscriber, Close], None]
    ) -> None:
        self._pull = pull
        self._flush = flush
        self._close = close

    def start_catching_up(self, subscription: Subscription) -> None:
        """Mark a subscription as behind. It reads the log after its `seq`."""
        subscription.topic.set_live(subscription, False)
        subscription.subscriber.behind.append(subscription)

    def advance(self, subscriber: Subscriber) -> None:
        """Make each subscription live that has caught up.

        At the first one that must read a page, start that read and stop.
        """
        for subscription in tuple(subscriber.behind):
            if subscriber.slow or subscriber.reading_page:
                return
            if subscription.topic.live_seq is not None and subscription.is_current():
                self._advance_one(subscription)

    def _advance_one(self, subscription: Subscription) -> None:
        topic, subscriber = subscription.topic, subscription.subscriber
        self._flush(topic)  # may advance this subscriber, so check its state again
        if (
            subscriber.slow
            or subscriber.reading_page
            or subscription not in subscriber.behind
            or topic.live_seq is None
        ):
            return
        if subscription.seq is not None and subscription.seq < topic.live_seq:
            self._read_page(subscription, subscription.seq, topic.live_seq)
        elif topic.live_seq >= max(subscription.seq or 0, subscription.promised):
            subscriber.behind.remove(subscription)
            topic.set_live(subscription, True)
            call(subscriber.listener.caught_up, topic.log_id)

    def _read_page(self, subscription: Subscription, after: int, upto: int) -> None:
        def reply(events: Page | None) -> None:
            subscription.subscriber.reading_page = False
            if subscription.is_current():
                self._handle_page(subscription, events)
            self.advance(subscription.subscriber)

        subscription.subscriber.reading_page = True
        self._pull(reply, subscription.topic.log_id, after, upto, PAGE, subscription.subscriber.party)

    def _handle_page(self, subscription: Subscription, events: Page | None) -> None:
        if not events:  # the log has a gap, or it cannot be read now
            call(subscription.subscriber.listener.lost)
            return
        events, close = _cut_after_close(subscription, events)
        self._write_page(subscription, events)
        if close is not None and subscription.is_current():
            self._close(subscription.subscriber, close)

    def _write_page(self, subscription: Subscription, events: Page) -> None:
        serializer = subscription.serializer
        try:
            shown = [event for event in events if event.seq > subscription.after]
            payloads = [data for event in shown if (data := serializer.encode(event)) is not None]
        except Exception:
            logger.exception("serializer %s failed for a page of log %d", serializer.name, subscription.topic.log_id)
            call(subscription.subscriber.listener.lost)
            return
        subscription.seq = events[-1].seq
        if payloads:
            subscriber = subscription.subscriber
            # An answer that the fan-out holds for this subscriber comes before the events.
            subscriber.write(subscriber.take_held() + b"".join(map(serializer.frame, payloads)))


def _cut_after_close(subscription: Subscription, events: Page) -> tuple[Page, Close | None]:
    """Cut a page after the entry with which the account left the room. The account may not see later entries.

    Return the page, and the Close of that entry or None.
    """
    for count, event in enumerate(events, 1):
        for effect in event.effects():
            if isinstance(effect, Close) and subscription.is_ended_by(effect):
                return events[:count], effect
    return events, None
