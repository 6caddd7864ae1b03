"""The writer: many requests, one transaction, one fsync.

Gets commands from the event loop's thread, each with its actor and a callback. After the commit, and only then, it
calls back with each answer or refusal, in order; then it announces the entries of the batch once, in log order.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from veche.core.actor import Actor
from veche.core.command import Command, T
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.ops.crash import crash_point
from veche.storage.batch import CommandFailed, Outcome, ask, run
from veche.storage.database import Database

Reply: TypeAlias = Callable[[T | ChatError], None]
Announce: TypeAlias = Callable[[Sequence[LogEvent]], None]

log = logging.getLogger("veche.storage")


class Request(NamedTuple):
    """A command, who asks for it, and who waits for its answer."""

    actor: Actor
    command: Command[Any]
    reply: Callable[[Any], None]


class Writer:
    """One thread. While it commits one batch, the next one gathers."""

    def __init__(self, database: Database, announce: Announce, *, batch: int = 1000, waiting: int = 20_000) -> None:
        self._database = database
        self._announce = announce
        self._batch = batch
        self._limit = waiting
        self._waiting = 0  # requests taken and not yet answered
        self._taken = 0  # requests ever taken
        self._barriers: list[tuple[int, asyncio.Event]] = []  # set once so many are answered
        self._gathered: list[Request] = []  # of this turn of the loop
        self._queue: queue.SimpleQueue[list[Request] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop
        self._idle = asyncio.Event()
        self._idle.set()
        self._accepting = False
        self._thread = threading.Thread(target=self._run, name="veche-writer", daemon=True)

    def start(self) -> None:
        """Begin to take requests; called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._accepting = True
        self._thread.start()

    async def drain(self) -> None:
        """Refuse new requests, and wait until those taken are answered."""
        self._accepting = False
        await self._idle.wait()

    async def stop(self) -> None:
        """Drain, and end the thread."""
        await self.drain()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def submit(self, actor: Actor, command: Command[T], reply: Reply[T]) -> None:
        """Take a command; `reply` is called on the loop with its answer or a ChatError, never before the commit."""
        if not self._accepting:
            reply(ChatError(Code.UNAVAILABLE, "The server is stopping. Come back and send it again."))
        elif self._waiting >= self._limit:
            reply(ChatError(Code.OVERLOADED, "Too much waits to be stored. Send it again in a moment."))
        else:
            self._waiting += 1
            self._taken += 1
            self._idle.clear()
            if not self._gathered:  # one hand-over for each turn of the loop: requests of one turn share a commit
                self._loop.call_soon(self._hand_over)
            self._gathered.append(Request(actor, command, reply))

    async def flushed(self) -> None:
        """Wait until all requests taken so far are answered."""
        if self._waiting:
            last, done = self._taken, asyncio.Event()
            self._barriers.append((last, done))
            await done.wait()

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._queue.put(gathered)

    def _run(self) -> None:
        while (requests := self._take()) is not None:
            for start in range(0, len(requests), self._batch):
                batch = requests[start : start + self._batch]
                outcomes, events = commit(self._database, [(request.actor, request.command) for request in batch])
                crash_point("after_commit_before_ack")
                self._loop.call_soon_threadsafe(self._answer, batch, outcomes, events)

    def _take(self) -> list[Request] | None:
        requests = self._queue.get()
        while requests is not None and len(requests) < self._batch and not self._queue.empty():
            more = self._queue.get()
            if more is None:
                self._queue.put(None)
                break
            requests.extend(more)
        return requests

    def _answer(self, batch: list[Request], outcomes: list[Outcome], events: list[LogEvent]) -> None:
        for request, outcome in zip(batch, outcomes, strict=True):
            try:
                request.reply(outcome)
            except Exception:
                log.exception("an answer could not be given")
        crash_point("after_ack_before_fanout")
        try:
            self._announce(events)
        finally:
            self._waiting -= len(batch)
            self._lift_barriers(self._taken - self._waiting)
            if not self._waiting:
                self._idle.set()

    def _lift_barriers(self, answered: int) -> None:
        while self._barriers and self._barriers[0][0] <= answered:
            self._barriers.pop(0)[1].set()


Requested: TypeAlias = tuple[Actor, Command[Any]]


Committed: TypeAlias = tuple[list[Outcome], list[LogEvent]]


def commit(database: Database, requests: Sequence[Requested], at: int | None = None) -> Committed:
    """Decide and store commands in one transaction; give each one's outcome, and the new entries of logs in order.

    They happen now, or `at` a time given in microseconds since 1970.

    Where the store refuses, nothing is stored and all are answered `unavailable`. Where something else fails, the
    batch is stored in parts, in its order, each with fresh facts: at last what fails is alone.
    """
    outcomes: list[Outcome] = []
    events: list[LogEvent] = []
    parts = [requests]  # what is left, the first at the end
    while parts:
        part = parts.pop()
        try:
            stored = _commit(database, part, at)
        except Exception as error:
            if cuts := _cuts(error, len(part)):
                edges = [0, *cuts, len(part)]
                parts += [part[start:end] for start, end in reversed(list(pairwise(edges))) if start < end]
                continue
            stored = _fail(database, part, at, error)
        outcomes += stored[0]
        events += stored[1]
    return outcomes, events


def _cuts(error: Exception, size: int) -> list[int]:
    """Say before which commands to cut a batch that failed; nowhere where the store refuses, or there is but one.

    A bug is the fault of one command, which is stored apart. What comes after it is halved: so a batch of n commands
    costs n log n reads at most, even where each has a bug.
    """
    if size == 1 or _is_refusal(error):
        return []
    if isinstance(error, CommandFailed):
        after = error.index + 1
        return [error.index, after, (after + size) // 2]
    return [size // 2]


def _is_refusal(error: Exception) -> bool:
    """Tell whether the store takes nothing now. A value that it never takes is the fault of one command."""
    if isinstance(error, DBAPIError):
        return not isinstance(error, IntegrityError | DataError | ProgrammingError)
    return isinstance(error, OSError)


def _fail(database: Database, requests: Sequence[Requested], at: int | None, error: Exception) -> Committed:
    """Answer for a batch that cannot be cut.

    A constraint was broken: another process took a unique value after it was read here, or this is a bug. Decide once
    more, with what is stored now.
    """
    if isinstance(error, IntegrityError):
        try:
            return _commit(database, requests, at)
        except Exception as second:
            error = second
    return _unavailable(requests, error) if _is_refusal(error) else _internal(requests[0], error)


def _internal(request: Requested, error: Exception) -> Committed:
    """Log a bug with the command's type and who asked, but nothing that people wrote."""
    actor, command = request
    who = (type(command).__name__, actor.account_id, actor.dialect, actor.request_id)
    log.error("%s by account %d (%s, request %s) failed", *who, exc_info=error)
    return [ChatError(Code.INTERNAL, "Something went wrong here.")], []


def _unavailable(requests: Sequence[Requested], error: Exception) -> Committed:
    log.error("the store refused a batch of %d: %s", len(requests), error)
    return [ChatError(Code.UNAVAILABLE, "The store cannot take it now.") for _ in requests], []


def _commit(database: Database, requests: Sequence[Requested], at: int | None) -> Committed:
    refused = {index: refusal for index, (_, command) in enumerate(requests) if (refusal := _check(command))}
    sound = [index for index in range(len(requests)) if index not in refused]
    outcomes: list[Outcome] = [refused.get(index) for index in range(len(requests))]
    with database.writing() as tx:
        try:
            decided, state = run(tx, [ask(*requests[index]) for index in sound], lambda: at or time.time_ns() // 1000)
        except CommandFailed as failed:
            raise CommandFailed(sound[failed.index]) from failed.__cause__
        for index, outcome in zip(sound, decided, strict=True):
            outcomes[index] = outcome
        crash_point("before_commit")
    return outcomes, state.log_events()


def _check(command: Command[Any]) -> ChatError | None:
    try:
        command.check()
    except ChatError as refusal:
        return refusal
    return None
