"""Applies the entries of an account's own log to the account's connections.

The own log records which rooms the account joined and left, and which sessions ended. Each entry takes effect on each
connection once and in order. No serializer is used here, and nothing is written to the socket, so a slow socket does
not delay the effects. A lost announcement is found in the same way as for every topic, by comparing heads.
"""

from collections.abc import Callable

from veche.core.effects import Effect
from veche.core.event import LogEvent
from veche.core.values import LogId, account_log
from veche.hub.listener import call
from veche.hub.topic import Subscriber, Topic
from veche.hub.topics import PAGE, Page, ReadPage, Topics


class OwnLogs:
    """The subscribers of each account, and their positions in its own log.

    `apply(subscriber, effect)` is called for each effect of the entries after the seq that was given to `begin`.
    """

    def __init__(self, topics: Topics, pull: ReadPage, apply: Callable[[Subscriber, Effect], None]) -> None:
        self._topics = topics
        self._pull = pull
        self._apply_effect = apply
        self._subscribers: dict[LogId, dict[Subscriber, None]] = {}  # in the order of `attach`

    def subscribers(self, account_id: int) -> list[Subscriber]:
        """List the subscribers of an account."""
        return list(self._subscribers.get(account_log(account_id), ()))

    def everybody(self) -> list[Subscriber]:
        """List all subscribers."""
        return [subscriber for subscribers in self._subscribers.values() for subscriber in subscribers]

    def session_ids(self) -> set[str]:
        """Return the ids of the sessions of all subscribers."""
        return {subscriber.session_id for subscriber in self.everybody()}

    def surplus(self, account_id: int, at_most: int) -> Subscriber | None:
        """Return the subscriber of an account that was attached first, if the account has more than `at_most`."""
        subscribers = self._subscribers.get(account_log(account_id), {})
        return next(iter(subscribers)) if len(subscribers) > at_most else None

    def attach(self, subscriber: Subscriber) -> None:
        """Register a subscriber, and open the topic of its account's own log.

        No effects are applied before `begin` is called.
        """
        log_id = account_log(subscriber.account.id)
        self._subscribers.setdefault(log_id, {})[subscriber] = None
        self._topics.open(log_id).followed = True

    def begin(self, subscriber: Subscriber, own_seq: int) -> None:
        """Start to apply effects, from the entry after `own_seq`. If the subscriber was detached, do nothing."""
        if self._is_attached(subscriber):
            subscriber.own_seq = own_seq
            self._catch_up(subscriber)

    def detach(self, subscriber: Subscriber) -> None:
        """Stop following the own log. May be called twice."""
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

    def on_topic_opened(self, topic: Topic) -> None:
        """Let the subscribers that follow this log catch up. Called when reading the head of a topic has finished.

        If the head could not be read, call `lost` on their listeners.
        """
        if self._topics.get(topic.log_id) is not topic:  # closed while its head was read
            return
        for subscriber in tuple(self._subscribers.get(topic.log_id, ())):
            if topic.live_seq is None:
                call(subscriber.listener.lost)
            else:
                self._catch_up(subscriber)

    def lose(self, topic: Topic) -> None:
        """Call `lost` on the listeners of the subscribers that follow this log."""
        for subscriber in tuple(self._subscribers.get(topic.log_id, ())):
            call(subscriber.listener.lost)

    def apply_to_all(self, event: LogEvent) -> None:
        """Apply a new entry of an own log to each subscriber whose position is the entry before it."""
        for subscriber in tuple(self._subscribers.get(event.log_id, ())):
            self._apply_entry(subscriber, event)

    def _apply_entry(self, subscriber: Subscriber, event: LogEvent) -> None:
        # `begin` was not called, an earlier entry is still missing, or the entry was applied already.
        if subscriber.own_seq != event.seq - 1:
            return
        subscriber.own_seq = event.seq
        for effect in event.effects():
            if self._is_attached(subscriber):  # the previous effect may have detached it
                self._apply_effect(subscriber, effect)

    def _catch_up(self, subscriber: Subscriber) -> None:
        """Read the entries between this subscriber's position and the topic's head, and apply them.

        Later entries are applied by `apply_to_all`.
        """
        topic, after = self._topics.get(account_log(subscriber.account.id)), subscriber.own_seq
        if topic is None or topic.live_seq is None or after is None or after >= topic.head_seq:
            return

        def reply(events: Page | None) -> None:
            if not self._is_attached(subscriber):
                return
            for event in events or ():
                self._apply_entry(subscriber, event)
            if subscriber.own_seq == after and self._is_attached(subscriber):
                call(subscriber.listener.lost)  # the log has a gap, or it cannot be read now
            else:
                self._catch_up(subscriber)

        self._pull(reply, topic.log_id, after, topic.head_seq, PAGE, subscriber.party)

    def _is_attached(self, subscriber: Subscriber) -> bool:
        return subscriber in self._subscribers.get(account_log(subscriber.account.id), ())
