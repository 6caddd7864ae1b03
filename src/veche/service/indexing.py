"""Indexes messages for the search, in a thread of its own, after they are committed.

The thread is told which logs have new entries by the bus, and reads them from the database in batches. The index keeps
a position for each log, so it goes on where it was after a kill. It looks at all heads when it starts, and regularly:
an existing database is indexed in this way, and what the bus did not tell is found.

With several nodes, each indexes what it hears of, and one at a time writes. Who finds that another one was faster reads
the positions again.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from veche.core.event import LogEvent
from veche.core.values import LogId
from veche.service.pace import Pace
from veche.storage.database import Database
from veche.storage.engines.engine import Failure
from veche.storage.engines.index import Entry, Index
from veche.storage.search import entries_to_index, room_heads

PAUSE: Final = 0.1
"""Seconds between two looks at what the bus has told."""
COMPARE_SECONDS: Final = 10.0
"""Between two looks at all heads."""
RETRY_SECONDS: Final = 1.0
"""After a failure."""
BATCH: Final = 200
"""Messages, and logs, that are indexed in one transaction."""
TOLD: Final = 1000
"""Batches of entries that the bus may tell in PAUSE. If there are more, all heads are looked at."""

logger = logging.getLogger("veche")


class Indexing:
    """The thread that indexes. `hear` is called with the entries that were committed."""

    def __init__(self, database: Database, index: Index) -> None:
        self._database = database
        self._index = index
        self._told: deque[Sequence[LogEvent]] = deque(maxlen=TOLD)
        self.hear = self._told.append  # runs on the loop for each batch, so it does nothing else
        self._positions: dict[LogId, int] = {}
        self._compared_at: float | None = None  # None: the positions have to be read
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="veche-indexing", daemon=True)

    def start(self) -> None:
        """Begin to index."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the batch that it is at."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                self._follow()
                pause = PAUSE
            except Exception as error:
                self._compared_at = None
                pause = RETRY_SECONDS
                if self._database.failure_of(error) in (Failure.UNAVAILABLE, Failure.AGAIN):
                    logger.warning("messages cannot be indexed now, which is tried again: %s", error)
                else:
                    logger.exception("messages could not be indexed; this is tried again in %.0f s", pause)

    def _follow(self) -> None:
        told = self._rooms_told()
        now = time.monotonic()
        if self._compared_at is None or now - self._compared_at >= COMPARE_SECONDS:
            self._compared_at = now
            self._positions = self._index.positions()
            for heads in self._all_heads():
                self._catch_up(heads)
        self._catch_up(told)

    def _rooms_told(self) -> dict[LogId, int]:
        """Return the heads of rooms that were told. If some were lost, look at all heads next."""
        if len(self._told) == TOLD:
            self._compared_at = None
        heads: dict[LogId, int] = {}
        while self._told:
            for event in self._told.popleft():
                if event.log_id > 0:
                    heads[event.log_id] = max(event.seq, heads.get(event.log_id, 0))
        return heads

    def _all_heads(self) -> Iterator[dict[LogId, int]]:
        after = 0
        while not self._stopping.is_set():
            with self._database.reading() as tx:
                heads = room_heads(tx, after)
            if not heads:
                return
            yield dict(heads)
            after = heads[-1][0]

    def _catch_up(self, heads: dict[LogId, int]) -> None:
        """Index these logs up to their heads. What is told meanwhile comes first, so that it need not wait for all.

        After each batch it rests, so that others can compute.
        """
        ahead, pace = heads, Pace()
        while ahead and not self._stopping.is_set():
            moved, entries = self._read_batch(ahead)
            if moved and not self._index.store(moved, entries):
                self._positions = self._index.positions()
                self._stopping.wait(PAUSE)
                continue
            self._positions |= {log_id: reached for log_id, (_, reached) in moved.items()}
            self._stopping.wait(pace.rest())
            if ahead and self._told:
                ahead = self._rooms_told() | ahead

    def _read_batch(self, ahead: dict[LogId, int]) -> tuple[dict[LogId, tuple[int, int]], list[Entry]]:
        """Read new entries of some logs in one snapshot. Logs that have no more are removed from `ahead`."""
        moved: dict[LogId, tuple[int, int]] = {}
        entries: list[Entry] = []
        with self._database.reading() as tx:
            for log_id, head in list(ahead.items()):
                if len(entries) >= BATCH or len(moved) >= BATCH:
                    break
                after = self._positions.get(log_id, 0)
                if after >= head:
                    del ahead[log_id]
                    continue
                found, reached = entries_to_index(tx, log_id, after, head, BATCH - len(entries))
                if reached > after:
                    moved[log_id] = (after, reached)
                    entries += found
                if reached in (after, head):  # what is not there yet is told, or found, later
                    del ahead[log_id]
        return moved, entries
