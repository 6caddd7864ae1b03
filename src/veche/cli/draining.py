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


async def drain(connections: Collection[object], dialects: Collection[Mounted], writer: Writer, seconds: float) -> None:
    """End all connections within about `seconds`; 0: at once. `connections` is looked at again for each slice.

    An HTTP connection ends after the answer to its request: the client opens the next one with another node. One that
    was accepted just before, and has sent no request yet, is served.
    """
    slices = ceil(seconds / SLICE_SECONDS) or 1
    ends_at = asyncio.get_running_loop().time() + seconds
    for left in range(slices, 0, -1):
        for connection in list(connections):
            if isinstance(connection, BoundedHttp) and connection.has_begun:
                connection.shutdown()
        sockets = [one for one in connections if isinstance(one, WebSocket) and not one.closing]
        leaving = sockets[: ceil(len(sockets) / left)]
        for socket in leaving:
            socket.pause_reading()
        await writer.wait_until_answered()
        for dialect in dialects:
            dialect.drain(1 / left)
        for socket in leaving:
            socket.shutdown()
        if not connections and not any(True for dialect in dialects for _ in dialect.connections):
            return
        if left > 1:
            await asyncio.sleep(max(0.0, (ends_at - asyncio.get_running_loop().time()) / left))
