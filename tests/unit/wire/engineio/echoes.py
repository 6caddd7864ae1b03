"""Echo servers for the public conformance suites: Engine.IO at /engine.io/, Socket.IO at /socket.io/."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from veche.gateway.http import Applications
from veche.wire.engineio import EngineConnection, Polling, Server, WebSocketAccept
from veche.wire.handler import WIRE, Accept, Wire
from veche.wire.handshake import Upgrade
from veche.wire.heartbeat import Heartbeats
from veche.wire.socketio import Ack, Namespaces, Socket

PING_INTERVAL, PING_TIMEOUT = 0.3, 0.2  # seconds; the suites expect these
AUTH_DELAY = 0.02

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


class EngineEcho:
    """Sends each message back."""

    def __init__(self, connection: EngineConnection) -> None:
        self.connection = connection

    def text(self, text: str) -> None:
        self.connection.send(b"4" + text.encode())

    def binary(self, data: bytes) -> None:
        self.connection.send_binary(data)

    def upgraded(self) -> None: ...
    def paused(self) -> None: ...
    def resumed(self) -> None: ...
    def closed(self, reason: str) -> None: ...


class SocketEcho:
    """The handler that the Socket.IO suite requires in its README."""

    async def connect(self, socket: Socket, auth: dict[str, Any]) -> None:
        self.socket = socket
        self.auth = auth

    def connected(self) -> None:
        # Not in one segment with the CONNECT packet: the suite listens for this event only after that packet.
        asyncio.get_running_loop().call_later(AUTH_DELAY, self.socket.emit, "auth", self.auth)

    def event(self, name: str, data: list[Any], ack: Ack | None) -> None:
        if name == "message":
            self.socket.emit("message-back", *data)
        elif name == "message-with-ack" and ack is not None:
            ack(*data)

    def upgraded(self) -> None: ...
    def paused(self) -> None: ...
    def resumed(self) -> None: ...
    def disconnected(self, reason: str) -> None: ...


class App:
    """The ASGI app. Like Veche's own app, it puts the `Wire` into the lifespan state."""

    def __init__(self, ping_interval: float = PING_INTERVAL, ping_timeout: float = PING_TIMEOUT) -> None:
        namespaces = {"/": SocketEcho, "/custom": SocketEcho}
        times = {"ping_interval": ping_interval, "ping_timeout": ping_timeout}
        self.engine = Server(EngineEcho, **times)
        self.sockets = Server(lambda connection: Namespaces(connection, namespaces), **times)
        mounts = {"/engine.io": Polling(self.engine), "/socket.io": Polling(self.sockets)}
        self._app = Applications(self._other, mounts)  # type: ignore[arg-type]
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        await self._app(scope, receive, send)

    def drain(self) -> None:
        """Close all connections. May be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.engine.drain)
            self._loop.call_soon_threadsafe(self.sockets.drain)

    def call(self, function: Callable[[], object]) -> None:
        """Call a function on the server's loop. May be called from any thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(function)

    def _routes(self, upgrade: Upgrade) -> Accept:
        return {"/engine.io/": WebSocketAccept(self.engine), "/socket.io/": WebSocketAccept(self.sockets)}[upgrade.path]

    async def _other(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        await receive()
        self._loop = asyncio.get_running_loop()
        heartbeats = Heartbeats()
        heartbeats.start()
        scope["state"][WIRE] = Wire(self._routes, heartbeats)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        heartbeats.stop()
        await send({"type": "lifespan.shutdown.complete"})
