"""Runs queries in a few threads, so that they do not block the event loop. Each query has its own snapshot."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from veche.core.actor import Party
from veche.core.errors import ChatError, Code
from veche.storage.database import Database
from veche.storage.engines.engine import READERS, Failure, Transaction
from veche.storage.read_queue import ReadQueue

P = ParamSpec("P")
T = TypeVar("T")
Query = Callable[Concatenate[Transaction, P], T]

logger = logging.getLogger("veche.storage")


class _Waiting(NamedTuple):
    """A query that waits. `done` is called on the loop, with its result or with the exception that it raised.

    `since` is a time of `time.monotonic`.
    """

    party: Party | None
    query: Callable[[Transaction], Any]
    done: Callable[[Any, BaseException | None], None]
    loop: asyncio.AbstractEventLoop
    is_wanted: Callable[[], bool]
    since: float


class Reader:
    """Runs queries. A connection is held only while a query runs.

    Each query is for a party, and parties take turns. `party` is None for the queries of the server itself.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="veche-reader")
        self._queue: ReadQueue[_Waiting] = ReadQueue()
        self._away_at = -math.inf  # when a query found last that the database does not answer

    async def read(self, party: Party | None, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query and return its result. Raises ChatError (OVERLOADED) if too many queries of the party wait."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def done(result: Any, error: BaseException | None) -> None:
            if not answer.done():
                answer.set_result(result) if error is None else answer.set_exception(error)

        since = time.monotonic()
        self._add(_Waiting(party, lambda tx: query(tx, *args, **kwargs), done, loop, lambda: not answer.done(), since))
        return await answer

    def call(
        self,
        party: Party | None,
        reply: Callable[[T | None], None],
        query: Query[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Run a query. `reply` is called on the loop with its result, or with None if it failed.

        Raises ChatError (OVERLOADED) if too many queries of the party wait.
        """

        def done(result: Any, error: BaseException | None) -> None:
            if isinstance(error, Exception) and not isinstance(error, ChatError):
                logger.error("a read failed", exc_info=error)
            reply(result)

        loop = asyncio.get_running_loop()
        self._add(_Waiting(party, lambda tx: query(tx, *args, **kwargs), done, loop, lambda: True, time.monotonic()))

    def _add(self, waiting: _Waiting) -> None:
        self._queue.add(waiting.party, waiting)
        self._threads.submit(self._run_next)

    def _run_next(self) -> None:
        if (waiting := self._queue.take()) is None:
            return
        result, error = None, None
        if waiting.is_wanted():
            try:
                result = self._run(waiting.query, waiting.since)
            except Exception as raised:
                error = raised
        waiting.loop.call_soon_threadsafe(self._done, waiting, result, error)

    def _run(self, query: Callable[[Transaction], T], since: float) -> T:
        """Run a query. If the database says that it may succeed now, run it once more: a connection may be an old one.

        Raises ChatError (UNAVAILABLE) if the database cannot be read now. What another query has found since this one
        began to wait is true for this one, too: if each tried by itself, the last ones would wait for minutes.
        """
        if since <= self._away_at:
            raise _unavailable()
        for attempt in (1, 2):
            try:
                with self._database.reading() as tx:
                    return query(tx)
            except Exception as error:
                failure = self._database.failure_of(error)
                if failure is Failure.AGAIN and attempt == 1:
                    continue
                if failure not in (Failure.AGAIN, Failure.UNAVAILABLE):
                    raise
                if failure is Failure.AGAIN:
                    self._away_at = time.monotonic()
                logger.error("the database cannot be read now: %s", error)
                raise _unavailable() from None
        raise AssertionError("the loop returns or raises")

    def _done(self, waiting: _Waiting, result: Any, error: BaseException | None) -> None:
        self._queue.ended(waiting.party)
        waiting.done(result, error)

    def stop(self) -> None:
        """Wait until running queries are done, and end the threads. Queries that wait are cancelled."""
        self._threads.shutdown(cancel_futures=True)
        while (waiting := self._queue.take()) is not None:
            waiting.loop.call_soon(self._done, waiting, None, asyncio.CancelledError())


def _unavailable() -> ChatError:
    return ChatError(Code.UNAVAILABLE, "The store cannot be read now. Try again soon.")
