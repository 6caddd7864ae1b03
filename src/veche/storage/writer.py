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
from itertools import pairwise
from typing import Any, TypeAlias

from veche.core.actor import Actor
from veche.core.command import Command, T
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.ops.crash import crash_point
from veche.storage.batch import CommandFailed, Outcome, decide_and_write, with_needs
from veche.storage.database import Database
from veche.storage.engines.engine import Failure
from veche.storage.fair_queue import FairQueue, Request

Reply: TypeAlias = Callable[[T | ChatError], None]
Announce: TypeAlias = Callable[[Sequence[LogEvent]], None]

log = logging.getLogger("veche.storage")

REST_SECONDS = 1.0  # without a command, after which the database may rest


class _Barrier:
    """Waits for the requests taken before it. `missing` is how many of them are not yet answered."""

    def __init__(self, last: int, missing: int) -> None:
        self.last = last  # the number of the last request taken before
        self.missing = missing
        self.passed = asyncio.Event()


class Writer:
    """Runs one thread. While the thread commits one batch, the requests of the next batch are collected.

    Accounts take turns (`FairQueue`). The requests of one account are stored in the order in which they were submitted.
    """

    def __init__(self, database: Database, announce: Announce, *, batch: int = 1000, waiting: int = 20_000) -> None:
        self._database = database
        self._announce = announce
        self._waiting_requests = FairQueue(batch)
        self._limit = waiting
        self._waiting = 0  # requests taken and not yet answered
        self._taken = 0  # requests ever taken
        self._barriers: list[_Barrier] = []
        # requests submitted in this turn of the loop and not yet handed to the thread
        self._gathered: list[Request] = []
        self._queue: queue.SimpleQueue[list[Request] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop
        self.cpu_seconds = 0.0  # of the thread, as of the end of its last batch
        self._idle = asyncio.Event()
        self._idle.set()
        self._accepting = False
        self._patience: float | None = None  # seconds to wait for requests before the database rests
        self._thread = threading.Thread(target=self._run, name="veche-writer", daemon=True)

    def start(self) -> None:
        """Begin to take requests. Call this on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._accepting = True
        self._thread.start()

    async def drain(self) -> None:
        """Refuse new requests, and wait until all requests that were already taken are answered."""
        self._accepting = False
        await self._idle.wait()

    async def stop(self) -> None:
        """Drain, and end the thread."""
        await self.drain()
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
        if self._waiting:
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
            # Without this thread, clients would wait for ever. After a restart they send again what is not answered.
            log.critical("the writer failed; the server ends", exc_info=True)
            os._exit(1)

    def _store_until_stopped(self) -> None:
        while self._wait_for_requests():
            batch = self._waiting_requests.take()
            began = time.thread_time()
            self._patience = REST_SECONDS
            outcomes, events = commit(self._database, [(request.actor, request.command) for request in batch])
            self.cpu_seconds = time.thread_time()
            self._waiting_requests.learn(len(batch), self.cpu_seconds - began)
            crash_point("after_commit_before_ack")
            self._loop.call_soon_threadsafe(self._answer, batch, outcomes, events)

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
                log.exception("the database could not rest")

    def _answer(self, batch: list[Request], outcomes: list[Outcome], events: list[LogEvent]) -> None:
        for request, outcome in zip(batch, outcomes, strict=True):
            try:
                request.reply(outcome)
            except Exception:
                log.exception("the reply callback of a command failed")
        crash_point("after_ack_before_fanout")
        try:
            self._announce(events)
        finally:
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


ActorAndCommand: TypeAlias = tuple[Actor, Command[Any]]


CommitResult: TypeAlias = tuple[list[Outcome], list[LogEvent]]


def commit(database: Database, requests: Sequence[ActorAndCommand], at: int | None = None) -> CommitResult:
    """Decide commands and store their events, in one transaction if nothing fails.

    Return the outcome of each command, and the new log entries in the order in which they were recorded. `at` is the
    time of the events, in microseconds since 1970. Without it, the current time is used.

    If the database cannot store anything now, every command gets the refusal `unavailable`. If something else fails,
    the batch is cut into parts. The parts are stored in order, each in its own transaction and with its rows read
    again. A part that fails is treated in the same way: it is refused, or cut again until the failing command is alone.
    """
    outcomes: list[Outcome] = []
    events: list[LogEvent] = []
    parts = [requests]  # the parts still to be stored, as a stack: the next part is the last item
    while parts:
        part = parts.pop()
        try:
            stored = _commit(database, part, at)
        except Exception as error:
            if cuts := _where_to_cut(database, error, len(part)):
                edges = [0, *cuts, len(part)]
                parts += [part[start:end] for start, end in reversed(list(pairwise(edges))) if start < end]
                continue
            stored = _answer_failed_part(database, part, at, error)
        outcomes += stored[0]
        events += stored[1]
    return outcomes, events


def _is_unavailable(database: Database, error: Exception) -> bool:
    """Return whether the database can store nothing now. A command may have failed because of it, too."""
    cause = error.__cause__ if isinstance(error, CommandFailed) else error
    return cause is not None and database.failure_of(cause) is Failure.UNAVAILABLE


def _where_to_cut(database: Database, error: Exception, size: int) -> list[int]:
    """Return the indexes at which a failed batch is cut.

    The list is empty if the database cannot store anything now, or if the batch has only one command.

    A bug is in one command. That command becomes a part of its own. The commands after it are cut into two halves. So
    a batch of n commands costs at most about n log n reads, even if every command has a bug.
    """
    if size == 1 or _is_unavailable(database, error):
        return []
    if isinstance(error, CommandFailed):
        after = error.index + 1
        return [error.index, after, (after + size) // 2]
    return [size // 2]


def _answer_failed_part(
    database: Database, requests: Sequence[ActorAndCommand], at: int | None, error: Exception
) -> CommitResult:
    """Return the outcomes of a failed batch that cannot be cut further.

    An IntegrityError means that another process took a unique value after it was read here, or that there is a bug. In
    this case decide once more, with the rows as they are stored now.
    """
    if database.failure_of(error) is Failure.CONFLICT:
        try:
            return _commit(database, requests, at)
        except Exception as second:
            error = second
    return (
        _answer_unavailable(requests, error)
        if _is_unavailable(database, error)
        else _answer_internal(requests[0], error)
    )


def _answer_internal(request: ActorAndCommand, error: Exception) -> CommitResult:
    """Log a bug, and answer with `internal`.

    The log has the type of the command and its actor, but no text that people wrote.
    """
    actor, command = request
    who = (type(command).__name__, actor.account_id, actor.dialect, actor.request_id)
    log.error("%s by account %d (%s, request %s) failed", *who, exc_info=error)
    return [ChatError(Code.INTERNAL, "Something went wrong here.")], []


def _answer_unavailable(requests: Sequence[ActorAndCommand], error: Exception) -> CommitResult:
    log.error("the database could not store a batch of %d: %s", len(requests), error)
    return [ChatError(Code.UNAVAILABLE, "The store cannot take it now.") for _ in requests], []


def _commit(database: Database, requests: Sequence[ActorAndCommand], at: int | None) -> CommitResult:
    refused = {
        index: refusal for index, (_, command) in enumerate(requests) if (refusal := _refusal_from_check(command))
    }
    valid = [index for index in range(len(requests)) if index not in refused]
    outcomes: list[Outcome] = [refused.get(index) for index in range(len(requests))]
    with database.writing() as tx:
        try:
            decided, state = decide_and_write(
                tx, [with_needs(*requests[index]) for index in valid], lambda: at or time.time_ns() // 1000
            )
        except CommandFailed as failed:
            raise CommandFailed(valid[failed.index]) from failed.__cause__
        for index, outcome in zip(valid, decided, strict=True):
            outcomes[index] = outcome
        crash_point("before_commit")
    return outcomes, state.log_events()


def _refusal_from_check(command: Command[Any]) -> ChatError | None:
    try:
        command.check()
    except ChatError as refusal:
        return refusal
    return None
