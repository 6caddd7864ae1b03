"""How fast a thread may work in the background: it takes what is left of a core by those whom people wait for."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

FULL: Final = 0.85
"""CPU seconds per second of all threads together, up to which the background takes what is left."""
MOST: Final = 0.5
LEAST: Final = 0.05
"""The bounds of the background's own part. Without the lower one, it would stand still for as long as much is sent."""


class Clocks(NamedTuple):
    """Seconds that have passed, CPU seconds of this thread, and of the whole process."""

    passed: float
    mine: float
    all: float


def read_clocks() -> Clocks:
    return Clocks(time.monotonic(), time.thread_time(), time.process_time())


class Pace:
    """Call `rest` after each piece of work, in the thread that does it."""

    def __init__(self, read: Callable[[], Clocks] = read_clocks) -> None:
        self._read = read
        self._last = read()

    def rest(self) -> float:
        """Return how many seconds to rest now, after what this thread has done since the last call."""
        now, last = self._read(), self._last
        self._last = now
        mine = now.mine - last.mine
        others = (now.all - last.all - mine) / max(now.passed - last.passed, 1e-6)
        part = min(MOST, max(LEAST, FULL - others))
        return max(0.0, mine * (1 - part) / part)
