"""Each subscriber follows its account's own log: what is there takes effect on its connection, once and in order.

The own log says which rooms the account joined and left, and which sessions ended. It is followed without a
serializer: nothing is written, and a slow socket delays nothing. An announcement that was lost is found as in any
topic, by comparing heads.
"""

from collections.abc import Callable

from veche.core.effects import Effect
from veche.core.event import LogEvent
from veche.core.values import LogId, account_log
from veche.hub.listener import call
from veche.hub.topic import Subscriber, Topic
from veche.hub.topics import PAGE, Page, Pull, Topics


class OwnLogs:
    """The subscribers of each account, and their positions in its own log.

    `apply(subscriber, effect)` is called with each effect after the position at which the subscriber began.
    """

    def __init__(self, topics: Topics, pull: Pull, apply: Callable[[Subscriber, Effect], None]) -> None:
        self._topics = topics
        self._pull = pull
        self._apply_effect = apply
        self._subscribers: dict[LogId, dict[Subscriber, None]] = {}  # in the order in which they came

    def subscribers(self, account_id: int) -> list[Subscriber]:
        """List the subscribers of an account."""
        return list(self._subscribers.get(account_log(account_id), ()))

    def attach(self, subscriber: Subscriber) -> None:
        """Listen to the own log. Nothing takes effect before `begin`."""
        log_id = account_log(subscriber.account.id)
        self._subscribers.setdefault(log_id, {})[subscriber] = None
        self._topics.open(log_id).followed = True

    def begin(self, subscriber: Subscriber, own_seq: int) -> None:
        """Apply effects from the entry after `own_seq` on; harmless for a subscriber that was detached."""
        if self._is_attached(subscriber):
            subscriber.own_seq = own_seq
            self._catch_up(subscriber)

    def detach(self, subscriber: Subscriber) -> None:
        """Stop following the own log; harmless twice."""
        subscriber.own_seq = None
        log_id = account_log(subscriber.account.id)
        if (subscribers := self._subscribers.get(log_id)) is None:
            return
        subscribers.pop(subscriber, None)
        if not subscribers:
            del self._subscribers[log_id]
            if (topic := self._topics.get(log_id)) is not None:
                topic.followed = False
                self._topics.close_if_unused(topic)

    def opened(self, topic: Topic) -> None:
        """Go on, now that the head of an own log is known; if it could not be read, the subscribers are lost."""
        if self._topics.get(topic.log_id) is not topic:  # closed while its head was read
            return
        for subscriber in tuple(self._subscribers.get(topic.log_id, ())):
            if topic.delivered is None:
                call(subscriber.listener.lost)
            else:
                self._catch_up(subscriber)

    def take(self, event: LogEvent) -> None:
        """Apply an entry that its topic has just taken to all who have reached the entry before it."""
        for subscriber in tuple(self._subscribers.get(event.log_id, ())):
            self._apply(subscriber, event)

    def _apply(self, subscriber: Subscriber, event: LogEvent) -> None:
        if subscriber.own_seq != event.seq - 1:  # not begun, not yet reached, or applied already
            return
        subscriber.own_seq = event.seq
        for effect in event.effects():
            if self._is_attached(subscriber):  # the effect before may have closed it
                self._apply_effect(subscriber, effect)

    def _catch_up(self, subscriber: Subscriber) -> None:
        """Read what the topic took before this subscriber reached it. Later entries are applied as they are taken."""
        topic, after = self._topics.get(account_log(subscriber.account.id)), subscriber.own_seq
        if topic is None or topic.delivered is None or after is None or after >= topic.head:
            return

        def reply(events: Page | None) -> None:
            if not self._is_attached(subscriber):
                return
            for event in events or ():
                self._apply(subscriber, event)
            if subscriber.own_seq == after and self._is_attached(subscriber):
                call(subscriber.listener.lost)  # the log has a hole, or cannot be read now
            else:
                self._catch_up(subscriber)

        self._pull(reply, topic.log_id, after, topic.head, PAGE)

    def _is_attached(self, subscriber: Subscriber) -> bool:
        return subscriber in self._subscribers.get(account_log(subscriber.account.id), ())
