"""The writer stores many requests in one transaction, so that they share one fsync.

The event loop's thread gives it commands, each with an actor and a callback. After the commit it calls the callbacks
with their answers or refusals, in the order of the commands. Then it announces the new entries of the batch once. The
entries of each log are in the order of their seqs.
"""

import asyncio
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from veche.core.actor import Actor
from veche.core.command import Command, T
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.rules import NO_RULES, Rules
from veche.core.values import LogId
from veche.ops.crash import crash_point
from veche.storage.batch import Outcome
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.engines.engine import Failure
from veche.storage.fair_queue import FairQueue, Request
from veche.storage.outage import Outage

Reply: TypeAlias = Callable[[T | ChatError], None]
Announce: TypeAlias = Callable[[Sequence[LogEvent]], None]

logger = logging.getLogger("veche.storage")

REST_SECONDS = 1.0  # without a command, after which the database may rest


class _Barrier:
    """Waits for the requests taken before it. `missing` is how many of them are not yet answered."""

    def __init__(self, last: int, missing: int) -> None:
        self.last = last  # the number of the last request taken before
        self.missing = missing
        self.passed = asyncio.Event()


class Unannounced:
    """The entries that the writer is committing, or has committed and not yet announced on the loop.

    The thread records them before the COMMIT. So an entry is recorded here before another node can have written, or
    told, a later entry of its log.

    The thread only adds, and the loop reads and removes, each in one step of the interpreter. So there is no lock.
    """

    def __init__(self) -> None:
        self._batches: list[dict[LogId, int]] = []  # for each batch, the lowest seq of each log
        self._waiting: list[Callable[[], None]] = []

    def record(self, batch: dict[LogId, int], events: Sequence[LogEvent]) -> None:
        """Record entries of a batch. Called by the thread, before each COMMIT."""
        if events and not batch:
            self._batches.append(batch)
        for event in events:
            batch.setdefault(event.log_id, event.seq)

    def end(self, batch: dict[LogId, int]) -> None:
        """Forget a batch: it has been announced, or nothing of it was stored. Called on the loop."""
        if batch:
            self._batches.remove(batch)
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for callback in waiting:
                callback()

    def lowest(self, log_id: LogId) -> int | None:
        """Return the lowest seq of the entries of a log that are recorded here, or None."""
        return min((batch[log_id] for batch in self._batches if log_id in batch), default=None)

    def call_after_next(self, callback: Callable[[], None]) -> None:
        """Call a function on the loop once the next batch has been announced."""
        self._waiting.append(callback)


def _never(*_: object) -> None:
    """Call nothing on the loop: the writer has given up."""


class Writer:
    """Runs one thread. While the thread commits one batch, the requests of the next batch are collected.

    Accounts take turns (`FairQueue`). The requests of one account are stored in the order in which they were submitted.
    """

    def __init__(
        self,
        database: Database,
        announce: Announce,
        rules: Rules = NO_RULES,
        *,
        batch: int = 1000,
        waiting: int = 20_000,
    ) -> None:
        self._database = database
        self._commit = partial(commit, database, rules=rules)
        self._announce = announce
        self.unannounced = Unannounced()
        self._waiting_requests = FairQueue(batch)
        self._limit = waiting
        self._waiting = 0  # requests taken and not yet answered
        self._taken = 0  # requests ever taken
        self._barriers: list[_Barrier] = []
        # requests submitted in this turn of the loop and not yet handed to the thread
        self._gathered: list[Request] = []
        self._queue: queue.SimpleQueue[list[Request] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop
        self._on_loop: Callable[..., object]  # how the thread calls a function on the loop
        self.cpu_seconds = 0.0  # of the thread, as of the end of its last batch
        self._idle = asyncio.Event()
        self._idle.set()
        self._accepting = False
        self._outage = Outage()
        self._has_given_up = False
        self._patience: float | None = None  # seconds to wait for requests before the database rests
        self._thread = threading.Thread(target=self._run, name="veche-writer", daemon=True)

    def start(self) -> None:
        """Begin to take requests. Call this on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._on_loop = self._loop.call_soon_threadsafe
        self._accepting = True
        self._thread.start()

    @property
    def accepts(self) -> bool:
        """Whether commands are taken, and not refused because the server stops."""
        return self._accepting

    async def drain(self) -> None:
        """Refuse new requests, and wait until all requests that were already taken are answered."""
        self._accepting = False
        await self._idle.wait()

    def give_up(self) -> None:
        """Wait no longer, and answer nothing more: it is not known whether what was taken is stored.

        Call this on the loop if the server stops and the database lets it wait.
        """
        if self._waiting:
            logger.critical("the server stops, and %d requests are not answered: they may be stored", self._waiting)
        self._accepting, self._has_given_up = False, True
        self._on_loop = _never
        self._idle.set()
        for barrier in self._barriers:
            barrier.passed.set()

    async def stop(self) -> None:
        """Drain, and end the thread."""
        await self.drain()
        if self._has_given_up:  # the thread may wait for ever, and ends with the process
            return
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def submit(self, actor: Actor, command: Command[T], reply: Reply[T]) -> None:
        """Take a command. `reply` is called on the loop with the answer or a ChatError.

        An answer is given only after the commit. If the command cannot be taken, `reply` is called at once.
        """
        if not self._accepting:
            reply(ChatError(Code.UNAVAILABLE, "The server is stopping. Come back and send it again."))
        elif self._waiting >= self._limit:
            reply(ChatError(Code.OVERLOADED, "Too much waits to be stored. Send it again in a moment."))
        else:
            self._waiting += 1
            self._taken += 1
            self._idle.clear()
            # Hand over once in each turn of the loop, so that the requests of one turn reach the thread together.
            if not self._gathered:
                self._loop.call_soon(self._hand_over)
            self._gathered.append(Request(actor, command, reply, self._taken))

    async def wait_until_answered(self) -> None:
        """Wait until all requests taken so far are answered."""
        if self._waiting and not self._has_given_up:
            barrier = _Barrier(self._taken, self._waiting)
            self._barriers.append(barrier)
            await barrier.passed.wait()

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._queue.put(gathered)

    def _run(self) -> None:
        try:
            self._store_until_stopped()
        except BaseException:
            if self._has_given_up:
                return
            # Without this thread, clients would wait for ever. After a restart they send again what is not answered.
            logger.critical("the writer failed; the server ends", exc_info=True)
            os._exit(1)

    def _store_until_stopped(self) -> None:
        while self._wait_for_requests():
            batch = self._waiting_requests.take()
            began, histories, failures = time.thread_time(), self._database.histories, self._outage.failures
            self._patience = REST_SECONDS
            lowest: dict[LogId, int] = {}
            commands = [(request.actor, request.command) for request in batch]
            record = partial(self.unannounced.record, lowest)
            outcomes, events = self._commit(commands, before_commit=record, outage=self._outage)
            self.cpu_seconds = time.thread_time()
            if self._outage.failures == failures:  # else its time says nothing
                self._waiting_requests.learn(len(batch), self.cpu_seconds - began)
            crash_point("after_commit_before_ack")
            self._on_loop(self._answer, batch, outcomes, events, lowest, histories)

    def _wait_for_requests(self) -> bool:
        """Wait until there are requests, and let all that have come so far wait for their turn.

        Return False when the writer stops. It stops after `drain`, when no request waits.
        """
        while not self._waiting_requests or not self._queue.empty():
            requests = self._next_requests()
            if requests is None:
                return False
            self._waiting_requests.add(requests)
        return True

    def _next_requests(self) -> list[Request] | None:
        """Wait for the next list of requests. Meanwhile the database may rest."""
        try:
            return self._queue.get(timeout=self._patience)
        except queue.Empty:
            self._rest()
            return self._queue.get()

    def _rest(self) -> None:
        self._patience = None
        try:
            self._database.rest()
        except Exception as error:
            if self._database.failure_of(error) is not Failure.UNAVAILABLE:
                logger.exception("the database could not rest")

    def _answer(
        self,
        batch: list[Request],
        outcomes: list[Outcome],
        events: list[LogEvent],
        lowest: dict[LogId, int],
        histories: int,
    ) -> None:
        for request, outcome in zip(batch, outcomes, strict=True):
            try:
                request.reply(outcome)
            except Exception:
                logger.exception("the reply callback of a command failed")
        crash_point("after_ack_before_fanout")
        try:
            is_present = histories == self._database.histories  # otherwise the entries may be of the history before
            self._announce(events if is_present else ())
        finally:
            self.unannounced.end(lowest)
            self._waiting -= len(batch)
            if self._barriers:
                self._pass_barriers(batch)
            if not self._waiting:
                self._idle.set()

    def _pass_barriers(self, answered: list[Request]) -> None:
        for barrier in self._barriers:
            barrier.missing -= sum(request.number <= barrier.last for request in answered)
            if not barrier.missing:
                barrier.passed.set()
        self._barriers = [barrier for barrier in self._barriers if barrier.missing]
