"""From the pending entries of a topic to bytes on the sockets of its live subscribers, by turns of the loop.

For each topic and serializer: encoded once, and one write per subscriber and turn. Nothing is awaited.
"""

import asyncio
import logging

from veche.core.event import LogEvent
from veche.hub.catchup import CatchUp
from veche.hub.serializer import Serializer, Write
from veche.hub.topic import Broadcast, Subscriber, Topic
from veche.ops.crash import armed, crash_point

log = logging.getLogger("veche.hub")

THROTTLE_ABOVE = 0.001  # seconds that a turn may take without a pause after it
MAX_PAUSE = 0.01
WRITES_PER_TURN = 1 if armed("mid_fanout") else 1000  # so that other work of the loop is not kept waiting


class FanOut:
    """Schedules and writes; subscribers that are slow go to `catch_up`."""

    def __init__(self, catch_up: CatchUp) -> None:
        self._catch_up = catch_up
        self._newly_slow: list[Subscriber] = []
        self.encodes = 0  # events times serializers, counted for tests and metrics

    def schedule(self, topic: Topic) -> None:
        """Have what is pending written in the next turn of the loop; in a busy large room, after its pause."""
        if not topic.scheduled:
            topic.scheduled = True
            loop = asyncio.get_running_loop()
            if topic.broadcasts or topic.throttled_until <= loop.time():
                loop.call_soon(self._turn, topic)
            else:
                loop.call_at(topic.throttled_until, self._turn, topic)

    def flush(self, topic: Topic) -> None:
        """Write all that is pending, now: no write may cross a change of who hears it."""
        had_work = topic.broadcasts or topic.pending
        while topic.broadcasts or topic.pending:
            self._write_some(topic)
        if had_work and topic.behind:
            self.schedule(topic)  # subscriptions that are behind have something to read

    def _turn(self, topic: Topic) -> None:
        """Write, then pause as long as it took: what comes meanwhile is joined, and other work gets its half."""
        if topic.broadcasts:
            crash_point("mid_fanout")
        began = (loop := asyncio.get_running_loop()).time()
        try:
            self._write_some(topic)
        finally:
            topic.scheduled = False
        if (took := loop.time() - began) > THROTTLE_ABOVE:
            topic.throttled_until = began + took + min(took, MAX_PAUSE)
        if not topic.broadcasts:
            for subscription in tuple(topic.behind):
                self._catch_up.advance(subscription.subscriber)
        if topic.broadcasts or topic.pending:
            self.schedule(topic)

    def _write_some(self, topic: Topic) -> None:
        if not topic.broadcasts and topic.pending:
            topic.broadcasts = self._encode(topic, topic.take_batch())
        budget = WRITES_PER_TURN
        while topic.broadcasts and budget > 0:
            writes, data = topic.broadcasts.pop()
            if len(writes) > budget:
                topic.broadcasts.append((writes[budget:], data))
                writes = writes[:budget]
            _write_all(writes, data)
            budget -= len(writes)
        self._move_slow_to_catch_up()

    def _encode(self, topic: Topic, events: list[LogEvent]) -> list[Broadcast]:
        broadcasts: list[Broadcast] = []
        payloads: dict[object, list[bytes]] = {}
        for serializer, writes in topic.live_writes_by_serializer().items():
            try:
                if serializer.encode not in payloads:
                    self.encodes += len(events)
                    payloads[serializer.encode] = [
                        data for event in events if (data := serializer.encode(event)) is not None
                    ]
                if found := payloads[serializer.encode]:
                    broadcasts.append((writes, b"".join(map(serializer.frame, found))))
            except Exception:  # a fault in one serializer does not touch the others
                log.exception("serializer %s failed for entries of log %d", serializer.name, topic.log_id)
                self._move_to_catch_up(topic, serializer, events[0].seq - 1)
        return broadcasts

    def _move_to_catch_up(self, topic: Topic, serializer: Serializer, seq: int) -> None:
        for subscription in topic.subscriptions:
            if subscription.live and subscription.serializer is serializer:
                subscription.seq = seq
                self._catch_up.start_catching_up(subscription)

    def slow(self, subscriber: Subscriber) -> None:
        """Note that a transport has too much unsent. Called from inside a write, so it changes no collection in use."""
        subscriber.slow = True
        if not self._newly_slow:
            asyncio.get_running_loop().call_soon(self._move_slow_to_catch_up)
        self._newly_slow.append(subscriber)

    def _move_slow_to_catch_up(self) -> None:
        while self._newly_slow:
            for subscription in self._newly_slow.pop().subscriptions.values():
                if subscription.live:  # a write under way is finished: it counts as delivered
                    subscription.seq = subscription.topic.delivered
                    self._catch_up.start_catching_up(subscription)


def _write_all(writes: tuple[Write, ...], data: bytes) -> None:
    """Write to each transport; one that was closed since the tuple was made does not stop the others."""
    left = iter(writes)
    while True:
        try:
            for write in left:
                write(data)
        except RuntimeError:  # uvloop raises it for a write on a closed transport
            continue
        return
