"""Allowances: how much of something each key (an account, for example) may do in a time."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from math import ceil

from veche.core.errors import ChatError, Code

MAX_KEYS = 50_000  # of one `Allowance`; the key whose last charge is the oldest is dropped first


class Allowance:
    """A bucket for each key. It holds `limit`, and refills evenly in `seconds`.

    `sentence` is the refusal's, for developers. `clock` returns seconds, and never goes back.
    """

    def __init__(self, limit: int, seconds: float, sentence: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._per_second = limit / seconds
        self._sentence = sentence
        self._clock = clock
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()  # by key: when its bucket is full again

    def check(self, key: Hashable, cost: int) -> None:
        """Raise ChatError (RATE_LIMITED) if a key has not `cost` left. A cost above the limit needs a full bucket."""
        missing = min(cost, self._limit) - self._left(key)
        if missing > 1e-9:
            raise ChatError(Code.RATE_LIMITED, self._sentence, retry_after=ceil(missing / self._per_second))

    def charge(self, key: Hashable, cost: int) -> None:
        """Take `cost` from a key. Raises ChatError (RATE_LIMITED) as `check` does, and takes nothing then."""
        self.check(key, cost)
        now = self._clock()
        self._full_at[key] = max(now, self._full_at.get(key, now)) + cost / self._per_second
        self._full_at.move_to_end(key)
        if len(self._full_at) > MAX_KEYS:
            self._full_at.popitem(last=False)

    def _left(self, key: Hashable) -> float:
        return self._limit - max(0.0, self._full_at.get(key, 0.0) - self._clock()) * self._per_second
