"""How often somebody may do what costs much: sign in, register, make rooms. Who is counted is an address or an account.

No account is ever locked: the right password still works from another address.
"""

import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import NamedTuple

from veche.core.errors import ChatError, Code
from veche.service.uses import note
from veche.wire.proxy import network

FREE_TRIES = 5  # wrong passwords for one account, before each further try is delayed
MAX_DELAY = 5.0  # seconds
MAX_KEYS = 50_000  # keys of one `Limit`; the key that was counted the longest ago is dropped first
LOG_AGAIN = 60.0  # seconds until another log line says that the same address is over a limit

logger = logging.getLogger("veche.limits")

Clock = Callable[[], float]


class Rate(NamedTuple):
    """How much: `at_once`, and then `per_minute`, evenly spread. What is not used is saved up to `at_once`."""

    at_once: float
    per_minute: float


def _itself(key: Hashable) -> Hashable:
    return key


class Limit:
    """Counts what each key uses of a rate (a token bucket for each key).

    `sentence` is the refusal's, for developers. `clock` returns seconds, and never goes back. The answer to whoever is
    counted shows what is left under the name `shown_as`, or nothing if that is empty.
    """

    def __init__(self, rate: Rate, sentence: str = "", clock: Clock = time.monotonic, *, shown_as: str = "") -> None:
        self._at_once = rate.at_once
        self._seconds_each = 60 / rate.per_minute
        self._sentence = sentence
        self._clock = clock
        self._shown_as = shown_as
        self._unused_at: OrderedDict[Hashable, float] = OrderedDict()  # by key: when everything is unused again
        self._name_of: Callable[[Hashable], Hashable] = _itself
        self._tell: Callable[[Hashable, float], None] | None = None

    def share(self, name_of: Callable[[Hashable], Hashable], tell: Callable[[Hashable, float], None]) -> None:
        """Count keys under the names that `name_of` gives them, and call `tell` with a name and an amount for each.

        Call it before anything is counted. What other nodes tell is counted by `add_told`.
        """
        self._name_of, self._tell = name_of, tell

    def __len__(self) -> int:
        """The number of keys that are counted."""
        return len(self._unused_at)

    def used(self, key: Hashable) -> float:
        """Return how much of `at_once` a key has used just now. It may be more than that."""
        return max(0.0, self._unused_at.get(self._name_of(key), 0.0) - self._clock()) / self._seconds_each

    def wait(self, key: Hashable, amount: float = 1.0) -> float:
        """Return the seconds until a key may use an amount, or 0 if it may now.

        An amount above `at_once` may be used when nothing else is. The seconds are rounded, because sums of many floats
        are not exact. Without that, a key that has waited as long as it was told would sometimes have to wait again.
        """
        missing = self.used(key) + min(amount, self._at_once) - self._at_once
        return max(0.0, round(missing * self._seconds_each, 4))

    def check(self, key: Hashable, amount: float = 1.0) -> None:
        """Raise ChatError (RATE_LIMITED) if a key may not use an amount now."""
        if (wait := self.wait(key, amount)) > 0:
            self._show(key)
            raise ChatError(Code.RATE_LIMITED, self._sentence, retry_after=math.ceil(wait))

    def add(self, key: Hashable, amount: float = 1.0) -> None:
        """Count an amount, also if the key is over the limit. A negative amount gives back what was counted."""
        name = self._name_of(key)
        self.add_told(name, amount)
        self._show(key)
        if self._tell is not None:
            self._tell(name, amount)

    def _show(self, key: Hashable) -> None:
        if self._shown_as:
            note(self._shown_as, self._at_once, self._at_once * self._seconds_each, self.used(key))

    def add_told(self, name: Hashable, amount: float) -> None:
        """Count an amount of the key with this name, which was used on another node."""
        now = self._clock()
        self._unused_at[name] = max(now, self._unused_at.get(name, now)) + amount * self._seconds_each
        self._unused_at.move_to_end(name)
        if len(self._unused_at) > MAX_KEYS:
            self._unused_at.popitem(last=False)

    def take(self, key: Hashable, amount: float = 1.0) -> None:
        """Check and count an amount. Raises ChatError (RATE_LIMITED), and counts nothing then."""
        self.check(key, amount)
        self.add(key, amount)


class AddressLimit(Limit):
    """A limit whose keys are addresses. The log says who is over it. `what` is such as "tries to sign in"."""

    def __init__(self, what: str, rate: Rate, clock: Clock = time.monotonic, *, shown_as: str = "") -> None:
        super().__init__(rate, f"Too many {what} from this address.", clock, shown_as=shown_as)
        self._what = what
        self._lines = Limit(Rate(1, 60 / LOG_AGAIN), clock=clock)

    def check(self, key: Hashable, amount: float = 1.0) -> None:
        try:
            super().check(key, amount)
        except ChatError:
            if not self._lines.wait(key):
                self._lines.add(key)
                logger.warning("too many %s from %s: refused for now", self._what, key or "a Unix socket")
            raise


class LoginLimits:
    """Counts tries to sign in.

    `wrong`: how many wrong passwords one address may send at once, and again per minute. `tries`: how many tries it
    has, with any password. An IPv6 /64 network counts as one address. Wrong passwords for an account delay its tries.
    """

    def __init__(self, wrong: int = 30, tries: int = 600) -> None:
        self._wrong = AddressLimit("wrong passwords", Rate(wrong, wrong))
        self._tries = AddressLimit("tries to sign in", Rate(tries, tries))
        self._accounts = Limit(Rate(FREE_TRIES + 10, FREE_TRIES + 10))
        self.limits = {"wrong": self._wrong, "tries": self._tries, "accounts": self._accounts}

    def admit(self, address: str, account: str) -> float:
        """Count a try before its password is checked. Return how many seconds the caller has to wait before the check.

        Raises ChatError (RATE_LIMITED) if the address has no tries left. Until `record` is called, the try counts as a
        wrong password for the account. So parallel tries are delayed like tries one after another.
        """
        key = network(address)
        self._wrong.check(key)
        self._tries.take(key)
        over = round(self._accounts.used(account)) - FREE_TRIES
        if not self._accounts.wait(account):
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
