"""Sends the heartbeats of all WebSocket connections with one timer. Finds clients that do not answer or do not read."""

from __future__ import annotations

import asyncio
import math
from typing import Final, Protocol

SLOTS: Final = 25
SLICE: Final = 200
"""Number of connections that are handled before the loop runs other callbacks."""
MAX_PAUSED: Final = 2000
"""Connections to which writing may be paused at once. Each holds about `Wire.high_water` bytes of unsent data."""


class Pingable(Protocol):
    """What `Heartbeats` needs of a connection."""

    received_since_ping: bool
    """Set by the connection when data arrives. Cleared by `Heartbeats` with each ping."""
    reading_paused: bool
    """True while the connection does not read. A missing pong then means nothing."""
    slot: int
    """The slot of the connection. Set by `Heartbeats` only."""

    @property
    def closing(self) -> bool: ...
    def send_heartbeat(self) -> bool: ...  # returns False if the connection has no heartbeat
    def unanswered(self) -> None: ...
    def stalled(self) -> None: ...


class Heartbeats:
    """A timing wheel: connections are spread over 25 slots, and each tick pings one slot.

    All times are in seconds. Each connection gets a ping every `interval`. If no data arrives within `timeout` after a
    ping, `unanswered()` is called on it. If writing to it is paused for longer than `stall`, `stalled()` is called on
    it at every tick until it closes. Raises ValueError if `timeout` is not below `interval`.
    """

    def __init__(self, interval: float = 25.0, timeout: float = 10.0, stall: float = 30.0) -> None:
        self.interval, self.timeout = interval, timeout
        self._tick = interval / SLOTS
        # Less than SLOTS, so that a connection is not checked in the same tick in which its next ping is sent.
        self._timeout_slots = min(max(1, math.ceil(timeout / self._tick)), SLOTS - 1)
        if timeout >= interval:
            raise ValueError("A heartbeat must be answered before the next one is due: timeout must be below interval.")
        self._stall = stall
        self._slots: list[set[Pingable]] = [set() for _ in range(SLOTS)]
        self._current_slot = 0
        self._next_slot = 0
        self._paused: dict[Pingable, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        """The number of connections."""
        return sum(map(len, self._slots))

    def start(self) -> None:
        """Start the timer on the running loop. A second call does nothing."""
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            self._timer = self._loop.call_later(self._tick, self._on_tick, self._loop)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def add(self, socket: Pingable) -> None:
        socket.slot = self._next_slot
        self._slots[self._next_slot].add(socket)
        self._next_slot = (self._next_slot + 1) % SLOTS

    def discard(self, socket: Pingable) -> None:
        self._slots[socket.slot].discard(socket)
        self._paused.pop(socket, None)

    def paused(self, socket: Pingable, since: float) -> None:
        """Record that writing is paused since this loop time. Called during a write, so this method must not write.

        If it is paused on more than MAX_PAUSED connections, `stalled()` is called on those paused for longest.
        """
        self._paused[socket] = since
        if len(self._paused) == MAX_PAUSED + 1:
            asyncio.get_running_loop().call_soon(self._end_longest_paused)

    def resumed(self, socket: Pingable) -> None:
        self._paused.pop(socket, None)

    def _on_tick(self, loop: asyncio.AbstractEventLoop) -> None:
        # Count from now, not from the due time. Otherwise many ticks would run at once after the machine was suspended,
        # and clients would have no time to answer.
        self._timer = loop.call_later(self._tick, self._on_tick, loop)
        self._current_slot = (self._current_slot + 1) % SLOTS
        self._check(loop, list(self._slots[self._current_slot - self._timeout_slots]), 0)
        self._ping(loop, list(self._slots[self._current_slot]), 0)
        self._find_stalled(loop.time() - self._stall)

    def _ping(self, loop: asyncio.AbstractEventLoop, sockets: list[Pingable], start: int) -> None:
        for socket in sockets[start : start + SLICE]:
            # Do not ping a client that does not read: that only fills its buffer, and `_find_stalled` handles it.
            if not socket.closing and socket not in self._paused and socket.send_heartbeat():
                socket.received_since_ping = False
        if start + SLICE < len(sockets):
            loop.call_soon(self._ping, loop, sockets, start + SLICE)

    def _check(self, loop: asyncio.AbstractEventLoop, sockets: list[Pingable], start: int) -> None:
        for socket in sockets[start : start + SLICE]:
            if not (socket.received_since_ping or socket.closing or socket.reading_paused or socket in self._paused):
                socket.unanswered()
        if start + SLICE < len(sockets):
            loop.call_soon(self._check, loop, sockets, start + SLICE)

    def _end_longest_paused(self) -> None:
        for socket in list(self._paused)[: len(self._paused) - MAX_PAUSED]:
            if not socket.closing:
                socket.stalled()

    def _find_stalled(self, before: float) -> None:
        for socket, since in list(self._paused.items()):
            if since > before:
                break  # the dict is in order of `since`: the rest are newer
            if not socket.closing:
                socket.stalled()
