"""The requests that wait for the writer's thread. Parties take turns, so that one with many requests delays nobody.

A party is an account, or whoever shares the server like an account (`Actor.party`).
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from veche.core.actor import Actor, Party
from veche.core.command import Command

BATCH_SECONDS: Final = 0.005
"""About how long it takes to decide and write a batch, without its fsync, while several parties send commands."""
SMALLEST: Final = 16  # requests of a batch, however long one takes: a batch costs one fsync
REMEMBERED: Final = 1.0  # seconds for which the batches stay short after several parties were in one batch


class Request(NamedTuple):
    """A command, its actor, and the callback that gets the answer. `number` counts the requests of a writer."""

    actor: Actor
    command: Command[Any]
    reply: Callable[[Any], None]
    number: int


class FairQueue:
    """The waiting requests of all parties. Only the writer's thread uses it.

    `take` returns the requests of the next batch. If all fit, they come in the order in which they arrived. Otherwise
    one request of each party is taken, again and again, and one party fills at most half of the batch. The requests of
    one party always keep their order.

    A batch has at most `limit` requests. While several parties send, it has fewer: as many as the writer stores in
    BATCH_SECONDS. A party that sends alone has batches of `limit`.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._arrived: list[Request] = []  # in the order of their arrival, while `_lines` is empty
        # The waiting requests by party. The party whose turn is next comes first.
        self._lines: OrderedDict[Party, deque[Request]] = OrderedDict()
        self._short = min(limit, 4 * SMALLEST)  # requests of a batch while several parties send
        self._shared_until = 0.0  # several parties were in one batch less than REMEMBERED ago

    def __bool__(self) -> bool:
        return bool(self._arrived or self._lines)

    def add(self, requests: list[Request]) -> None:
        """Add requests in the order of their arrival."""
        if self._lines:
            self._queue(requests)
        else:
            self._arrived += requests

    def take(self) -> list[Request]:
        """Remove the requests of the next batch, and return them."""
        size = self._size()
        if len(self._arrived) <= size and not self._lines:
            batch, self._arrived = self._arrived, []
            return batch
        self._queue(self._arrived)
        self._arrived = []
        return self._take_in_turn(size)

    def learn(self, requests: int, seconds: float) -> None:
        """Learn from the last batch how many requests a short batch may have.

        `seconds` is the CPU time of the writer's thread. It does not count the fsync. A slow disk must not make the
        batches smaller, because then fewer requests would share each fsync. A small batch says nothing.
        """
        if requests < SMALLEST:
            return
        if seconds > BATCH_SECONDS:
            self._short = max(min(SMALLEST, self._limit), int(requests * BATCH_SECONDS / seconds))
        elif requests >= self._short and seconds < BATCH_SECONDS / 2:
            self._short = min(self._limit, 2 * self._short)

    def _size(self) -> int:
        arrived = self._arrived
        several = len(self._lines) > 1 or (len(arrived) > 1 and len({request.actor.party for request in arrived}) > 1)
        if several:
            self._shared_until = self._clock() + REMEMBERED
        return self._short if several or self._clock() < self._shared_until else self._limit

    def _queue(self, requests: list[Request]) -> None:
        for request in requests:
            self._lines.setdefault(request.actor.party, deque()).append(request)

    def _take_in_turn(self, size: int) -> list[Request]:
        lines, batch = self._lines, list[Request]()
        left = dict.fromkeys(lines, size if len(lines) == 1 else max(1, size // 2))  # requests that each may add
        full: list[tuple[Party, deque[Request]]] = []  # parties that have filled their half
        while lines and len(batch) < size:
            party, line = lines.popitem(last=False)
            if not left[party]:
                full.append((party, line))
                continue
            left[party] -= 1
            batch.append(line.popleft())
            if line:
                lines[party] = line
        lines.update(full)
        return batch
