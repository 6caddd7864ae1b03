"""People who have not signed in take turns, and get at most the part of a busy server that one account may have.

A request without an account costs more than a message: FastAPI answers it, and it often signs somebody in or opens a
connection. Nobody has to have an account to send thousands of them. So only one of them begins in each turn of the
event loop, and between two of them the loop serves everybody who has signed in. Addresses take turns.

All guests together have one `Share`. If they do most of the work of a busy server, they are slowed as an account is.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from veche.core.errors import ChatError, Code
from veche.service.shares import Shares
from veche.service.turns import Turns

MAX_WAITING: Final = 2_000
"""Requests of all guests that wait for their turn."""
GUEST_REQUEST: Final = 10.0  # units of work (`Share.work`)
UPGRADE: Final = 2.0
RETRY_AFTER: Final = 2  # seconds


class _Turn(NamedTuple):
    """A request that waits."""

    begun: asyncio.Future[None]
    units: float


class Guests:
    """The requests of guests that have not begun. `turn` waits until a request may begin."""

    def __init__(self, shares: Shares) -> None:
        self._share = shares.open("guests")
        self._waiting: Turns[_Turn] = Turns(MAX_WAITING)
        self._began = False  # a request began in this turn of the loop

    def __len__(self) -> int:
        """The number of requests that wait."""
        return len(self._waiting)

    def begins_at_once(self, units: float = GUEST_REQUEST) -> bool:
        """Let a request begin if it need not wait, and count its work."""
        if self._waiting or self._began or self._share.is_full():
            return False
        self._begin(units)
        return True

    async def turn(self, address: str, units: float = GUEST_REQUEST) -> None:
        """Wait until a request of an address may begin, and count its work.

        Raises ChatError (OVERLOADED) if too many wait, and this one is the last of the address with the most.
        """
        if self.begins_at_once(units):
            return
        loop = asyncio.get_running_loop()
        turn = _Turn(loop.create_future(), units)
        if (surplus := self._waiting.add(address, turn)) is not None and not surplus.begun.done():
            sentence = "Too many people come just now. Try again in a moment."
            surplus.begun.set_exception(ChatError(Code.OVERLOADED, sentence, retry_after=RETRY_AFTER))
        if not self._began:
            self._go_on()
        try:
            await turn.begun
        finally:
            self._waiting.discard(address, turn)

    def _begin(self, units: float) -> None:
        self._share.work(units)
        self._began = True
        asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._began = False
        self._go_on()

    def _go_on(self) -> None:
        """Let the next request begin, if one waits and the guests have a share left."""
        if self._began or not self._waiting:
            return
        if self._share.is_full():
            self._share.call_when_free(self._go_on)
        elif (turn := self._waiting.take()) is not None:
            self._begin(turn.units)
            if not turn.begun.done():
                turn.begun.set_result(None)
