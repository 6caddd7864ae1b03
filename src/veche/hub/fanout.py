"""Fan-out: writes the pending entries of a topic to the sockets of its live subscribers.

The writes are made in turns of the event loop. Serializers may share an `encode` function, and each event is encoded
once for each such function. Each live subscriber gets one write per batch of entries. Nothing is awaited.
"""

import asyncio
import logging
from collections.abc import Iterable

from veche.core.event import LogEvent
from veche.hub.catchup import CatchUp
from veche.hub.serializer import Serializer, Write
from veche.hub.topic import Broadcast, Subscriber, Topic
from veche.ops.crash import armed, crash_point

logger = logging.getLogger("veche.hub")

THROTTLE_ABOVE = 0.001  # seconds; after a turn that takes longer, the topic pauses
MAX_PAUSE = 0.01  # seconds
# In the chaos test that kills the server between an answer and its event, they must not be one write.
ANSWERS_WAIT = not armed("after_ack_before_fanout")
WRITES_PER_TURN = 1 if armed("mid_fanout") else 1000  # so that other work on the event loop does not wait long


class FanOut:
    """Schedules and makes the writes. Moves the subscriptions of slow subscribers to `catch_up`."""

    def __init__(self, catch_up: CatchUp) -> None:
        self._catch_up = catch_up
        self._newly_slow: list[Subscriber] = []
        # The subscribers that hold bytes, by their `write`: a broadcast has the writes of its subscribers, and no more.
        self._holders: dict[Write, Subscriber] = {}
        # The number of calls of `encode` functions by the fan-out. For tests and metrics.
        self.encode_count = 0

    def schedule(self, topic: Topic) -> None:
        """Schedule a write of the pending entries: in the next turn of the loop, or at the end of the topic's pause."""
        if not topic.scheduled:
            topic.scheduled = True
            loop = asyncio.get_running_loop()
            if topic.broadcasts or topic.throttled_until <= loop.time():
                loop.call_soon(self._run_turn, topic)
            else:
                loop.call_at(topic.throttled_until, self._run_turn, topic)

    def flush(self, topic: Topic) -> None:
        """Write all pending entries now.

        Call this before the set of live subscriptions changes. A pending entry is then written only to the
        subscriptions that were live when it arrived.
        """
        had_work = topic.broadcasts or topic.pending
        while topic.broadcasts or topic.pending:
            self._write_up_to_limit(topic)
        if had_work and topic.behind:
            self.schedule(topic)  # in that turn, subscriptions that are behind read the entries just written

    def _run_turn(self, topic: Topic) -> None:
        """Make the writes of one turn.

        If they took longer than THROTTLE_ABOVE, pause the topic for the same time, at most MAX_PAUSE. Entries that
        arrive during the pause are written together, and other work gets time to run.
        """
        if topic.broadcasts:
            crash_point("mid_fanout")
        began = (loop := asyncio.get_running_loop()).time()
        try:
            self._write_up_to_limit(topic)
        finally:
            topic.scheduled = False
        if (took := loop.time() - began) > THROTTLE_ABOVE:
            topic.throttled_until = began + took + min(took, MAX_PAUSE)
        if not topic.broadcasts:
            for subscription in tuple(topic.behind):
                self._catch_up.advance(subscription.subscriber)
        if topic.broadcasts or topic.pending:
            self.schedule(topic)

    def _write_up_to_limit(self, topic: Topic) -> None:
        if not topic.broadcasts and topic.pending:
            topic.broadcasts = self._encode(topic, topic.take_batch())
        budget = WRITES_PER_TURN
        while topic.broadcasts and budget > 0:
            writes, data = topic.broadcasts.pop()  # each subscriber is in one of them, so their order does not matter
            if len(writes) > budget:
                topic.broadcasts.append((writes[budget:], data))
                writes = writes[:budget]
            self._write_all(writes, data)
            budget -= len(writes)
        self._move_slow_to_catch_up()

    # Held bytes. The answer to a command and the event that follows at once are one write for the client that sent it.

    def hold(self, subscriber: Subscriber, data: bytes) -> None:
        """Write bytes together with the entries of the next turn, or alone, at the latest in the turn after it.

        As long as `_holders` has subscribers, a call of `_write_all_held` is scheduled. It runs two turns later: the
        writer answers before it announces the entries, so the topic's turn is scheduled after this call.
        """
        if not ANSWERS_WAIT:
            write_each((subscriber.write,), data)
            return
        if not self._holders:
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._write_all_held)
        self._holders[subscriber.write] = subscriber
        subscriber.held += data

    def write_held(self, subscriber: Subscriber) -> None:
        """Write what a subscriber holds now."""
        self._holders.pop(subscriber.write, None)  # also if a page of `catch_up` has written it already
        if subscriber.held:
            write_each((subscriber.write,), subscriber.take_held())

    def _write_all_held(self) -> None:
        holders, self._holders = self._holders, {}
        for subscriber in holders.values():
            self.write_held(subscriber)

    def _write_all(self, writes: tuple[Write, ...], data: bytes) -> None:
        """Write to each transport what its subscriber holds, and the entries."""
        if not self._holders:
            write_each(writes, data)
            return
        others: list[Write] = []
        for write in writes:
            if (holder := self._holders.pop(write, None)) is None:
                others.append(write)
            else:
                write_each((write,), holder.take_held() + data)
        write_each(others, data)

    def _encode(self, topic: Topic, events: list[LogEvent]) -> list[Broadcast]:
        broadcasts: list[Broadcast] = []
        payloads: dict[object, list[bytes]] = {}
        for serializer, writes in topic.live_writes_by_serializer().items():
            try:
                if serializer.encode not in payloads:
                    self.encode_count += len(events)
                    payloads[serializer.encode] = [
                        data for event in events if (data := serializer.encode(event)) is not None
                    ]
                if found := payloads[serializer.encode]:
                    broadcasts.append((writes, b"".join(map(serializer.frame, found))))
            except Exception:  # an error in one serializer does not affect the others
                logger.exception("serializer %s failed for entries of log %d", serializer.name, topic.log_id)
                self._move_serializer_to_catch_up(topic, serializer, events[0].seq - 1)
        return broadcasts

    def _move_serializer_to_catch_up(self, topic: Topic, serializer: Serializer, seq: int) -> None:
        for subscription in topic.subscriptions:
            if subscription.live and subscription.serializer is serializer:
                subscription.seq = seq
                self._catch_up.start_catching_up(subscription)

    def mark_slow(self, subscriber: Subscriber) -> None:
        """Mark a subscriber as slow, because its send buffer is full.

        The transport may call this during a write, so do not change collections that the write loops over.
        """
        subscriber.slow = True
        if not self._newly_slow:
            asyncio.get_running_loop().call_soon(self._move_slow_to_catch_up)
        self._newly_slow.append(subscriber)

    def _move_slow_to_catch_up(self) -> None:
        while self._newly_slow:
            for subscription in self._newly_slow.pop().subscriptions.values():
                # Broadcasts that have begun are still written to it, so the client gets everything up to `live_seq`.
                if subscription.live:
                    subscription.seq = subscription.topic.live_seq
                    self._catch_up.start_catching_up(subscription)


def write_each(writes: Iterable[Write], data: bytes) -> None:
    """Write to each transport. Skip one that has been closed since `writes` was made."""
    left = iter(writes)
    while True:
        try:
            for write in left:
                write(data)
        except RuntimeError:  # uvloop raises it for a write on a closed transport
            continue
        return
