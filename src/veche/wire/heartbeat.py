"""One timer that pings every connection, and finds those that no longer answer or no longer read."""

from __future__ import annotations

import asyncio
import math
from typing import Final, Protocol

SLOTS: Final = 25
SLICE: Final = 200


class Beating(Protocol):
    """What the wheel needs of a connection."""

    heard: bool
    """Set by the connection whenever anything arrives, cleared here with each ping."""
    deaf: bool
    """The connection does not read just now, so silence proves nothing."""
    slot: int
    """Where the wheel keeps it; written here only."""

    @property
    def closing(self) -> bool: ...
    def beat(self) -> bool: ...  # write the heartbeat; False: this one is never pinged
    def unanswered(self) -> None: ...
    def stalled(self) -> None: ...


class Heartbeats:
    """A timing wheel: connections are spread over 25 slots, and each tick pings one slot.

    `interval`, `timeout` and `stall` are in seconds. A connection hears a ping every `interval`; when nothing came from
    it in the `timeout` after one, it is told `unanswered()`. One that writing has been paused for longer than `stall`
    is told `stalled()`, at every tick until it is gone.
    """

    def __init__(self, interval: float = 25.0, timeout: float = 10.0, stall: float = 30.0) -> None:
        self.interval, self.timeout = interval, timeout
        self._tick = interval / SLOTS
        self._wait = max(1, math.ceil(timeout / self._tick))
        if self._wait >= SLOTS:
            raise ValueError("A heartbeat must be answered before the next one is due: timeout must be below interval.")
        self._stall = stall
        self._slots: list[set[Beating]] = [set() for _ in range(SLOTS)]
        self._now = 0
        self._next = 0
        self._paused: dict[Beating, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        """How many there are."""
        return sum(map(len, self._slots))

    def start(self) -> None:
        """Begin to tick on the running loop; harmless twice."""
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            self._timer = self._loop.call_later(self._tick, self._turn, self._loop)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def add(self, socket: Beating) -> None:
        socket.slot = self._next
        self._slots[self._next].add(socket)
        self._next = (self._next + 1) % SLOTS

    def discard(self, socket: Beating) -> None:
        self._slots[socket.slot].discard(socket)
        self._paused.pop(socket, None)

    def paused(self, socket: Beating, since: float) -> None:
        """Writing to it is paused since this loop time. Only notes it: this is called in the middle of writes."""
        self._paused[socket] = since

    def resumed(self, socket: Beating) -> None:
        self._paused.pop(socket, None)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        # Counted from now, not from when it was due: after a halt, ticks in a bunch would leave no time to answer.
        self._timer = loop.call_later(self._tick, self._turn, loop)
        self._now = (self._now + 1) % SLOTS
        self._judge(loop, list(self._slots[self._now - self._wait]), 0)
        self._ping(loop, list(self._slots[self._now]), 0)
        self._find_stalled(loop.time() - self._stall)

    def _ping(self, loop: asyncio.AbstractEventLoop, sockets: list[Beating], start: int) -> None:
        for socket in sockets[start : start + SLICE]:
            # More for one that does not read would only grow its buffer, and how long it stalls is measured apart.
            if not socket.closing and socket not in self._paused and socket.beat():
                socket.heard = False
        if start + SLICE < len(sockets):
            loop.call_soon(self._ping, loop, sockets, start + SLICE)

    def _judge(self, loop: asyncio.AbstractEventLoop, sockets: list[Beating], start: int) -> None:
        for socket in sockets[start : start + SLICE]:
            if not (socket.heard or socket.closing or socket.deaf or socket in self._paused):
                socket.unanswered()
        if start + SLICE < len(sockets):
            loop.call_soon(self._judge, loop, sockets, start + SLICE)

    def _find_stalled(self, before: float) -> None:
        for socket, since in list(self._paused.items()):
            if since > before:
                break  # in the order of their pausing: the rest are younger
            if not socket.closing:
                socket.stalled()
