"""Requests of REST draw on the share of their account, as commands on a socket do (`service.shares`)."""

import asyncio
from typing import Final, NamedTuple

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.service.shares import Share, Shares

REQUEST: Final = 2.0  # units of work of a request; a large one does more
RETRY_AFTER: Final = 1  # seconds


class Patience(NamedTuple):
    """How many requests of one account may wait for its share, and for how many seconds each of them."""

    requests: int
    seconds: float


NATIVE: Final = Patience(8, 1.0)
OLDER: Final = Patience(100, 10.0)
"""For the older contracts: their clients may not know how to try again, so they are slowed down instead."""


async def draw(shares: Shares, actor: Actor, patience: Patience, units: float = REQUEST) -> None:
    """Count the work of a request. If the account has no share left, wait first.

    Raises ChatError (RATE_LIMITED) if too many requests of the account wait, or if this one has waited for too long.
    """
    share = shares.of(actor.party)
    if share.is_full() and not (share.stopped < patience.requests and await _is_free_in(patience.seconds, share)):
        sentence = "This account does more than its share, and others wait."
        raise ChatError(Code.RATE_LIMITED, sentence, retry_after=RETRY_AFTER)
    share.work(units)


async def _is_free_in(seconds: float, share: Share) -> bool:
    free = asyncio.Event()
    share.call_when_free(free.set)
    try:
        async with asyncio.timeout(seconds):
            await free.wait()
    except TimeoutError:
        return False
    finally:
        share.forget(free.set)
    return True
