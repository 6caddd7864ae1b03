"""Ends the connections of a node that stops, in slices, so that the other nodes get its clients a few at a time.

The clients of a slice are told to come back: each dialect has its own form for it. Before that, they are not read any
more, and what they had sent is committed and answered. Meanwhile the other clients of this node are served.
"""

import asyncio
from collections.abc import Collection
from math import ceil

from veche.gateway.dialect import Mounted
from veche.storage.writer import Writer
from veche.wire.http import BoundedHttp
from veche.wire.websocket import WebSocket

SLICE_SECONDS = 0.1
ANSWER_SECONDS = 10.0
"""After the time for the clients, for what was taken to be answered. Without a database it is refused before."""
FETCH_SLICES = 10
"""For clients that poll, to fetch that their session has ended. Without slices nobody could take them."""


async def drain(connections: Collection[object], dialects: Collection[Mounted], writer: Writer, seconds: float) -> None:
    """End all connections within about `seconds`; 0: at once. `connections` is looked at again for each slice.

    An HTTP connection ends after the answer to its request: the client opens the next one with another node. One that
    was accepted just before, and has sent no request yet, is served.
    """
    loop = asyncio.get_running_loop()
    ends_at, left = loop.time() + seconds, ceil(seconds / SLICE_SECONDS) or 1
    while True:
        if loop.time() > ends_at:
            left = 1  # the database was slow, so the rest goes at once
        await _drain_part(1 / left, connections, dialects, writer)
        if left == 1 or not (connections or _has_sessions(dialects)):
            break
        await asyncio.sleep(max(0.0, (ends_at - loop.time()) / left))
        left -= 1
    for _ in range(FETCH_SLICES if seconds else 0):
        if _has_sessions(dialects):
            await asyncio.sleep(SLICE_SECONDS)


async def _drain_part(
    part: float, connections: Collection[object], dialects: Collection[Mounted], writer: Writer
) -> None:
    for connection in list(connections):
        if isinstance(connection, BoundedHttp) and connection.has_begun:
            connection.shutdown()
    sockets = [one for one in connections if isinstance(one, WebSocket) and not one.closing]
    leaving = sockets[: ceil(len(sockets) * part)]
    for socket in leaving:
        socket.pause_reading()
    await writer.wait_until_answered()
    for dialect in dialects:
        dialect.drain(part)
    for socket in leaving:
        socket.shutdown()


def _has_sessions(dialects: Collection[Mounted]) -> bool:
    return any(True for dialect in dialects for _ in dialect.connections)
