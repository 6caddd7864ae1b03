"""The WebSocket that answers in the echo's place: one connection for each client, a line and its answer at a time."""

import asyncio
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.protocol import State

from veche.dialects.channels.options import Target
from veche.wire.frames import MAX_MESSAGE

CONNECT_WITHIN: Final = 5.0  # seconds
ANSWER_WITHIN: Final = 10.0
CLOSE_WITHIN: Final = 1.0


class UpstreamFailed(Exception):
    """It cannot be reached, is gone, keeps silent, or does not answer with text."""


class Upstream:
    """Connected at the first line, and anew when the upstream has hung up between two lines."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection: ClientConnection | None = None

    async def ask(self, line: str) -> str:
        """Send a line and wait for its answer."""
        try:
            connection = self._connection
            if connection is None or connection.state is not State.OPEN:
                connection = self._connection = await self._connect()
            async with asyncio.timeout(ANSWER_WITHIN):
                await connection.send(line)
                answer = await connection.recv()
        except (OSError, WebSocketException) as error:  # TimeoutError is an OSError
            raise UpstreamFailed from error
        if not isinstance(answer, str):
            raise UpstreamFailed("It answered with a binary message.")
        return answer

    async def _connect(self) -> ClientConnection:
        connection = await connect(
            self._target.url,
            open_timeout=CONNECT_WITHIN,
            close_timeout=CLOSE_WITHIN,
            max_size=MAX_MESSAGE,
        )
        if self._target.greets:
            self._connection = connection
            async with asyncio.timeout(ANSWER_WITHIN):
                await connection.recv()
        return connection

    async def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            await self._connection.close()
