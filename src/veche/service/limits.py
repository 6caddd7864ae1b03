"""Limits on signing in. An address has a limited number of tries per minute. Wrong passwords delay the next tries.

No account is ever locked: the right password still works from another address.
"""

import time
from collections import OrderedDict, deque

from veche.core.errors import ChatError, Code
from veche.wire.proxy import network

WINDOW = 60.0  # seconds
FREE_TRIES = 5  # wrong passwords for one account, before each further try is delayed
MAX_DELAY = 5.0  # seconds
MAX_KEYS = 50_000  # keys of one `RecentCounts`; the key whose last try is the oldest is dropped first


class LoginLimits:
    """Counts tries to sign in.

    `wrong`: how many wrong passwords one address may send per minute. `tries`: how many tries one address has per
    minute. An IPv6 /64 network counts as one address.
    """

    def __init__(self, wrong: int = 30, tries: int = 600) -> None:
        self._wrong, self._tries = RecentCounts(wrong), RecentCounts(tries)
        self._accounts = RecentCounts(FREE_TRIES + 10)

    def admit(self, address: str, account: str) -> float:
        """Count a try before its password is checked. Return how many seconds the caller has to wait before the check.

        Raises ChatError (RATE_LIMITED) if the address has no tries left. Until `record` is called, the try counts as a
        wrong password for the account. So parallel tries are delayed like tries one after another.
        """
        key = network(address)
        for counts in (self._wrong, self._tries):
            _check(counts, key)
        self._tries.add(key)
        over = self._accounts.count(account) - FREE_TRIES
        self._accounts.add(account)
        return min(0.1 * 2.0**over, MAX_DELAY) if over >= 0 else 0.0

    def record(self, address: str, account: str, *, right: bool) -> None:
        """Count the result of a try.

        Raises ChatError (RATE_LIMITED) if the address has reached its limit of wrong passwords since `admit`, even if
        this password was right. So parallel tries cannot test more passwords than the limit allows.
        """
        key = network(address)
        if right:
            self._accounts.remove_last(account)
        _check(self._wrong, key)
        if not right:
            self._wrong.add(key)


def _check(counts: "RecentCounts", key: str) -> None:
    if (wait := counts.wait(key)) > 0:
        sentence = "Too many tries to sign in from this address."
        raise ChatError(Code.RATE_LIMITED, sentence, retry_after=int(wait) + 1)


class RecentCounts:
    """Counts how often each key was added in the last minute, up to `limit`. Keeps at most MAX_KEYS keys."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def add(self, key: str) -> None:
        times = self._times.setdefault(key, deque(maxlen=self._limit))
        times.append(time.monotonic())
        self._times.move_to_end(key)
        if len(self._times) > MAX_KEYS:
            self._times.popitem(last=False)

    def remove_last(self, key: str) -> None:
        if times := self._times.get(key):
            times.pop()

    def count(self, key: str) -> int:
        """Return how often `key` was added in the last minute, up to the limit."""
        times = self._times.get(key)
        if times is None:
            return 0
        while times and times[0] <= time.monotonic() - WINDOW:
            times.popleft()
        if not times:
            del self._times[key]
        return len(times)

    def wait(self, key: str) -> float:
        """Return the seconds until the count falls below the limit, or 0 if it is already below."""
        if self.count(key) < self._limit:
            return 0.0
        return self._times[key][0] + WINDOW - time.monotonic()
