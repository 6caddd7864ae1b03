"""How long the writer tries again while the database fails. All batches share this time.

If each batch had its own, a long queue would be refused over minutes.
"""

import logging
import time

TRY_SECONDS = 5.0
"""Seconds for which it is tried again. A database that was killed is back by then."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.01, 0.5  # seconds between two attempts

logger = logging.getLogger("veche.storage")


class Outage:
    """The time since the database began to fail. It ends when something is stored."""

    def __init__(self, seconds: float = TRY_SECONDS) -> None:
        self._seconds = seconds
        self.began: float | None = None
        self._failed_at = 0.0
        self._pause = 0.0
        self.failures = 0  # how often something was not stored, since the start

    def wait(self) -> bool:
        """Note a failure, and wait before the next attempt. Return False if there is no time left for one."""
        self.failures += 1
        self._failed_at = now = time.monotonic()
        if self.began is None:
            self.began, self._pause = now, 0.0
        if self._lasted(now) >= self._seconds:
            return False
        time.sleep(self._pause)
        self._pause = min(max(2 * self._pause, SHORTEST_PAUSE), LONGEST_PAUSE)
        return True

    def refuses(self) -> bool:
        """Return whether a batch is refused without an attempt. After the time, there is one attempt in each pause.

        Ask before each attempt. If nobody wanted to store anything for a while, nothing is known any more.
        """
        now = time.monotonic()
        if now > self._failed_at + self._seconds:
            self.began = None
        refused = self._lasted(now) >= self._seconds and now < self._failed_at + LONGEST_PAUSE
        self.failures += refused
        return refused

    def end(self) -> None:
        """Something was stored."""
        if (seconds := self._lasted(time.monotonic())) >= self._seconds:
            logger.warning("the database stores again, after %.0f s", seconds)
        self.began = None

    def _lasted(self, now: float) -> float:
        return 0.0 if self.began is None else now - self.began
