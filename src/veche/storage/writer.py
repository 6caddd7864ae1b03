"""The writer: many requests, one transaction, one fsync.

Gets: commands, each with a callback, from the event loop's thread. Gives: after the commit, and only then, each
callback its answer or its refusal, in order; then one announcement of all events of the batch, in the order of the log.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from sqlalchemy.exc import DBAPIError, IntegrityError

from veche.core.commands import Answer, Command
from veche.core.decide import check, decide, needs_of
from veche.core.errors import ChatError, Code
from veche.core.events import LOGGED, LogEvent
from veche.core.state import State
from veche.ops.crash import crash_point
from veche.storage.append import append
from veche.storage.database import Database
from veche.storage.load import load

Outcome: TypeAlias = Answer | ChatError
Reply: TypeAlias = Callable[[Outcome], None]
Announce: TypeAlias = Callable[[Sequence[LogEvent]], None]

log = logging.getLogger("veche.storage")


class Request(NamedTuple):
    """A command and who waits for its answer."""

    command: Command
    reply: Reply


class Writer:
    """One thread that commits whatever has gathered while it committed what came before."""

    def __init__(self, database: Database, announce: Announce, *, batch: int = 1000, waiting: int = 20_000) -> None:
        self._database = database
        self._announce = announce
        self._batch = batch
        self._limit = waiting
        self._waiting = 0  # requests taken and not yet answered
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

    def submit(self, command: Command, reply: Reply) -> None:
        """Take a command; `reply` is called on the loop with its answer or a ChatError, never before the commit."""
        if not self._accepting:
            reply(ChatError(Code.UNAVAILABLE, "The server is stopping. Come back and send it again."))
        elif self._waiting >= self._limit:
            reply(ChatError(Code.OVERLOADED, "Too much waits to be stored. Send it again in a moment."))
        else:
            self._waiting += 1
            self._idle.clear()
            if not self._gathered:  # one hand-over a turn of the loop: what arrived together is stored together
                self._loop.call_soon(self._hand_over)
            self._gathered.append(Request(command, reply))

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._queue.put(gathered)

    def _run(self) -> None:
        while (requests := self._take()) is not None:
            for start in range(0, len(requests), self._batch):
                batch = requests[start : start + self._batch]
                outcomes, events = commit(self._database, [request.command for request in batch])
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
            if not self._waiting:
                self._idle.set()


def commit(
    database: Database, commands: Sequence[Command], at: int | None = None
) -> tuple[list[Outcome], list[LogEvent]]:
    """Decide and store commands in one transaction; give each one's outcome, and the log's new entries in order.

    They happen now, or `at` a time given in microseconds since 1970.

    Where the store refuses, nothing of the batch is stored and all are answered `unavailable`. A broken constraint
    or a bug is the fault of one command: then each is tried alone.
    """
    try:
        return _commit(database, commands, at)
    except (DBAPIError, OSError) as error:
        if not isinstance(error, IntegrityError):
            log.error("the store refused a batch of %d: %s", len(commands), error)
            return [ChatError(Code.UNAVAILABLE, "The store cannot take it now.") for _ in commands], []
        if len(commands) == 1:
            log.exception("a command broke a constraint")
            return [ChatError(Code.INTERNAL, "Something went wrong here.")], []
    except Exception:
        if len(commands) == 1:
            log.exception("a command could not be decided")
            return [ChatError(Code.INTERNAL, "Something went wrong here.")], []
    outcomes: list[Outcome] = []
    events: list[LogEvent] = []
    for command in commands:
        its_outcome, its_events = commit(database, [command], at)
        outcomes += its_outcome
        events += its_events
    return outcomes, events


def _commit(database: Database, commands: Sequence[Command], at: int | None) -> tuple[list[Outcome], list[LogEvent]]:
    refused = {index: refusal for index, command in enumerate(commands) if (refusal := _check(command)) is not None}
    sound = [command for index, command in enumerate(commands) if index not in refused]
    with database.writing() as connection:
        state = load(connection, needs_of(sound))
        decided = iter([_decide(state, command, at or time.time_ns() // 1000) for command in sound])
        if state.events:
            append(connection, state)
        outcomes = [refused[index] if index in refused else next(decided) for index in range(len(commands))]
        crash_point("before_commit")
    return outcomes, [event for event in state.events if isinstance(event, LOGGED)]


def _check(command: Command) -> ChatError | None:
    try:
        check(command)
    except ChatError as refusal:
        return refusal
    return None


def _decide(state: State, command: Command, at: int) -> Outcome:
    try:
        return decide(state, command, at)
    except ChatError as refusal:
        return refusal
