"""Garbage collection that holds the event loop for some milliseconds at most, as long as the server is busy.

Reference counting frees almost all objects. The collector is there for objects that refer to each other in a circle.
It runs in the middle of whatever makes a new object. What it costs grows with the number of objects that it visits.
With CPython's thresholds it visits all that a server holds for 10,000 clients at once, and everybody waits for 200 ms.
"""

import asyncio
import gc
import time
from typing import Final

YOUNG: Final = 2_000
"""New objects between two collections of the youngest generation. A batch of messages makes thousands of tuples, which
reference counting frees. CPython's default of 700 or 2,000 would start many collections for them."""
MIDDLE: Final = 5
"""Collections of the youngest generation between two of the middle one. One visits YOUNG * MIDDLE objects at most."""
NEVER: Final = 1 << 30
EVERY: Final = 30.0
"""Seconds between two looks whether to collect the oldest generation."""
LATEST: Final = 600.0
"""Seconds after which the oldest generation is collected even if the server is busy."""
CALM: Final = 0.2
"""CPU seconds per second of the event loop's thread, below which the server is calm."""
GROWN: Final = 1.25
"""The oldest generation is collected when it has so many times the objects that the last collection left."""


def spare_old_objects() -> None:
    """Exclude the objects that exist now from collections, and let no collection visit all others by itself.

    The objects that exist now, those of all modules, live as long as the process. `collect_when_calm` does the rest.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, NEVER)


async def collect_when_calm(every: float = EVERY, calm: float = CALM) -> None:
    """Run until cancelled: collect the oldest generation if it has grown, when the server is calm or LATEST is over."""
    left, seen, waited = 0, _promotions(), 0.0
    while True:
        before = time.thread_time()
        await asyncio.sleep(every)
        waited += every
        is_calm = time.thread_time() - before < calm * every
        if (is_calm or waited >= LATEST) and (now := _promotions()) != seen:
            seen, waited = now, 0.0
            if _old() > GROWN * left:
                gc.collect()
                left = _old()


def _promotions() -> int:
    """Return how often objects have come into the oldest generation."""
    return int(gc.get_stats()[1]["collections"])


def _old() -> int:
    return len(gc.get_objects(generation=2))
