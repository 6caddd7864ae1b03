"""The topics of this process: they open at the head of their log, fill gaps from the log, and close when unused.

Announcements are hints. Whatever was committed but not announced here is found by its seq, and read from the log.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from veche.core.event import LogEvent
from veche.core.values import LogId
from veche.hub.topic import Topic

Page = list[LogEvent]
Pull = Callable[[Callable[[Page | None], None], LogId, int, int, int], None]
"""`pull(reply, log_id, after, upto, limit)`: read a page of a log, and call back with it (None: it failed)."""
Heads = Callable[[Callable[[dict[LogId, int] | None], None], list[LogId]], None]
"""`heads(reply, log_ids)`: read the highest seq of each log, and call back with them (None: it failed)."""

PAGE = 200  # entries that are read at once


class Topics:
    """Every log that is heard here: subscribed, or followed as an account's own.

    `opened(topic)` is called when the head of a topic is known; if it could not be read, `delivered` is still None.
    `found(events)` is called with entries that fill a gap.
    """

    def __init__(
        self, pull: Pull, heads: Heads, opened: Callable[[Topic], None], found: Callable[[Sequence[LogEvent]], None]
    ) -> None:
        self._pull = pull
        self._heads = heads
        self._opened = opened
        self._found = found
        self._topics: dict[LogId, Topic] = {}
        self._opening: list[Topic] = []

    def get(self, log_id: LogId) -> Topic | None:
        """Find an open topic."""
        return self._topics.get(log_id)

    def positions(self) -> dict[LogId, int]:
        """Return the last entry of each log that was taken; a log whose head is being read is left out."""
        return {log_id: topic.head for log_id, topic in self._topics.items() if topic.delivered is not None}

    def logs(self) -> list[LogId]:
        """List the logs that are heard here."""
        return list(self._topics)

    def open(self, log_id: LogId) -> Topic:
        """Find or make a topic. A new one listens at once; heads of topics made in one turn are read together."""
        if (topic := self._topics.get(log_id)) is None:
            topic = self._topics[log_id] = Topic(log_id)
            if not self._opening:
                asyncio.get_running_loop().call_soon(self._read_heads)
            self._opening.append(topic)
        return topic

    def close_if_unused(self, topic: Topic) -> None:
        """Forget a topic that is neither subscribed nor followed any more."""
        if not (topic.subscriptions or topic.followed) and self._topics.get(topic.log_id) is topic:
            del self._topics[topic.log_id]

    def _read_heads(self) -> None:
        topics, self._opening = self._opening, []

        def reply(heads: dict[LogId, int] | None) -> None:
            for topic in topics:
                if heads is not None:
                    topic.delivered = max(heads.get(topic.log_id, 0), topic.highest_known_seq)
                self._opened(topic)

        self._heads(reply, [topic.log_id for topic in topics])

    def fill(self, topic: Topic) -> None:
        """Read what was committed up to `highest_known_seq` but not announced here."""
        if topic.filling_gap or topic.delivered is None or topic.highest_known_seq <= topic.head:
            return
        topic.filling_gap = True

        def reply(events: Page | None) -> None:
            topic.filling_gap = False
            if events and self._topics.get(topic.log_id) is topic:
                self._found(events)
                self.fill(topic)

        self._pull(reply, topic.log_id, topic.head, topic.highest_known_seq, PAGE)

    def compare(self, heads: Iterable[tuple[LogId, int]]) -> None:
        """Compare what was heard with heads read from the database: this finds a lost last announcement too.

        A head that is ahead once may be on its way. If it is ahead twice in a row, it was not announced.
        """
        for log_id, head in heads:
            topic = self._topics.get(log_id)
            if topic is None or topic.delivered is None or head <= topic.head:
                continue
            if topic.head_ahead > topic.head:
                topic.highest_known_seq = max(topic.highest_known_seq, topic.head_ahead)
                self.fill(topic)
            topic.head_ahead = head
