"""The hub: the subscribers of this process, and the logs that they are subscribed to.

The hub receives committed entries from the bus, those of one log in seq order. It writes each entry, once and in
order, to every subscriber of its log. `fanout` writes to live subscriptions, and `catchup` to those that are behind.
The hub also tells the dialects when an entry changes a connection: the account joined or left a room, or the session
ended.

The hub does not look at the kind of an event. It uses only `event.effects()`.
"""

import heapq
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from veche.core.effects import Close, Effect, End, Open, Renamed
from veche.core.event import Ephemeral, LogEvent
from veche.core.values import ANONYMOUS_ID, LogId, Person
from veche.hub.catchup import CatchUp
from veche.hub.fanout import FanOut, write_each
from veche.hub.listener import call
from veche.hub.own_log import OwnLogs
from veche.hub.serializer import Serializer
from veche.hub.topic import Subscriber, Subscription, Topic
from veche.hub.topics import ALONE, Following, ReadHeads, ReadPage, Topics, Unannounced

# Passed to `Listener.removed` when an older version stored the entry without the seq at which the member left.
UNKNOWN_SEQ = 2**63 - 1
MAX_SHOWN_TO = 200  # subscribers of a room in which the others see who is writing
LOG_AGAIN = 60_000_000  # microseconds until the log says again that an account has too many subscribers

logger = logging.getLogger("veche.hub")


def _now() -> int:
    return time.time_ns() // 1000


class Hub:
    """All subscribers of this process, and the topics of their logs.

    `now` returns the time in microseconds since 1970 in UTC. It must be the clock that sets `at` of entries.
    `of_account`: how many subscribers an account may have. Anonymous people are one account without this limit.
    `unannounced` tells what the own writer has not announced yet, and `following` is told which logs have a topic.
    """

    def __init__(
        self,
        pull: ReadPage,
        heads: ReadHeads,
        now: Callable[[], int] = _now,
        *,
        of_account: int = 100,
        unannounced: Unannounced = ALONE,
        following: Following = ALONE,
    ) -> None:
        self._now = now
        self._of_account = of_account
        self._logged_at = 0
        self._topics = Topics(
            pull, heads, self._on_topic_opened, self.receive, self._on_unreadable, unannounced, following
        )
        self._catch_up = CatchUp(pull, self._flush_topic, self._close)
        self._fan_out = FanOut(self._catch_up)
        self._own_logs = OwnLogs(self._topics, pull, self._apply_effect)

    def now(self) -> int:
        """Return the time in microseconds since 1970, by the clock that sets `attached_at`."""
        return self._now()

    # Subscribers.

    def attach(self, subscriber: Subscriber) -> None:
        """Register a subscriber.

        Call this before its session is checked, so that no event after the check is missed.

        If the account has too many subscribers, the one that was attached first has to go. So a client that comes back
        is not refused because of its own dead connections.
        """
        subscriber.attached_at = self._now()
        self._own_logs.attach(subscriber)
        if subscriber.account.id != ANONYMOUS_ID:
            self._close_surplus(subscriber.account.id)

    def _close_surplus(self, account_id: int) -> None:
        surplus = self._own_logs.surplus(account_id, self._of_account)
        if surplus is None:
            return
        if self._now() - self._logged_at >= LOG_AGAIN:
            self._logged_at = self._now()
            logger.warning("account %d has more than %d clients: the first one is closed", account_id, self._of_account)
        call(surplus.listener.crowded_out)

    def begin(self, subscriber: Subscriber, own_seq: int) -> None:
        """Follow the account's own log from the entry after `own_seq`.

        `own_seq` is the head of that log in the snapshot in which the session was checked.
        """
        self._own_logs.begin(subscriber, own_seq)

    def detach(self, subscriber: Subscriber) -> None:
        """Remove a subscriber.

        Entries announced before are first written to its live subscriptions. After that, nothing is written to it.
        """
        for log_id in tuple(subscriber.subscriptions):
            self.unsubscribe(subscriber, log_id)
        self._fan_out.write_held(subscriber)
        self._own_logs.detach(subscriber)

    def lose_all(self) -> None:
        """Call `lost` on all listeners: the database has another history, so no position here means anything."""
        for subscriber in self._own_logs.everybody():
            call(subscriber.listener.lost)

    def mark_slow(self, subscriber: Subscriber) -> None:
        """Mark a subscriber as slow, because the send buffer of its transport is full.

        The transport may call this during a write.
        """
        self._fan_out.mark_slow(subscriber)

    def mark_drained(self, subscriber: Subscriber) -> None:
        """Mark a subscriber as no longer slow, because its send buffer has room again.

        Its subscriptions catch up from where they stopped.
        """
        subscriber.slow = False
        self._catch_up.advance(subscriber)

    def hold(self, subscriber: Subscriber, data: bytes) -> None:
        """Write bytes to a subscriber together with the entries that follow at once, or alone if none follow."""
        self._fan_out.hold(subscriber, data)

    def subscribers(self, account_id: int) -> list[Subscriber]:
        """List the subscribers of an account."""
        return self._own_logs.subscribers(account_id)

    def is_connected(self, account_id: int, dialect: str) -> bool:
        """Return whether an account has a subscriber of a dialect."""
        return any(subscriber.dialect == dialect for subscriber in self.subscribers(account_id))

    def online(self, log_id: LogId, after: int, limit: int) -> list[Person]:
        """Return people who are subscribed to a log in this process, in the order of their account ids.

        They are the first `limit` with an id above `after`.
        """
        topic = self._topics.get(log_id)
        found = topic.subscriptions if topic else ()
        people = {subscription.subscriber.account.id: subscription.subscriber.account for subscription in found}
        return [people[id] for id in heapq.nsmallest(limit, [id for id in people if id > after])]

    def session_ids(self) -> set[str]:
        """Return the ids of the sessions of all subscribers."""
        return self._own_logs.session_ids()

    @property
    def encode_count(self) -> int:
        """The number of calls of `encode` functions by the fan-out. For tests and metrics."""
        return self._fan_out.encode_count

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
        """Subscribe a subscriber to a log, from the entry after seq `after`. None means after the log's head.

        The topic is registered before the log is read, so that the topic gets the announcement of everything that is
        committed from now on. The subscription becomes live only after it has reached seq `promised`, the head that
        the client was told. That head was read from the database, and the bus may not have announced it yet.

        `since` is the head of the log in the snapshot in which the account was a member. If the account left with an
        entry up to `since`, that entry is out of date and is ignored. If `after` is given, all entries after `since`
        are read, even those that are not written to the client, to find out whether the account has left since then.

        If `since` is left out, the higher of `after` and `promised` is used. Then both must come from that snapshot or
        from an older one. But if the subscriber already has a subscription to this log, the new subscription keeps the
        `since` of the old one: a later position does not prove that the account is still a member.
        """
        replaced = subscriber.subscriptions.get(log_id)
        self.unsubscribe(subscriber, log_id)
        topic = self._topics.open(log_id)
        self._flush_topic(topic)
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
        """End a subscription. If it is live, entries announced before are written first."""
        subscription = subscriber.subscriptions.get(log_id)
        if subscription is None:
            return
        self._flush_topic(subscription.topic)
        del subscriber.subscriptions[log_id]
        subscription.topic.remove(subscription)
        if not subscription.live:
            subscriber.behind.remove(subscription)
        self._topics.close_if_unused(subscription.topic)

    def flush(self, subscriber: Subscriber, log_id: LogId) -> None:
        """Write the entries of a log that were announced before, if the subscriber is subscribed to it."""
        if (subscription := subscriber.subscriptions.get(log_id)) is not None:
            self._flush_topic(subscription.topic)

    def _on_topic_opened(self, topic: Topic) -> None:
        for subscription in tuple(topic.subscriptions):
            if topic.live_seq is None:
                call(subscription.subscriber.listener.lost)
            else:
                self._catch_up.advance(subscription.subscriber)
        self._own_logs.on_topic_opened(topic)

    def _on_unreadable(self, topic: Topic) -> None:
        for subscription in tuple(topic.subscriptions):
            call(subscription.subscriber.listener.lost)
        self._own_logs.lose(topic)

    def _flush_topic(self, topic: Topic) -> None:
        self._fan_out.flush(topic)

    # Entries.

    def positions(self) -> dict[LogId, int]:
        """Return the seq of the last entry that the hub has received of each log."""
        return self._topics.positions()

    def log_ids(self) -> list[LogId]:
        """Return the ids of all logs that have a topic here. The own logs of connected accounts are included."""
        return self._topics.log_ids()

    def learn_heads(self, heads: Mapping[LogId, int]) -> None:
        """Learn the heads of logs from another node or from the database, and read the entries that are missing here.

        Logs that have no topic here are ignored. An entry of the own writer is not read before it was announced.
        """
        self._topics.learn_heads(heads)

    def receive(self, events: Sequence[LogEvent]) -> None:
        """Accept committed entries. They are written in a later turn of the event loop, normally the next one.

        Entries that come twice are ignored. An entry that comes before those that precede it waits for them a moment.
        Then they are read from the log.
        """
        for event in events:
            if (topic := self._topics.get(event.log_id)) is not None:
                self._take(topic, event)

    def _take(self, topic: Topic, event: LogEvent) -> None:
        topic.highest_known_seq = max(topic.highest_known_seq, event.seq)
        if topic.live_seq is None or event.seq <= topic.head_seq:
            return
        if event.seq != topic.head_seq + 1:
            self._topics.keep_early(topic, event)
            return
        topic.pending.append(event)
        self._fan_out.schedule(topic)
        if topic.followed:
            self._own_logs.apply_to_all(event)
        else:
            self._close_for_members_who_left(topic, event.effects())
        if topic.early:
            self._topics.take_early(topic)

    def show(self, shown: Ephemeral) -> None:
        """Write what somebody does at this moment to the others who receive the room, if they are few.

        Whoever is slow or behind gets nothing, and gets it not later either.
        """
        topic = self._topics.get(shown.log_id)
        if topic is None or len(topic.subscriptions) > MAX_SHOWN_TO:
            return
        frames: dict[Serializer, bytes | None] = {}
        for subscription in tuple(topic.subscriptions):
            serializer, subscriber = subscription.serializer, subscription.subscriber
            if not subscription.live or subscriber.slow or subscriber.account.id == shown.person.id:
                continue
            if serializer not in frames:
                payload = serializer.encode_ephemeral(shown)
                frames[serializer] = None if payload is None else serializer.frame(payload)
            if (frame := frames[serializer]) is not None:
                write_each((subscriber.write,), frame)

    # Effects. All effects in an account's own log are applied, and of those in a room's log only Close. A Close is in
    # both logs, and the one that arrives first ends the subscription.

    def _apply_effect(self, subscriber: Subscriber, effect: Effect) -> None:
        listener = subscriber.listener
        match effect:
            case Open(log_id=log_id, after=after):
                if log_id not in subscriber.subscriptions:
                    call(listener.joined, log_id, after)
            case Close():
                self._close(subscriber, effect)
            case Renamed(person=person):
                subscriber.account = person
            case End():
                if effect.ends(subscriber.session_id):
                    call(listener.session_ended)

    def _close_for_members_who_left(self, topic: Topic, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Close) and effect.log_id == topic.log_id:
                for subscriber in self.subscribers(effect.account_id):
                    if topic.log_id in subscriber.subscriptions:
                        self._close(subscriber, effect)

    def _close(self, subscriber: Subscriber, close: Close) -> None:
        """End a subscription and tell the dialect. If the Close is out of date, do nothing.

        Entries announced before the Close are written first.
        """
        subscription = subscriber.subscriptions.get(close.log_id)
        if subscription is not None:
            if not subscription.is_ended_by(close):
                return
            self.unsubscribe(subscriber, close.log_id)
        elif close.seq is None and close.at < subscriber.attached_at:
            return
        call(subscriber.listener.removed, close.log_id, UNKNOWN_SEQ if close.seq is None else close.seq)
