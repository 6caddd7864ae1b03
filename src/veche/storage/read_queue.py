"""The queries that wait for a reader's thread. Parties take turns, and have bounds.

A party is an account, or whoever shares the server like an account (`Actor.party`). None is the server itself: its
queries take turns like those of a party, and are never refused.
"""

import logging
import time
from collections import Counter, OrderedDict, deque
from threading import Lock
from typing import Final, Generic, TypeVar

from veche.core.actor import Party
from veche.core.errors import ChatError, Code

T = TypeVar("T")

MAX_READS: Final = 1000
"""Queries of one party that wait or run."""
TOTAL_READS: Final = 40_000
"""Queries of all parties that wait or run: four for each of 10,000 connections."""
RETRY_AFTER: Final = 1  # seconds
LOG_AGAIN: Final = 60.0
"""Seconds until it is logged again that queries are refused."""

logger = logging.getLogger("veche.storage")


class ReadQueue(Generic[T]):
    """The waiting queries of all parties, and how many queries each party has. `T` is a query with its reply.

    `add` and `ended` are called on the loop, `take` by a reader's thread.
    """

    def __init__(self, of_party: int = MAX_READS, total: int = TOTAL_READS) -> None:
        self._of_party = of_party
        self._total = total
        self._lock = Lock()
        self._lines: OrderedDict[Party | None, deque[T]] = OrderedDict()  # the party whose turn is next comes first
        self._counts: Counter[Party] = Counter()
        self._count = 0
        self._logged_at = -LOG_AGAIN

    def __len__(self) -> int:
        """The number of queries of parties that wait or run."""
        return self._count

    def add(self, party: Party | None, query: T) -> None:
        """Add a query. Call `ended` when it has run. Raises ChatError (OVERLOADED) if too many wait."""
        if party is not None:
            self._check(party)
            self._counts[party] += 1
            self._count += 1
        with self._lock:
            self._lines.setdefault(party, deque()).append(query)

    def take(self) -> T | None:
        """Remove the query whose turn is next, and return it, or None if no query waits."""
        with self._lock:
            if not self._lines:
                return None
            party, line = self._lines.popitem(last=False)
            query = line.popleft()
            if line:
                self._lines[party] = line
            return query

    def ended(self, party: Party | None) -> None:
        """Count a query as done."""
        if party is not None:
            self._count -= 1
            self._counts[party] -= 1
            if not self._counts[party]:
                del self._counts[party]

    def _check(self, party: Party) -> None:
        if self._counts[party] < self._of_party and self._count < self._total:
            return
        if time.monotonic() - self._logged_at >= LOG_AGAIN:
            self._logged_at = time.monotonic()
            text = "%d queries wait, %d of them of one party: more are refused"
            logger.warning(text, self._count, self._counts[party])
        sentence = "The server has too much to do. Try again soon."
        raise ChatError(Code.OVERLOADED, sentence, retry_after=RETRY_AFTER)
