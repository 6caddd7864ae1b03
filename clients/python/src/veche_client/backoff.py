"""How long to wait before the next connection. All times are in seconds."""

from __future__ import annotations

import random

MAX = 30.0
SMALL = 0.25
NEEDS_TOKEN = (4001, 4004, 4201)
"""Close codes after which a new token is needed."""


def backoff(failures: int) -> float:
    """Return a random time of up to 1 s after the first failure, 2 s after the second, and so on up to 30 s."""
    return random.random() * min(MAX, 2.0 ** min(failures, 10))


def wait_after(code: int, retry_after: float, failures: int) -> float | None:
    """Return how long to wait after a connection has ended. None: do not connect.

    `code` is the close code, 0 without one; `retry_after` is that of `bye`, or 0; `failures` counts the connections
    that ended before the client had caught up, since one where it had.
    """
    if 4000 <= code < 4100:
        return None
    if 4200 <= code < 4300 and not failures:
        return retry_after + random.random() * SMALL
    least = max(1.0, retry_after) if 4100 <= code < 4200 else retry_after
    return least + backoff(failures)
