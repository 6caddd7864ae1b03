"""Fair shares: no account can take so much of a busy server that others have to wait.

Anonymous people count by connection, and guests by address (`Actor.party`).

Every connection and every request of an account draws on the account's `Share`. A share says two things: how many
commands of the account may wait to be stored, and how much the account may do while the server is busy.

As long as the server is not busy, nobody is slowed down, however much they send. The server is busy if it computes for
more than BUSY of the time. Then `Shares` looks for accounts that do more than LARGE of all work, if others work too. It
lowers what they may do until the server is not busy any more, and raises it again after that. An account that is alone
is limited by the server only.

What happens to an account that is over its share: its sockets are not read (`gateway.client`), and its REST requests
get `rate_limited` or wait (`gateway.http`).
"""

import asyncio
import logging
import time
from collections.abc import Callable
from math import inf
from typing import Final

from veche.core.actor import Party

logger = logging.getLogger("veche")

MAX_WAITING: Final = 1000
"""Commands of one account that wait for their answer."""
MAX_WAITING_BYTES: Final = 1 << 20
"""Bytes of text in these commands."""
TOTAL_WAITING: Final = 16_000
"""Commands of all accounts that wait. The fewer are left, the fewer each account may have."""
TOTAL_WAITING_BYTES: Final = 64 << 20
FAIR_PART: Final = 4  # one account may have this part of the waiting commands that are left: a fourth
SMALLEST_SHARE: Final = 8  # waiting commands that an account may always have, however many others wait

WINDOW: Final = 0.05
"""Seconds between two looks at what the accounts do."""
PARTS: Final = 5
"""Parts of a window. A limited share is free bit by bit, because others would wait for what it does at once."""
QUIET: Final = 0.2
"""CPU seconds per second below which a window is quiet. A quiet window is long, because the end of a window wakes a
server that sleeps most of the time. It ends early after QUIET_UNITS, or when a connection has to wait. So a sudden load
is seen as soon as without quiet windows."""
QUIET_WINDOW: Final = 0.5  # seconds
QUIET_UNITS: Final = 25.0
SMOOTHED: Final = 0.3  # what WINDOW seconds count in the average of the windows
BUSY: Final = 0.5  # CPU seconds per second of the threads that serve everybody: the event loop's and the writer's
CALM: Final = 0.4
LARGE: Final = 1 / 3  # part of all work of a window
LOWEST: Final = 5.0  # units in WINDOW seconds (100 in a second) that an account may always do
ACTIVE: Final = 1.0  # seconds for which an account counts as active after its last work

CpuSeconds = Callable[[], float]


class Share:
    """The share of one account. `take` and `release` are called for each command, so they do little.

    Work is counted in units. A unit is about as much as sending one message.
    """

    __slots__ = (
        "_debt",
        "_shares",
        "_stopped",
        "allowed",
        "done",
        "idle",
        "key",
        "requests",
        "users",
        "waiting",
        "waiting_bytes",
    )

    def __init__(self, shares: "Shares", key: Party) -> None:
        self._shares = shares
        self.key = key
        self.users = 0  # connections and requests
        self.done = 0.0  # units in this window
        self.allowed = inf  # units in WINDOW seconds
        self._debt = 0.0  # units done in earlier windows beyond what was allowed
        self.idle = ACTIVE  # seconds since the last window with work, at most ACTIVE
        self.waiting = 0
        self.waiting_bytes = 0
        self.requests = 0  # that wait until the share is not full any more
        self._stopped: dict[Callable[[], None], None] = {}  # what to call when the share is not full any more

    def take(self, size: int) -> None:
        """Count a command that waits from now on. `size` is the number of bytes of its text."""
        self.work(1.0)
        self.waiting += 1
        self.waiting_bytes += size
        self._shares.waiting += 1
        self._shares.waiting_bytes += size

    def release(self, size: int) -> None:
        """Count the answer to a command."""
        self.waiting -= 1
        self.waiting_bytes -= size
        self._shares.waiting -= 1
        self._shares.waiting_bytes -= size
        if self._stopped:
            self._resume_one()
        if not self.users:
            self._shares.drop_if_unused(self)

    def work(self, units: float) -> None:
        """Count work that the account has caused."""
        if not self.done:
            self._shares.activate(self)
        self.done += units
        self._shares.work(units)

    def is_full(self) -> bool:
        """Return whether the account has to wait before it may do more."""
        return (
            self.done + self._debt >= self.allowed * self._shares.part
            or self.waiting >= self._shares.most_waiting
            or self.waiting_bytes >= self._shares.most_waiting_bytes
        )

    def call_when_free(self, resume: Callable[[], None]) -> None:
        """Call `resume` once, when the share is not full any more."""
        self._shares.end_quiet_window()
        self._stopped[resume] = None
        self._shares.activate(self)

    def forget(self, resume: Callable[[], None]) -> None:
        """Do not call `resume`."""
        self._stopped.pop(resume, None)

    def _resume_one(self) -> None:
        """Let the connections of the account go on in turn: each answer lets one of them read more."""
        if not self.is_full():
            resume = next(iter(self._stopped))
            del self._stopped[resume]
            try:
                resume()
            except Exception:  # one connection must not stop the others
                logger.exception("a connection could not go on")

    def end_window(self, seconds: float) -> None:
        """Begin a new window. The last one took `seconds`."""
        self.idle = 0.0 if self.done else min(self.idle + seconds, ACTIVE)
        self._debt = max(0.0, self.done + self._debt - self.allowed) if self.allowed < inf else 0.0
        self.done = 0.0

    def go_on(self) -> None:
        """Let connections go on.

        If the share is limited, only a few go on now. Each answer to one of them lets the next go on.
        """
        for _ in range(len(self._stopped) if self.allowed == inf else max(1, int(self.allowed / PARTS))):
            if self._stopped:
                self._resume_one()

    @property
    def is_stopped(self) -> bool:
        """Return whether connections or requests of the account wait until the share is not full any more."""
        return bool(self._stopped)

    @property
    def is_idle(self) -> bool:
        return self.idle >= ACTIVE and not self._stopped and self.allowed == inf


class Shares:
    """The shares of all accounts that are connected or were active in the last second.

    `cpu_seconds` returns how long the threads that serve everybody have computed.
    """

    def __init__(self, cpu_seconds: CpuSeconds) -> None:
        self._cpu_seconds = cpu_seconds
        self._shares: dict[Party, Share] = {}
        self._active: dict[Share, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.part = 1.0  # of what a limited share is allowed in this window, that it may do already
        self._limited: list[Share] = []
        self._began = (0.0, 0.0)  # time, and CPU seconds, when the window began
        self._busy = 0.0
        self._quiet_units = inf  # units that are left in a quiet window
        self.waiting = 0
        self.waiting_bytes = 0
        self.most_waiting = MAX_WAITING
        self.most_waiting_bytes = MAX_WAITING_BYTES

    def __len__(self) -> int:
        return len(self._shares)

    def open(self, key: Party) -> Share:
        """Return the share of an account, for one connection. Call `close` when the connection ends."""
        share = self.of(key)
        share.users += 1
        return share

    def close(self, share: Share) -> None:
        share.users -= 1
        self.drop_if_unused(share)

    def of(self, key: Party) -> Share:
        """Return the share of an account, for one request."""
        share = self._shares.get(key)
        if share is None:
            share = self._shares[key] = Share(self, key)
        return share

    def is_full(self, key: Party) -> bool:
        """Return whether an account has to wait before it may do more."""
        share = self._shares.get(key)
        return share is not None and share.is_full()

    def activate(self, share: Share) -> None:
        """Look at a share at the end of this window."""
        self._active[share] = None
        if self._timer is None:
            self._began = time.monotonic(), self._cpu_seconds()
            self._begin_window()

    def work(self, units: float) -> None:
        """Count work of any account."""
        self._quiet_units -= units
        if self._quiet_units <= 0:
            self.end_quiet_window()

    def end_quiet_window(self) -> None:
        """End this window now if it is a quiet one. The next one is short."""
        if self._quiet_units < inf and self._timer is not None:
            self._timer.cancel()
            self._end_window(quiet=False)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin_window(self, quiet: bool = False) -> None:
        """Set the timer. If there are limited shares, the window has parts."""
        loop = asyncio.get_running_loop()
        self._quiet_units = QUIET_UNITS if quiet else inf
        if self._limited:
            self.part = 1 / PARTS
            self._timer = loop.call_later(WINDOW / PARTS, self._end_part, 1)
        else:
            self.part = 1.0
            self._timer = loop.call_later(QUIET_WINDOW if quiet else WINDOW, self._end_window)

    def _end_part(self, ended: int) -> None:
        if ended == PARTS:
            self._end_window()
            return
        self.part = (ended + 1) / PARTS
        self._timer = asyncio.get_running_loop().call_later(WINDOW / PARTS, self._end_part, ended + 1)
        for share in self._limited:
            share.go_on()

    def _end_window(self, quiet: bool = True) -> None:
        """Look at what was done, and begin the next window. It may be a quiet one if `quiet` is true."""
        now, cpu = time.monotonic(), self._cpu_seconds()
        took = max(now - self._began[0], 1e-6)
        counts = 1 - (1 - SMOOTHED) ** (took / WINDOW)
        self._busy += counts * ((cpu - self._began[1]) / took - self._busy)
        self._adjust(self._busy, WINDOW / took)
        self._share_what_is_left()
        self._timer, self._began = None, (now, cpu)
        shares = tuple(self._active)
        for share in shares:
            share.end_window(took)
            if share.is_idle:
                del self._active[share]
                self.drop_if_unused(share)
        self._limited = [share for share in self._active if share.allowed < inf]
        if self._active:
            calm = quiet and self._busy < QUIET and not self._limited
            self._begin_window(calm and not any(share.is_stopped for share in self._active))
        for share in shares:
            share.go_on()

    def _adjust(self, busy: float, scale: float) -> None:
        """Lower what large accounts may do while the server is busy, and raise it while it is not."""
        total = sum(share.done for share in self._active)
        others = len(self._active) > 1
        for share in self._active:
            if busy > BUSY and others and share.done > LARGE * total:
                share.allowed = max(LOWEST, min(share.allowed, share.done * scale) * BUSY / busy)
            elif share.allowed < inf and (busy < CALM or not others):
                share.allowed *= 1.25
                if share.allowed > 4 * max(share.done * scale, LOWEST):
                    share.allowed = inf

    def _share_what_is_left(self) -> None:
        left = (TOTAL_WAITING - self.waiting) // FAIR_PART
        self.most_waiting = max(SMALLEST_SHARE, min(MAX_WAITING, left))
        left = (TOTAL_WAITING_BYTES - self.waiting_bytes) // FAIR_PART
        self.most_waiting_bytes = max(1, min(MAX_WAITING_BYTES, left))

    def drop_if_unused(self, share: Share) -> None:
        """Forget a share whose account has no connection, and of which nothing waits."""
        if not share.users and not share.waiting and share not in self._active:
            self._shares.pop(share.key, None)
