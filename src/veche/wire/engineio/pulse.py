"""One timer that pings every connection an interval after its last pong, and ends those that miss a pong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Final, Protocol

SLICE: Final = 200
_GRAIN: Final = 0.01  # of the timeout: what is due within it is done together


class Beating(Protocol):
    """What the pulse needs of a connection."""

    @property
    def deaf(self) -> bool: ...
    def beat(self) -> None: ...
    def unanswered(self) -> None: ...


class Pulse:
    """All wait equally long, so the order in which connections come to wait is the order in which they are due.

    A connection is resting until its ping, then asked until its pong. A pong that nobody asked for changes nothing.
    `interval` and `timeout` are in seconds. Neither is ever overrun; both may end a hundredth of the timeout early.
    """

    def __init__(self, interval: float, timeout: float) -> None:
        self.interval = interval
        self.timeout = timeout
        self._resting: dict[Beating, float] = {}  # to when its ping is due
        self._asked: dict[Beating, float] = {}  # to when its pong is due
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Beating) -> None:
        loop = asyncio.get_running_loop()
        self._resting[connection] = loop.time() + self.interval
        self._arm(loop)

    def discard(self, connection: Beating) -> None:
        self._resting.pop(connection, None)
        self._asked.pop(connection, None)
        if not self._resting and not self._asked and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def answered(self, connection: Beating) -> None:
        if self._asked.pop(connection, None) is not None:
            self.add(connection)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        due = min((next(iter(waiting.values())) for waiting in (self._resting, self._asked) if waiting), default=None)
        if due is not None and (self._timer is None or due < self._timer.when()):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(due, self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        edge = now + self.timeout * _GRAIN
        try:
            for connection in list(islice(_due(self._asked, edge), SLICE)):
                self._judge(connection)
            for connection in list(islice(_due(self._resting, edge), SLICE)):
                self._ask(connection, now)
        finally:
            self._arm(loop)  # whatever fails in one connection, the others go on

    def _ask(self, connection: Beating, now: float) -> None:
        if self._resting.pop(connection, None) is not None:
            self._asked[connection] = now + self.timeout
            connection.beat()

    def _judge(self, connection: Beating) -> None:
        if connection.deaf:
            self.answered(connection)
        elif self._asked.pop(connection, None) is not None:
            connection.unanswered()


def _due(waiting: dict[Beating, float], edge: float) -> Iterator[Beating]:
    for connection, due in waiting.items():
        if due > edge:
            return
        yield connection
