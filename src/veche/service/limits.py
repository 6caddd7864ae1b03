"""How often somebody may do what costs the server much: register, sign in. Who is counted is an address or an account.

No account is ever locked: the right password still works from another address.
"""

import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from veche.core.errors import ChatError, Code
from veche.wire.proxy import network

FREE_TRIES = 5  # wrong passwords for one account, before each further try is delayed
MAX_DELAY = 5.0  # seconds
MAX_KEYS = 50_000  # keys of one `Limit`; the key that was counted the longest ago is dropped first
LOG_AGAIN = 60.0  # seconds until another log line says that the same key is over a limit

log = logging.getLogger("veche.limits")


class Rate(NamedTuple):
    """How much: `at_once`, and then `per_minute`, evenly spread. What is not used is saved up to `at_once`."""

    at_once: float
    per_minute: float


class _Use(NamedTuple):
    """What a key has used: nothing any more at the time `unused_at`. The log told of it at `logged_at`."""

    unused_at: float
    logged_at: float


class Limit:
    """Counts what each key uses of a rate (a token bucket for each key).

    `what` is for the refusal and the log, such as "tries to sign in". `clock` returns seconds.
    """

    def __init__(self, what: str, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._rate = rate
        self._seconds_each = 60 / rate.per_minute
        self._clock = clock
        self._uses: OrderedDict[str, _Use] = OrderedDict()

    def __len__(self) -> int:
        """The number of keys that are counted."""
        return len(self._uses)

    def used(self, key: str) -> float:
        """Return how much of `at_once` a key has used just now."""
        use = self._uses.get(key)
        return max(0.0, use.unused_at - self._clock()) / self._seconds_each if use else 0.0

    def wait(self, key: str) -> float:
        """Return the seconds until the key may do one thing more, or 0 if it may now."""
        return max(0.0, self.used(key) + 1 - self._rate.at_once) * self._seconds_each

    def check(self, key: str) -> None:
        """Raise ChatError (RATE_LIMITED) if the key may do nothing more now."""
        if (wait := self.wait(key)) > 0:
            self._log(key)
            raise ChatError(Code.RATE_LIMITED, f"Too many {self._what} from this address.", retry_after=math.ceil(wait))

    def add(self, key: str, amount: float = 1.0) -> None:
        """Count one thing, also if the key is over the limit. A negative amount gives back what was counted."""
        now = self._clock()
        used = min(max(self.used(key) + amount, 0.0), self._rate.at_once)
        logged_at = self._uses[key].logged_at if key in self._uses else -math.inf
        self._uses[key] = _Use(now + used * self._seconds_each, logged_at)
        self._uses.move_to_end(key)
        if len(self._uses) > MAX_KEYS:
            self._uses.popitem(last=False)

    def take(self, key: str) -> None:
        """Check and count one thing. Raises ChatError (RATE_LIMITED)."""
        self.check(key)
        self.add(key)

    def _log(self, key: str) -> None:
        now, use = self._clock(), self._uses[key]
        if now - use.logged_at >= LOG_AGAIN:
            self._uses[key] = use._replace(logged_at=now)
            log.warning("too many %s from %s: refused for now", self._what, key or "a Unix socket")


class LoginLimits:
    """Counts tries to sign in.

    `wrong`: how many wrong passwords one address may send at once, and again per minute. `tries`: how many tries it
    has, with any password. An IPv6 /64 network counts as one address. Wrong passwords for an account delay its tries.
    """

    def __init__(self, wrong: int = 30, tries: int = 600) -> None:
        self._wrong = Limit("wrong passwords", Rate(wrong, wrong))
        self._tries = Limit("tries to sign in", Rate(tries, tries))
        self._accounts = Limit("tries for one account", Rate(FREE_TRIES + 10, FREE_TRIES + 10))

    def admit(self, address: str, account: str) -> float:
        """Count a try before its password is checked. Return how many seconds the caller has to wait before the check.

        Raises ChatError (RATE_LIMITED) if the address has no tries left. Until `record` is called, the try counts as a
        wrong password for the account. So parallel tries are delayed like tries one after another.
        """
        key = network(address)
        self._wrong.check(key)
        self._tries.take(key)
        over = round(self._accounts.used(account)) - FREE_TRIES
        self._accounts.add(account)
        return min(0.1 * 2.0**over, MAX_DELAY) if over >= 0 else 0.0

    def record(self, address: str, account: str, *, right: bool) -> None:
        """Count the result of a try.

        Raises ChatError (RATE_LIMITED) if the address has reached its limit of wrong passwords since `admit`, even if
        this password was right. So parallel tries cannot test more passwords than the limit allows.
        """
        key = network(address)
        if right:
            self._accounts.add(account, -1)
        self._wrong.check(key)
        if not right:
            self._wrong.add(key)
