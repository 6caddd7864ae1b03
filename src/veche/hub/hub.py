"""The hub: from a batch of committed entries to bytes on every socket that should see them.

Gets: entries in the order of their logs, as the bus announces them. Gives: for each topic and serializer one write per
caught-up subscriber and turn of the loop, encoded once per serializer. Who is behind reads the log (`hub.catchup`).
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence

from veche.core.accounts import Person
from veche.core.events import LogEvent, MemberJoined, MemberLeft, RoomEntered, RoomExited, SessionsEnded
from veche.core.rooms import LogId
from veche.hub.catchup import CatchUp
from veche.hub.subscriber import Serializer, Subscriber, Subscription, Write
from veche.hub.topic import Job, Topic
from veche.hub.topics import Heads, Pull, Topics
from veche.ops.crash import armed, crash_point

log = logging.getLogger("veche.hub")

WORTH_A_REST = 0.001  # seconds
LONGEST_REST = 0.01
SLICE = 1 if armed("mid_fanout") else 1000  # writes in one turn of the loop, so that other work is not kept waiting


class Hub:
    """Every subscriber of this process, and every log that one of them hears."""

    def __init__(self, pull: Pull, heads: Heads) -> None:
        self._topics = Topics(pull, heads, self._opened, self.deliver)
        self._catch_up = CatchUp(pull, self._settle)
        self._accounts: dict[int, dict[Subscriber, None]] = {}  # in the order in which they came
        self._slowed: list[Subscriber] = []
        self.encodes = 0  # events times forms, counted for tests and metrics

    # Connections come and go.

    def attach(self, subscriber: Subscriber) -> None:
        """Take a subscriber in: from now on it is told when its account enters or leaves a room."""
        self._accounts.setdefault(subscriber.account.id, {})[subscriber] = None

    def begin(self, subscriber: Subscriber, own_seq: int) -> None:
        """Follow the account's own log from the entry after `own_seq`, the head in the snapshot of its session."""

    def detach(self, subscriber: Subscriber) -> None:
        """Forget a subscriber that goes: what was announced before is written before, and nothing after."""
        account_id = subscriber.account.id
        if (subscribers := self._accounts.get(account_id)) is not None:
            subscribers.pop(subscriber, None)
            if not subscribers:
                del self._accounts[account_id]
        for log_id in tuple(subscriber.subscriptions):
            self.unsubscribe(subscriber, log_id)

    def subscribe(
        self, subscriber: Subscriber, log_id: LogId, serializer: Serializer, after: int | None, promised: int = 0
    ) -> None:
        """Let a subscriber hear a log from the entry after `after` on (None: from its head on).

        Register first, read then: what is committed from here on is announced to a topic that listens. It has not
        caught up before the entry `promised` was written: a head read from the database may not be announced yet.
        """
        self.unsubscribe(subscriber, log_id)
        topic = self._topics.open(log_id)
        self._settle(topic)
        subscription = Subscription(subscriber, topic, serializer, after, promised)
        topic.subscriptions[subscription] = None
        subscriber.subscriptions[log_id] = subscription
        self._catch_up.begin(subscription)
        self._catch_up.go_on(subscriber)

    def unsubscribe(self, subscriber: Subscriber, log_id: LogId) -> None:
        """Stop hearing a log; what was announced before is written before."""
        if (subscription := subscriber.subscriptions.get(log_id)) is not None:
            self._settle(subscription.topic)
            del subscriber.subscriptions[log_id]
            self._drop(subscription)

    def _drop(self, subscription: Subscription) -> None:
        subscription.topic.drop(subscription)
        if not subscription.live:
            subscription.subscriber.behind.remove(subscription)
        self._topics.close(subscription.topic)

    def _opened(self, topic: Topic) -> None:
        for subscription in tuple(topic.subscriptions):
            if topic.delivered is None:
                subscription.subscriber.listener.lost()
            else:
                self._catch_up.go_on(subscription.subscriber)

    def online(self, log_id: LogId) -> list[Person]:
        """Tell whose subscribers hear a log here."""
        topic = self._topics.get(log_id)
        found = topic.subscriptions if topic else ()
        people = {subscription.subscriber.account.id: subscription.subscriber.account for subscription in found}
        return [people[id] for id in sorted(people)]

    def subscribers(self, account_id: int) -> list[Subscriber]:
        """Tell which subscribers an account has here."""
        return list(self._accounts.get(account_id, ()))

    def positions(self) -> dict[LogId, int]:
        """Return the last entry of each log that was taken here."""
        return self._topics.positions()

    def logs(self) -> list[LogId]:
        """Name the logs that are heard here."""
        return self._topics.logs()

    def compare(self, heads: Iterable[tuple[LogId, int]]) -> None:
        """Hold what was heard against heads read from the database, and fill what was not announced."""
        self._topics.compare(heads)

    # Entries come in, and go out by turns.

    def deliver(self, events: Sequence[LogEvent]) -> None:
        """Take committed entries; they are written in the next turn of the loop, one write for all of a topic's."""
        for event in events:
            if type(event) is MemberJoined:
                self._enter(event.person.id, event.log_id, event.seq - 1)
            if (topic := self._topics.get(event.log_id)) is not None:
                self._take(topic, event)
            match event:
                case RoomEntered():
                    self._enter(-event.log_id, event.room.id, event.room_seq)
                case MemberLeft():
                    self._remove(event.person.id, event.log_id, event.seq)
                case RoomExited():
                    self._remove(-event.log_id, event.room_id, 0)
                case SessionsEnded():
                    self._end_sessions(event)

    # Rooms are entered and left in two logs, the room's and the account's: whichever is heard of first counts.

    def _enter(self, account_id: int, room_id: int, after: int) -> None:
        for subscriber in self.subscribers(account_id):
            if room_id not in subscriber.subscriptions:
                subscriber.listener.joined(room_id, after)

    def _remove(self, account_id: int, room_id: int, seq: int) -> None:
        for subscriber in self.subscribers(account_id):
            self.unsubscribe(subscriber, room_id)
            subscriber.listener.removed(room_id, seq)

    def _end_sessions(self, event: SessionsEnded) -> None:
        for subscriber in self.subscribers(-event.log_id):
            if event.ends(subscriber.session_id):
                subscriber.listener.session_ended()

    def _take(self, topic: Topic, event: LogEvent) -> None:
        topic.known = max(topic.known, event.seq)
        if topic.delivered is None or event.seq <= topic.head:
            return
        if event.seq == topic.head + 1:
            topic.pending.append(event)
            self._schedule(topic)
        else:
            self._topics.fill(topic)

    def _schedule(self, topic: Topic) -> None:
        """Have what waits written in the next turn of the loop; in a busy large room, when it has rested."""
        if not topic.scheduled:
            topic.scheduled = True
            loop = asyncio.get_running_loop()
            if topic.jobs or topic.rests_until <= loop.time():
                loop.call_soon(self._turn, topic)
            else:
                loop.call_at(topic.rests_until, self._turn, topic)

    def _turn(self, topic: Topic) -> None:
        """Write, and then rest as long as it took: what comes meanwhile is joined, and other work gets its half."""
        if topic.jobs:
            crash_point("mid_fanout")
        began = (loop := asyncio.get_running_loop()).time()
        try:
            self._write_some(topic)
        finally:
            topic.scheduled = False
        if (took := loop.time() - began) > WORTH_A_REST:
            topic.rests_until = began + took + min(took, LONGEST_REST)
        if not topic.jobs:
            for subscription in tuple(topic.behind):
                self._catch_up.go_on(subscription.subscriber)
        if topic.jobs or topic.pending:
            self._schedule(topic)

    def _settle(self, topic: Topic) -> None:
        """Write all that waits, now: no write may cross a change of who hears it."""
        waits = topic.jobs or topic.pending
        while topic.jobs or topic.pending:
            self._write_some(topic)
        if waits and topic.behind:
            self._schedule(topic)  # whoever is behind has something to go on to

    def _write_some(self, topic: Topic) -> None:
        if not topic.jobs and topic.pending:
            topic.jobs = self._encode(topic, topic.cut())
        budget = SLICE
        while topic.jobs and budget > 0:
            writes, data = topic.jobs.pop()
            if len(writes) > budget:
                topic.jobs.append((writes[budget:], data))
                writes = writes[:budget]
            _write_all(writes, data)
            budget -= len(writes)
        self._set_slow_aside()

    def _encode(self, topic: Topic, events: list[LogEvent]) -> list[Job]:
        jobs: list[Job] = []
        payloads: dict[object, list[bytes]] = {}
        for serializer, writes in topic.targets().items():
            try:
                if serializer.encode not in payloads:
                    self.encodes += len(events)
                    payloads[serializer.encode] = [
                        data for event in events if (data := serializer.encode(event)) is not None
                    ]
                if found := payloads[serializer.encode]:
                    jobs.append((writes, b"".join(map(serializer.frame, found))))
            except Exception:  # a bug of one form is no other form's misfortune
                log.exception("the form %s cannot be made of what happened in log %d", serializer.name, topic.log_id)
                self._set_form_aside(topic, serializer, events[0].seq - 1)
        return jobs

    def _set_form_aside(self, topic: Topic, serializer: Serializer, seq: int) -> None:
        for subscription in topic.subscriptions:
            if subscription.live and subscription.serializer is serializer:
                subscription.seq = seq
                self._catch_up.begin(subscription)

    # Who reads too slowly is set aside.

    def slow(self, subscriber: Subscriber) -> None:
        """Note that a transport has too much unsent. Called from inside a write: changes nothing that a loop walks."""
        subscriber.slow = True
        if not self._slowed:
            asyncio.get_running_loop().call_soon(self._set_slow_aside)
        self._slowed.append(subscriber)

    def drained(self, subscriber: Subscriber) -> None:
        """Note that a transport has room again: the subscriber goes on where it stopped."""
        subscriber.slow = False
        self._catch_up.go_on(subscriber)

    def _set_slow_aside(self) -> None:
        while self._slowed:
            for subscription in self._slowed.pop().subscriptions.values():
                if subscription.live:  # a write under way is still written: it counts as delivered
                    subscription.seq = subscription.topic.delivered
                    self._catch_up.begin(subscription)


def _write_all(writes: tuple[Write, ...], data: bytes) -> None:
    """Write to each; one that was closed since the tuple was made keeps nobody else from hearing."""
    left = iter(writes)
    while True:
        try:
            for write in left:
                write(data)
        except RuntimeError:  # uvloop's answer to a write on a closed transport
            continue
        return
