"""What a request has used of limits, for the answer to show.

The limits are deep inside the services, and an answer is written at the gateway. A context variable connects them, so
that no function between them has to know. Where nobody has begun to note, nothing is noted.
"""

import math
from contextvars import ContextVar
from typing import NamedTuple


class Use(NamedTuple):
    """What is left of a limit: `left` of `quota`.

    The whole quota takes `window` seconds to come back. What is used now takes `reset` seconds.
    """

    quota: int
    window: int
    left: int
    reset: int


Uses = dict[str, Use]
USES: ContextVar[Uses | None] = ContextVar("uses", default=None)


def note(name: str, quota: float, window: float, used: float) -> None:
    """Note that `used` of a limit is used now."""
    if (uses := USES.get()) is not None:
        left = max(0, math.floor(quota - used))
        uses[name] = Use(math.floor(quota), math.ceil(window), left, math.ceil(window * used / quota))
