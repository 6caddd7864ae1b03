"""The hub: who is connected here, and which logs they hear.

Gets: committed entries, as the bus announces them in the order of their logs. Gives: each entry once and in order to
every subscriber of its log (`fanout` for live ones, `catchup` for those behind), and to the dialects what entries do
to their connections: a room is joined or left, a session ends. The hub knows no kind of event: events carry effects.
"""

import time
from collections.abc import Callable, Iterable, Sequence

from veche.core.effects import Close, Effect, End, Open
from veche.core.event import LogEvent
from veche.core.values import LogId, Person
from veche.hub.catchup import CatchUp
from veche.hub.fanout import FanOut
from veche.hub.listener import call
from veche.hub.own_log import OwnLogs
from veche.hub.serializer import Serializer
from veche.hub.topic import Subscriber, Subscription, Topic
from veche.hub.topics import Heads, Pull, Topics

UNKNOWN_SEQ = 2**63 - 1  # for the entry of an older version that does not say with which seq the member left


def _now() -> int:
    return time.time_ns() // 1000


class Hub:
    """Every subscriber of this process, and every log that is heard here.

    `now` is the clock that entries are stamped with: microseconds since 1970 in UTC.
    """

    def __init__(self, pull: Pull, heads: Heads, now: Callable[[], int] = _now) -> None:
        self._now = now
        self._topics = Topics(pull, heads, self._opened, self.deliver)
        self._catch_up = CatchUp(pull, self._flush, self._close)
        self._fan_out = FanOut(self._catch_up)
        self._own_logs = OwnLogs(self._topics, pull, self._apply)

    # Subscribers.

    def attach(self, subscriber: Subscriber) -> None:
        """Register a subscriber before its session is checked, so that nothing is missed after the check."""
        subscriber.attached_at = self._now()
        self._own_logs.attach(subscriber)

    def begin(self, subscriber: Subscriber, own_seq: int) -> None:
        """Follow the account's own log from the entry after `own_seq`, the head in the snapshot of its session."""
        self._own_logs.begin(subscriber, own_seq)

    def detach(self, subscriber: Subscriber) -> None:
        """Forget a subscriber: what was announced before is written before, and nothing after."""
        for log_id in tuple(subscriber.subscriptions):
            self.unsubscribe(subscriber, log_id)
        self._own_logs.detach(subscriber)

    def slow(self, subscriber: Subscriber) -> None:
        """Note that a transport has too much unsent. May be called from inside a write."""
        self._fan_out.slow(subscriber)

    def drained(self, subscriber: Subscriber) -> None:
        """Note that a transport has room again: the subscriber goes on where it stopped."""
        subscriber.slow = False
        self._catch_up.advance(subscriber)

    def subscribers(self, account_id: int) -> list[Subscriber]:
        """List the subscribers of an account."""
        return self._own_logs.subscribers(account_id)

    def online(self, log_id: LogId) -> list[Person]:
        """List the people whose subscribers hear a log here."""
        topic = self._topics.get(log_id)
        found = topic.subscriptions if topic else ()
        people = {subscription.subscriber.account.id: subscription.subscriber.account for subscription in found}
        return [people[id] for id in sorted(people)]

    @property
    def encodes(self) -> int:
        """How often an event was encoded, counted for tests and metrics."""
        return self._fan_out.encodes

    # Subscriptions.

    def subscribe(
        self,
        subscriber: Subscriber,
        log_id: LogId,
        serializer: Serializer,
        after: int | None,
        promised: int = 0,
        since: int | None = None,
    ) -> None:
        """Let a subscriber hear a log from the entry after `after` on (None: from its head on).

        Register first, read then: what is committed from here on is announced to a topic that listens. The
        subscription has not caught up before entry `promised`: a head read from the database may not be announced yet.

        `since` is the head of the log in the snapshot that showed the account as a member: an entry up to it by which
        the account left is out of date, and what follows it is read, to find out whether the account has left since.
        Left out, it is `after` or `promised`, whichever is higher: then both must come from that snapshot, or be
        older. A subscription that replaces another keeps the other's: a later position is no proof of membership.
        """
        replaced = subscriber.subscriptions.get(log_id)
        self.unsubscribe(subscriber, log_id)
        topic = self._topics.open(log_id)
        self._flush(topic)
        if since is not None:
            checked: int | None = since
        elif replaced is not None:
            since, checked = replaced.since, replaced.position
        else:
            since, checked = max(after or 0, promised), after
        subscription = Subscription(subscriber, topic, serializer, after, promised, since)
        if after is not None and checked is not None:
            subscription.seq = min(after, checked)
        topic.subscriptions[subscription] = None
        subscriber.subscriptions[log_id] = subscription
        self._catch_up.start_catching_up(subscription)
        self._catch_up.advance(subscriber)

    def unsubscribe(self, subscriber: Subscriber, log_id: LogId) -> None:
        """Stop hearing a log; what was announced before is written before."""
        subscription = subscriber.subscriptions.get(log_id)
        if subscription is None:
            return
        self._flush(subscription.topic)
        del subscriber.subscriptions[log_id]
        subscription.topic.remove(subscription)
        if not subscription.live:
            subscriber.behind.remove(subscription)
        self._topics.close_if_unused(subscription.topic)

    def _opened(self, topic: Topic) -> None:
        for subscription in tuple(topic.subscriptions):
            if topic.delivered is None:
                call(subscription.subscriber.listener.lost)
            else:
                self._catch_up.advance(subscription.subscriber)
        self._own_logs.opened(topic)

    def _flush(self, topic: Topic) -> None:
        self._fan_out.flush(topic)

    # Entries.

    def positions(self) -> dict[LogId, int]:
        """Return the last entry of each log that was taken here."""
        return self._topics.positions()

    def logs(self) -> list[LogId]:
        """List the logs that are heard here, the own logs of those who are connected among them."""
        return self._topics.logs()

    def compare(self, heads: Iterable[tuple[LogId, int]]) -> None:
        """Compare what was heard with heads read from the database, and read what was not announced."""
        self._topics.compare(heads)

    def deliver(self, events: Sequence[LogEvent]) -> None:
        """Take committed entries; they are written in the next turn of the loop, one write for all of a topic's."""
        for event in events:
            if (topic := self._topics.get(event.log_id)) is not None:
                self._take(topic, event)

    def _take(self, topic: Topic, event: LogEvent) -> None:
        topic.highest_known_seq = max(topic.highest_known_seq, event.seq)
        if topic.delivered is None or event.seq <= topic.head:
            return
        if event.seq != topic.head + 1:
            self._topics.fill(topic)
            return
        topic.pending.append(event)
        self._fan_out.schedule(topic)
        if topic.followed:
            self._own_logs.take(event)
        else:
            self._close_left(topic, event.effects())

    # Effects: all of them come by the account's own log. In a room's log only Close counts, whichever is heard first.

    def _apply(self, subscriber: Subscriber, effect: Effect) -> None:
        listener = subscriber.listener
        match effect:
            case Open(log_id=log_id, after=after):
                if log_id not in subscriber.subscriptions:
                    call(listener.joined, log_id, after)
            case Close():
                self._close(subscriber, effect)
            case End():
                if effect.ends(subscriber.session_id):
                    call(listener.session_ended)

    def _close_left(self, topic: Topic, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Close) and effect.log_id == topic.log_id:
                for subscriber in self.subscribers(effect.account_id):
                    if topic.log_id in subscriber.subscriptions:
                        self._close(subscriber, effect)

    def _close(self, subscriber: Subscriber, close: Close) -> None:
        """Write what was announced before, end the subscription, and tell the dialect; unless it is out of date."""
        subscription = subscriber.subscriptions.get(close.log_id)
        if subscription is not None:
            if not subscription.is_ended_by(close):
                return
            self.unsubscribe(subscriber, close.log_id)
        elif close.seq is None and close.at < subscriber.attached_at:
            return
        call(subscriber.listener.removed, close.log_id, UNKNOWN_SEQ if close.seq is None else close.seq)
