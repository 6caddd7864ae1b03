"""A relay between a client and the server that can drop, repeat, change and add frames, and close sockets.

It takes part in the WebSocket protocol itself, so that it sees frames. GET requests are passed on; a client makes no
others by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Frame = dict[str, Any]
Change = Callable[[Frame], list[Frame]]


def unchanged(frame: Frame) -> list[Frame]:
    return [frame]


class Relay:
    """A relay to the server at `base`. `down` and `up` give the frames that are passed on instead of each frame."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.down: Change = unchanged  # from the server to the client
        self.up: Change = unchanged
        self.hellos: list[Frame] = []
        self.sent: list[Frame] = []  # what clients have sent
        self.times: list[float] = []  # when each connection came
        self.open: list[ServerConnection] = []
        self._http = httpx.AsyncClient(base_url=base, trust_env=False, verify=False, timeout=20)
        self._server: Server | None = None
        self._transports: set[asyncio.Transport] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"

    async def push(self, frame: Frame) -> None:
        """Send a frame to all clients, as if it came from the server."""
        for client in self.open:
            await client.send(json.dumps(frame))

    async def close_all(self, code: int, bye: Frame | None = None) -> None:
        """Close all sockets of clients with this code, after `bye`."""
        for client in list(self.open):
            if bye is not None:
                await client.send(json.dumps({"bye": bye}))
            await client.close(code)

    async def _answer(self, client: ServerConnection, request: Request) -> Response | None:
        self._transports.add(client.transport)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return None
        given = {"Authorization": request.headers.get("Authorization", "")}
        answer = await self._http.get(request.path, headers=given)
        length = str(len(answer.content))
        return Response(
            answer.status_code, "", Headers({"Content-Length": length, "Connection": "close"}), answer.content
        )

    async def _pass(self, client: ServerConnection) -> None:
        self.times.append(asyncio.get_running_loop().time())
        address = self.base.replace("http", "ws", 1) + "/v1/socket"
        async with connect(address, proxy=None, ping_interval=None, max_size=None, close_timeout=1) as server:
            self.open.append(client)
            back = asyncio.create_task(self._pass_down(server, client))
            try:
                with contextlib.suppress(ConnectionClosed):
                    async for raw in client:
                        await self._pass_up(json.loads(raw), server)
            finally:
                self.open.remove(client)
                back.cancel()
                await asyncio.gather(back, return_exceptions=True)

    async def _pass_up(self, frame: Frame, to: Any) -> None:
        self.sent.append(frame)
        if "hello" in frame:
            self.hellos.append(frame["hello"])
        for passed in self.up(frame):
            await to.send(json.dumps(passed))

    async def _pass_down(self, server: Any, client: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for raw in server:
                for frame in self.down(json.loads(raw)):
                    await client.send(json.dumps(frame))
        await client.close(server.close_code or 1000)


@contextlib.asynccontextmanager
async def relaying(base: str) -> AsyncIterator[Relay]:
    relay = Relay(base)
    try:
        async with serve(
            relay._pass,
            "127.0.0.1",
            0,
            process_request=relay._answer,
            ping_interval=None,
            max_size=None,
            close_timeout=1,
        ) as server:
            relay._server = server
            yield relay
    finally:
        for transport in relay._transports:
            transport.abort()
        await relay._http.aclose()
