"""The topics of this process.

A topic starts at the head of its log, reads missing entries from the log, and is removed when it is unused. An
announcement may be lost. A gap in the seqs, or a comparison of heads, shows which entries are missing. They are then
read from the log.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from veche.core.actor import Party
from veche.core.event import LogEvent
from veche.core.values import LogId
from veche.hub.topic import Topic

logger = logging.getLogger("veche.hub")

Page = list[LogEvent]
ReadPage = Callable[[Callable[[Page | None], None], LogId, int, int, int, Party | None], None]
"""`pull(reply, log_id, after, upto, limit, party)`: read a page of a log, and call `reply` with it, or None on failure.

`party` is the one for whom the page is read, or None if it is read for everybody."""
ReadHeads = Callable[[Callable[[dict[LogId, int] | None], None], list[LogId]], None]
"""`heads(reply, log_ids)`: read the heads of the logs, and call `reply` with them, or None on failure."""

PAGE = 200  # entries that are read at once


class Topics:
    """One topic for each log that has subscriptions, or that is the own log of a connected account.

    `on_opened(topic)` is called when reading the head of a topic has finished. If it failed, `topic.live_seq` is still
    None. `on_missing_entries(events)` is called with entries that were committed but not announced here.
    `on_unreadable(topic)` is called when missing entries could not be read, twice at the same head.
    """

    def __init__(
        self,
        pull: ReadPage,
        heads: ReadHeads,
        on_opened: Callable[[Topic], None],
        on_missing_entries: Callable[[Sequence[LogEvent]], None],
        on_unreadable: Callable[[Topic], None],
    ) -> None:
        self._pull = pull
        self._heads = heads
        self._on_opened = on_opened
        self._on_missing_entries = on_missing_entries
        self._on_unreadable = on_unreadable
        self._topics: dict[LogId, Topic] = {}
        self._opening: list[Topic] = []
        self._failed_at: dict[LogId, int] = {}  # the topic's head when the last read of missing entries failed

    def get(self, log_id: LogId) -> Topic | None:
        """Return the topic of a log, or None if there is none."""
        return self._topics.get(log_id)

    def positions(self) -> dict[LogId, int]:
        """Return the seq of the last entry received of each log. A log whose head is not known yet is left out."""
        return {log_id: topic.head_seq for log_id, topic in self._topics.items() if topic.live_seq is not None}

    def log_ids(self) -> list[LogId]:
        """Return the ids of all logs that have a topic."""
        return list(self._topics)

    def open(self, log_id: LogId) -> Topic:
        """Return the topic of a log, and make it if there is none.

        A new topic records announced seqs at once. The heads of all topics made in one turn of the event loop are read
        together.
        """
        if (topic := self._topics.get(log_id)) is None:
            topic = self._topics[log_id] = Topic(log_id)
            if not self._opening:
                asyncio.get_running_loop().call_soon(self._read_heads)
            self._opening.append(topic)
        return topic

    def close_if_unused(self, topic: Topic) -> None:
        """Remove a topic that has no subscriptions and is not followed."""
        if not (topic.subscriptions or topic.followed) and self._topics.get(topic.log_id) is topic:
            del self._topics[topic.log_id]
            self._failed_at.pop(topic.log_id, None)

    def _read_heads(self) -> None:
        topics, self._opening = self._opening, []

        def reply(heads: dict[LogId, int] | None) -> None:
            for topic in topics:
                if heads is not None:
                    topic.live_seq = max(heads.get(topic.log_id, 0), topic.highest_known_seq)
                self._on_opened(topic)

        self._heads(reply, [topic.log_id for topic in topics])

    def read_missing_entries(self, topic: Topic) -> None:
        """Read the missing entries: those after the topic's head, up to `topic.highest_known_seq`.

        After a failed read, the next announcement or comparison of heads starts another read.
        """
        if topic.filling_gap or topic.live_seq is None or topic.highest_known_seq <= topic.head_seq:
            return
        topic.filling_gap = True
        head_seq = topic.head_seq

        def reply(events: Page | None) -> None:
            try:
                if events and self._topics.get(topic.log_id) is topic:
                    self._on_missing_entries(events)
            finally:
                topic.filling_gap = False
            if self._topics.get(topic.log_id) is not topic:
                return
            if topic.head_seq > head_seq:
                self._failed_at.pop(topic.log_id, None)
                self.read_missing_entries(topic)
            else:
                self._note_failed_read(topic)

        self._pull(reply, topic.log_id, head_seq, topic.highest_known_seq, PAGE, None)

    def _note_failed_read(self, topic: Topic) -> None:
        if self._failed_at.get(topic.log_id) != topic.head_seq:
            self._failed_at[topic.log_id] = topic.head_seq
            return
        del self._failed_at[topic.log_id]
        logger.warning(
            "log %d cannot be read after seq %d: its subscribers must reconnect", topic.log_id, topic.head_seq
        )
        self._on_unreadable(topic)

    def compare_heads(self, heads: Iterable[tuple[LogId, int]]) -> None:
        """Compare the heads of topics with heads read from the database.

        The comparison also finds a lost announcement of a log's last entry, which leaves no gap. The first time that
        the database is ahead of a topic, the announcement may still be on its way. If the topic has not reached that
        head at a later comparison, the announcement counts as lost, and the entries are read.
        """
        for log_id, head_seq in heads:
            topic = self._topics.get(log_id)
            if topic is None or topic.live_seq is None or head_seq <= topic.head_seq:
                continue
            if topic.head_ahead > topic.head_seq:
                topic.highest_known_seq = max(topic.highest_known_seq, topic.head_ahead)
                self.read_missing_entries(topic)
            topic.head_ahead = head_seq
