"""A bound on the bytes that the server holds for all connections together.

What is held for one connection is bounded: bytes that the client has not read yet, and bytes that were received and
wait to be handled. For thousands of connections that would still be gigabytes. So the bytes are counted, and if there
are too many, the connections for which most is held have to go.

They are counted once a second. To count at each read and each write would cost more than it is worth.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from itertools import chain
from typing import Final, Protocol

from veche.wire.connections import LOG_AGAIN

EVERY: Final = 1.0
"""Seconds between two counts."""
SLICE: Final = 200
"""Number of connections that are counted before the loop runs other callbacks."""
MEGABYTE: Final = 1 << 20

logger = logging.getLogger("veche.wire")


class Holding(Protocol):
    """What `HeldBytes` needs of a connection."""

    @property
    def closing(self) -> bool: ...
    def held(self) -> int:
        """Return about how many bytes the server holds for the client."""

    def stalled(self) -> None: ...  # close the connection
    def abort(self) -> None: ...  # drop it with all that is held


class HeldBytes:
    """Counts the bytes held for all connections, and closes those with the most if the bytes are over `at_most`.

    `sources` are collections of connections that change while the server runs.

    A connection that is closing already is aborted: it still waits for the client to read.
    """

    def __init__(self, sources: Iterable[Iterable[Holding]], at_most: int) -> None:
        self._sources = tuple(sources)
        self._at_most = at_most
        self._timer: asyncio.Handle | None = None
        self._logged_at: float | None = None

    def start(self) -> None:
        """Start counting on the running loop."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(EVERY, self._count, loop)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _count(self, loop: asyncio.AbstractEventLoop) -> None:
        self._count_slice(loop, list(chain.from_iterable(self._sources)), [])

    def _count_slice(
        self, loop: asyncio.AbstractEventLoop, left: list[Holding], found: list[tuple[int, Holding]]
    ) -> None:
        found += [(held, connection) for connection in left[-SLICE:] if (held := connection.held())]
        del left[-SLICE:]
        if left:
            self._timer = loop.call_soon(self._count_slice, loop, left, found)
            return
        self._timer = loop.call_later(EVERY, self._count, loop)
        total = sum(held for held, _ in found)
        if total > self._at_most:
            self._close_largest(total, found)

    def _close_largest(self, total: int, found: list[tuple[int, Holding]]) -> None:
        self._log(total)
        found.sort(key=lambda one: (one[1].closing, one[0]), reverse=True)
        for held, connection in found:
            if total <= self._at_most:
                return
            (connection.abort if connection.closing else connection.stalled)()
            total -= held

    def _log(self, total: int) -> None:
        now = asyncio.get_running_loop().time()
        if self._logged_at is None or now - self._logged_at >= LOG_AGAIN:
            self._logged_at = now
            text = "%d MB are held for clients that do not read, or send faster than is handled: the largest have to go"
            logger.warning(text, total // MEGABYTE)
