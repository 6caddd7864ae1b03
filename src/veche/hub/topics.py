"""The topics of this process.

A topic starts at the head of its log, reads missing entries from the log, and is removed when it is unused. An
announcement may be lost, and entries that other nodes committed may be known by their seq only. A gap in the seqs, a
bell of another node, or a comparison of heads shows which entries are missing. They are then read from the log.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

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
EARLY = 200  # entries of one topic that may wait for those before them; later ones are read from the log
EARLY_SECONDS = 0.005  # that they wait before the log is read


class Unannounced(Protocol):
    """The entries that the own writer is committing, or has committed and not yet announced."""

    def lowest(self, log_id: LogId) -> int | None:
        """Return the lowest seq of these entries of a log, or None if there are none."""

    def call_after_next(self, callback: Callable[[], None]) -> None:
        """Call a function once the next batch of entries has been announced."""


class Following(Protocol):
    """Hears what other nodes tell about the logs that have a topic here."""

    def follow(self, log_id: LogId) -> None:
        """A topic of this log was opened."""

    def unfollow(self, log_id: LogId) -> None:
        """The topic of this log was closed."""


class Alone:
    """The writer and the bus of a hub that has neither. For tests."""

    def lowest(self, log_id: LogId) -> int | None:
        """Return None: nothing is being committed."""

    def call_after_next(self, callback: Callable[[], None]) -> None:
        """Do nothing. Nobody calls this."""

    def follow(self, log_id: LogId) -> None:
        """Do nothing."""

    def unfollow(self, log_id: LogId) -> None:
        """Do nothing."""


ALONE = Alone()


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
        unannounced: Unannounced = ALONE,
        following: Following = ALONE,
    ) -> None:
        self._pull = pull
        self._heads = heads
        self._on_opened = on_opened
        self._on_missing_entries = on_missing_entries
        self._on_unreadable = on_unreadable
        self._unannounced = unannounced
        self._following = following
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
            self._following.follow(log_id)
            if not self._opening:
                asyncio.get_running_loop().call_soon(self._read_heads)
            self._opening.append(topic)
        return topic

    def close_if_unused(self, topic: Topic) -> None:
        """Remove a topic that has no subscriptions and is not followed."""
        if not (topic.subscriptions or topic.followed) and self._topics.get(topic.log_id) is topic:
            del self._topics[topic.log_id]
            self._failed_at.pop(topic.log_id, None)
            self._following.unfollow(topic.log_id)

    def _read_heads(self) -> None:
        topics, self._opening = self._opening, []

        def reply(heads: dict[LogId, int] | None) -> None:
            for topic in topics:
                if heads is not None:
                    topic.live_seq = max(heads.get(topic.log_id, 0), topic.highest_known_seq)
                self._on_opened(topic)

        self._heads(reply, [topic.log_id for topic in topics])

    def learn_heads(self, heads: Mapping[LogId, int]) -> None:
        """Learn that logs have entries up to these seqs, and read those that are missing.

        The heads come from another node or from the database, so the entries are committed.
        """
        for log_id, head_seq in heads.items():
            if (topic := self._topics.get(log_id)) is not None:
                topic.highest_known_seq = max(topic.highest_known_seq, head_seq)
                self.read_missing_entries(topic)

    def keep_early(self, topic: Topic, event: LogEvent) -> None:
        """Keep an entry that came before entries that precede it. If these do not come soon, they are read."""
        if len(topic.early) < EARLY:
            topic.early[event.seq] = event
        self._read_soon(topic)

    def take_early(self, topic: Topic) -> None:
        """Pass on the early entries that are next, now that the entries before them have come."""
        events, next_seq = [], topic.head_seq + 1
        for seq in sorted(topic.early):
            if seq > next_seq:
                break
            events.append(topic.early.pop(seq))
            next_seq = max(next_seq, seq + 1)
        self._on_missing_entries(events)
        if topic.highest_known_seq > topic.head_seq:
            self._read_soon(topic)

    def _read_soon(self, topic: Topic) -> None:
        def read() -> None:
            topic.reads_soon = False
            if self._topics.get(topic.log_id) is topic:
                self.read_missing_entries(topic)

        if not topic.reads_soon:
            topic.reads_soon = True
            loop = asyncio.get_running_loop()
            loop.call_at(loop.time() + EARLY_SECONDS, read)

    def read_missing_entries(self, topic: Topic) -> None:
        """Read the missing entries: those after the topic's head, up to the first early one.

        After a failed read, the next announcement or comparison of heads starts another read.
        """
        if topic.filling_gap or topic.live_seq is None or topic.highest_known_seq <= topic.head_seq:
            return
        head_seq, upto = topic.head_seq, self._readable_upto(topic)
        if upto <= head_seq:
            return
        topic.filling_gap = True

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

        self._pull(reply, topic.log_id, head_seq, upto, PAGE, None)

    def _readable_upto(self, topic: Topic) -> int:
        """Return the seq up to which missing entries may be read.

        An entry that the own writer has not announced yet must not overtake the answer to its command. So it is not
        read, and nothing after it. Once it has been announced, the rest is read.
        """
        upto = min(topic.highest_known_seq, min(topic.early, default=topic.highest_known_seq + 1) - 1)
        lowest = self._unannounced.lowest(topic.log_id)
        if lowest is None or lowest > upto:
            return upto
        if not topic.awaits_announcement:
            topic.awaits_announcement = True
            self._unannounced.call_after_next(lambda: self._go_on(topic))
        return lowest - 1

    def _go_on(self, topic: Topic) -> None:
        topic.awaits_announcement = False
        if self._topics.get(topic.log_id) is topic:
            self.read_missing_entries(topic)

    def _note_failed_read(self, topic: Topic) -> None:
        if self._failed_at.get(topic.log_id) != topic.head_seq:
            self._failed_at[topic.log_id] = topic.head_seq
            return
        del self._failed_at[topic.log_id]
        logger.warning(
            "log %d cannot be read after seq %d: its subscribers must reconnect", topic.log_id, topic.head_seq
        )
        self._on_unreadable(topic)
