"""A client of the echo's upstream WebSocket: one connection for each client of Veche, one text and answer at a time."""

import asyncio
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.protocol import State

from veche.dialects.channels.options import Target
from veche.wire.frames import MAX_MESSAGE

CONNECT_TIMEOUT: Final = 5.0  # seconds
ANSWER_TIMEOUT: Final = 10.0
CLOSE_TIMEOUT: Final = 1.0


class UpstreamFailed(Exception):
    """The upstream is unreachable, closed, too slow, or sent a binary message."""


class _ConnectToThisUrl(connect):
    """Follows no redirect, so that the upstream cannot send people's texts to another address."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class Upstream:
    """One client of the upstream. Connects at the first text, and again if the upstream has closed the connection."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection: ClientConnection | None = None

    async def ask(self, line: str) -> str:
        """Send a text and return the answer. Raises UpstreamFailed."""
        try:
            connection = self._connection
            if connection is None or connection.state is not State.OPEN:
                connection = self._connection = await self._connect()
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await connection.send(line)
                answer = await connection.recv()
        except (OSError, WebSocketException) as error:  # TimeoutError is an OSError
            raise UpstreamFailed from error
        if not isinstance(answer, str):
            raise UpstreamFailed("It answered with a binary message.")
        return answer

    async def _connect(self) -> ClientConnection:
        connection = await _ConnectToThisUrl(
            self._target.url,
            open_timeout=CONNECT_TIMEOUT,
            close_timeout=CLOSE_TIMEOUT,
            max_size=MAX_MESSAGE,
        )
        if self._target.greets:
            self._connection = connection
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await connection.recv()
        return connection

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
