"""Limits how long this process waits for PostgreSQL.

The server's own limits of time are of no use if the server itself stands still. Then its machine still confirms what is
sent, so no limit of TCP helps either. Only the node can give up.
"""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import psycopg

LOOK_SECONDS = 0.5  # between two looks at whether something takes too long

logger = logging.getLogger("veche.storage")

Connection = psycopg.Connection[tuple[Any, ...]]
Limited = Callable[[Connection, float], AbstractContextManager[None]]
"""Breaks a connection if a block takes longer than so many seconds: `TimeLimit.limited`."""


class _Use:
    """A connection that is in use, the copy of its socket's file descriptor, and when it is given up."""

    __slots__ = ("connection", "copy", "end", "seconds")

    def __init__(self, connection: Connection, copy: int, seconds: float) -> None:
        self.connection = connection
        self.copy = copy
        self.seconds = seconds
        self.begin()

    def begin(self) -> None:
        self.end = time.monotonic() + self.seconds


class TimeLimit:
    """Breaks connections that are used for longer than allowed. One thread looks at all of them.

    The driver raises psycopg.OperationalError in the thread that waits, as if the server had closed the connection.
    """

    def __init__(self) -> None:
        self._uses: dict[Connection, _Use] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    @contextlib.contextmanager
    def limited(self, connection: Connection, seconds: float) -> Iterator[None]:
        """Break a connection if the block takes longer."""
        try:
            # The driver may close its own one meanwhile, and the number may then be that of another connection.
            copy = os.dup(connection.fileno())
        except (OSError, psycopg.Error):  # it is lost already, so nobody will wait for it
            yield
            return
        with self._lock:
            self._uses[connection] = _Use(connection, copy, seconds)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="veche-limit", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._uses.pop(connection, None)
                os.close(copy)

    def begin_again(self, connection: Connection) -> None:
        """Begin the time of a connection anew, if it is limited."""
        with self._lock:
            if (use := self._uses.get(connection)) is not None:
                use.begin()

    def close(self) -> None:
        """End the thread."""
        self._closing.set()

    def _run(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            now, given_up = time.monotonic(), 0
            with self._lock:
                for use in [use for use in self._uses.values() if use.end < now]:
                    del self._uses[use.connection]
                    if not use.connection.closed:
                        given_up += 1
                        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(use.copy)) as one:
                            one.shutdown(socket.SHUT_RDWR)
            if given_up:
                logger.error("PostgreSQL stands still; connections to it that were given up: %d", given_up)
