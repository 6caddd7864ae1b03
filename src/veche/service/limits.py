"""How often somebody may try to sign in: wrong passwords slow down by address and by account, nobody is locked out."""

import ipaddress
import time
from collections import OrderedDict, deque

from veche.core.errors import ChatError, Code

WINDOW = 60.0  # seconds
FREE_TRIES = 5  # wrong ones on one account, before each further try has to wait
LONGEST_WAIT = 5.0
REMEMBERED = 50_000  # keys; the oldest are forgotten first


class LoginLimits:
    """`wrong` and `tries`: how many a minute one address has (an IPv6 /64 counts as one address)."""

    def __init__(self, wrong: int = 30, tries: int = 600) -> None:
        self._wrong, self._tries = Recent(wrong), Recent(tries)
        self._accounts = Recent(FREE_TRIES + 10)

    def admit(self, address: str, account: str) -> float:
        """Count a try, and tell how many seconds it has to wait; refuses as rate limited.

        On the account it counts as wrong until it was found right, so that many at once wait as one after another does.
        """
        key = network(address)
        for recent in (self._wrong, self._tries):
            _check(recent, key)
        self._tries.add(key)
        over = self._accounts.count(account) - FREE_TRIES
        self._accounts.add(account)
        return min(0.1 * 2.0**over, LONGEST_WAIT) if over >= 0 else 0.0

    def judge(self, address: str, account: str, *, right: bool) -> None:
        """Count what was found; refuses as rate limited, right or wrong, where enough wrong ones came meanwhile.

        So nobody learns more from many at once than from one after another, and many right ones at once are let in.
        """
        key = network(address)
        if right:
            self._accounts.take_back(account)
        _check(self._wrong, key)
        if not right:
            self._wrong.add(key)


def _check(recent: "Recent", key: str) -> None:
    if (wait := recent.wait(key)) > 0:
        sentence = "Too many tries to sign in from this address."
        raise ChatError(Code.RATE_LIMITED, sentence, retry_after=int(wait) + 1)


class Recent:
    """When each key did something in the last minute, up to a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def add(self, key: str) -> None:
        """Note one more."""
        times = self._times.setdefault(key, deque(maxlen=self._limit))
        times.append(time.monotonic())
        self._times.move_to_end(key)
        if len(self._times) > REMEMBERED:
            self._times.popitem(last=False)

    def take_back(self, key: str) -> None:
        """Forget the last one."""
        if times := self._times.get(key):
            times.pop()

    def count(self, key: str) -> int:
        """Tell how many there were in the last minute, up to the limit."""
        times = self._times.get(key)
        if times is None:
            return 0
        while times and times[0] <= time.monotonic() - WINDOW:
            times.popleft()
        if not times:
            del self._times[key]
        return len(times)

    def wait(self, key: str) -> float:
        """Tell how many seconds until there is room for one more; 0 where there is."""
        if self.count(key) < self._limit:
            return 0.0
        return self._times[key][0] + WINDOW - time.monotonic()


def network(address: str) -> str:
    """Name what counts as one address: an IPv4 address, an IPv6 /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
