"""Sends the heartbeats of all Engine.IO connections with one timer. A ping is due one interval after the last pong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Final, Protocol

SLICE: Final = 200
"""Number of connections that are handled before the loop runs other callbacks."""
_TOLERANCE: Final = 0.01  # share of the timeout; connections that are due within this time are handled together


class Pingable(Protocol):
    """What `Pulse` needs of a connection."""

    @property
    def reading_paused(self) -> bool: ...
    def send_ping(self) -> None: ...
    def unanswered(self) -> None: ...


class Pulse:
    """Pings connections and closes those that do not answer. `interval` and `timeout` are in seconds.

    Each connection is in one of two dicts: it waits either for its next ping or for a pong. All connections in a dict
    wait equally long, so the insertion order of the dict is the order in which they are due. A pong without a ping is
    ignored. A ping or a timeout may come early, by at most a hundredth of `timeout`.
    """

    def __init__(self, interval: float, timeout: float) -> None:
        self.interval = interval
        self.timeout = timeout
        self._ping_due: dict[Pingable, float] = {}  # loop time at which the ping is due
        self._pong_due: dict[Pingable, float] = {}  # loop time at which the pong is due
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Pingable) -> None:
        loop = asyncio.get_running_loop()
        self._ping_due[connection] = loop.time() + self.interval
        self._schedule(loop)

    def discard(self, connection: Pingable) -> None:
        self._ping_due.pop(connection, None)
        self._pong_due.pop(connection, None)
        if not self._ping_due and not self._pong_due and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def pong_received(self, connection: Pingable) -> None:
        if self._pong_due.pop(connection, None) is not None:
            self.add(connection)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        due = min((next(iter(dues.values())) for dues in (self._ping_due, self._pong_due) if dues), default=None)
        if due is not None and (self._timer is None or due < self._timer.when()):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(due, self._on_timer, loop)

    def _on_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        deadline = now + self.timeout * _TOLERANCE
        try:
            for connection in list(islice(_due(self._pong_due, deadline), SLICE)):
                self._check(connection, now)
            for connection in list(islice(_due(self._ping_due, deadline), SLICE)):
                self._ping(connection, now)
        finally:
            self._schedule(loop)  # an exception in one connection must not stop the others

    def _ping(self, connection: Pingable, now: float) -> None:
        if self._ping_due.pop(connection, None) is not None:
            self._pong_due[connection] = now + self.timeout
            connection.send_ping()

    def _check(self, connection: Pingable, now: float) -> None:
        """End a connection without a pong. If the server does not read its pong, ping it again, for it waits for pings.

        A client ends the connection one interval and one timeout after the last ping.
        """
        if self._pong_due.pop(connection, None) is None:
            return
        if connection.reading_paused:
            self._pong_due[connection] = now + self.timeout
            connection.send_ping()
        else:
            connection.unanswered()


def _due(dues: dict[Pingable, float], deadline: float) -> Iterator[Pingable]:
    for connection, due in dues.items():
        if due > deadline:
            return
        yield connection
