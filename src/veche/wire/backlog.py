"""The connections that have received more frames than are handled at once.

A client may send thousands of small frames in one packet. If all were handled at once, all other clients would wait.
So a connection handles one slice of them. The rest waits here, and each connection handles a slice in turn.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

TURN_SECONDS: Final = 0.002
"""About how long slices are handled before the event loop runs other callbacks."""


class Behind(Protocol):
    """What `Backlog` needs of a connection."""

    def handle_slice(self) -> None:
        """Handle the next slice. If frames are left then, call `Backlog.add` again."""


class Backlog:
    """Connections that wait to handle their next slice, in the order in which they were added."""

    def __init__(self) -> None:
        self._waiting: dict[Behind, None] = {}
        self._scheduled = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, connection: Behind) -> None:
        """Let a connection handle its next slice in a later turn of the loop. Do nothing if it waits already."""
        self._waiting[connection] = None
        self._schedule(asyncio.get_running_loop())

    def discard(self, connection: Behind) -> None:
        self._waiting.pop(connection, None)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._run, loop)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        self._scheduled = False
        until = loop.time() + TURN_SECONDS
        while self._waiting and loop.time() < until:
            connection = next(iter(self._waiting))
            del self._waiting[connection]
            connection.handle_slice()
        if self._waiting:
            self._schedule(loop)
