"""Runs queries in a few threads, so that they do not block the event loop. Each query has its own snapshot."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from veche.storage.database import Database
from veche.storage.engines.engine import READERS, Transaction

P = ParamSpec("P")
T = TypeVar("T")
Query = Callable[Concatenate[Transaction, P], T]

logger = logging.getLogger("veche.storage")


class Reader:
    """Runs queries. A connection is held only while a query runs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="veche-reader")

    async def read(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query and return its result."""
        return await asyncio.wrap_future(self._threads.submit(lambda: self._run(query, *args, **kwargs)))

    def call(self, reply: Callable[[T | None], None], query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run a query. `reply` is called on the loop with its result, or with None if it failed."""
        loop = asyncio.get_running_loop()

        def done(future: Future[T]) -> None:
            if future.cancelled():  # the server stops
                answer = None
            elif (error := future.exception()) is not None:
                logger.error("a read failed", exc_info=error)
                answer = None
            else:
                answer = future.result()
            loop.call_soon_threadsafe(reply, answer)

        self._threads.submit(lambda: self._run(query, *args, **kwargs)).add_done_callback(done)

    def _run(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self._database.reading() as tx:
            return query(tx, *args, **kwargs)

    def stop(self) -> None:
        """Wait until running queries are done, and end the threads. Queries that wait are cancelled."""
        self._threads.shutdown(cancel_futures=True)
