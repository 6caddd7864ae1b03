"""The topics of this process: they open at the log's head, fill their gaps from the log, and close with the last ear.

The announcements are hints. Whatever was committed and not announced here is found by its number, and read.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from veche.core.events import LogEvent
from veche.core.rooms import LogId
from veche.hub.topic import Topic

Page = list[LogEvent]
Pull = Callable[[Callable[[Page | None], None], LogId, int, int, int], None]
"""`pull(reply, log_id, after, upto, limit)`: read a page of a log, and call back with it (None: it failed)."""
Heads = Callable[[Callable[[dict[LogId, int] | None], None], list[LogId]], None]
"""`heads(reply, log_ids)`: read the highest seq of each log, and call back with them (None: it failed)."""

PAGE = 200  # entries that are read at once


class Topics:
    """Every log that somebody here hears.

    `opened(topic)` is called when a topic's head is known, or `delivered` is still None: it cannot be read;
    `found(events)` with entries that filled a gap.
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
        """Find a topic that somebody hears."""
        return self._topics.get(log_id)

    def positions(self) -> dict[LogId, int]:
        """Return the last entry of each log that was taken; a log whose head is being read is left out."""
        return {log_id: topic.head for log_id, topic in self._topics.items() if topic.delivered is not None}

    def logs(self) -> list[LogId]:
        """Name the logs that are heard here."""
        return list(self._topics)

    def open(self, log_id: LogId) -> Topic:
        """Find or make a topic. A new one listens at once; its head is read with those of its turn's others."""
        if (topic := self._topics.get(log_id)) is None:
            topic = self._topics[log_id] = Topic(log_id)
            if not self._opening:
                asyncio.get_running_loop().call_soon(self._read_heads)
            self._opening.append(topic)
        return topic

    def close(self, topic: Topic) -> None:
        """Forget a topic that nobody hears any more."""
        if not topic.subscriptions and self._topics.get(topic.log_id) is topic:
            del self._topics[topic.log_id]

    def _read_heads(self) -> None:
        topics, self._opening = self._opening, []

        def reply(heads: dict[LogId, int] | None) -> None:
            for topic in topics:
                if heads is not None:
                    topic.delivered = max(heads.get(topic.log_id, 0), topic.known)
                self._opened(topic)

        self._heads(reply, [topic.log_id for topic in topics])

    def fill(self, topic: Topic) -> None:
        """Read what was committed up to `known` and not announced to us."""
        if topic.filling or topic.delivered is None or topic.known <= topic.head:
            return
        topic.filling = True

        def reply(events: Page | None) -> None:
            topic.filling = False
            if events and self._topics.get(topic.log_id) is topic:
                self._found(events)
                self.fill(topic)

        self._pull(reply, topic.log_id, topic.head, topic.known, PAGE)

    def compare(self, heads: Iterable[tuple[LogId, int]]) -> None:
        """Hold what was heard against heads read from the database: finds the lost last announcement too.

        A head that is ahead twice in a row was not announced; once, it may be on its way.
        """
        for log_id, head in heads:
            topic = self._topics.get(log_id)
            if topic is None or topic.delivered is None or head <= topic.head:
                continue
            if topic.suspect > topic.head:
                topic.known = max(topic.known, topic.suspect)
                self.fill(topic)
            topic.suspect = head
