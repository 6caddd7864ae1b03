"""Engine.IO over the WebSocket class: a connection of its own, or the upgrade of one that polls.

Gets an Upgrade from the Wire's routes, then the messages. Gives packets to the connection, which writes to the socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from veche.wire.engineio.connection import EngineConnection
from veche.wire.engineio.packets import MAX_PAYLOAD, PING, PONG, PROBE, UPGRADE, Packet
from veche.wire.engineio.server import RequestRefused, Server
from veche.wire.handler import Accepted, Socket
from veche.wire.handshake import Upgrade, UpgradeRefused


class WebSocketAccept:
    """For the Wire's routes, at the path of the polling."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, upgrade: Upgrade) -> Accepted:
        try:
            self._server.check_origin(upgrade.headers.get("origin"))
            connection = self._server.find(upgrade.query, upgrade=True)
        except RequestRefused as refusal:
            headers = (("Access-Control-Allow-Origin", "*"),)
            raise UpgradeRefused(refusal.rejection.status, refusal.rejection.body, headers) from None
        return Accepted(Transport(self._server, connection, upgrade.client), max_message=MAX_PAYLOAD)


class Transport:
    """One WebSocket, as a `wire.handler.Handler`."""

    __slots__ = ("_client", "_connection", "_received", "_server", "_socket", "_timer", "_wanted")
    heartbeat: bytes | None = None  # Engine.IO has pings of its own

    def __init__(self, server: Server, wanted: EngineConnection | None, client: str) -> None:
        self._server = server
        self._client = client
        self._wanted = wanted  # the connection that it asks to carry
        self._connection: EngineConnection | None = None  # the one that it carries
        self._socket: Socket
        self._received: Callable[[Packet], object] = self._early
        self._timer: asyncio.TimerHandle | None = None

    def opened(self, socket: Socket) -> None:
        self._socket = socket
        wanted = self._wanted
        if wanted is None:
            connection, handshake = self._server.open(self._client, socket)
            socket.send(handshake)
            self._carry(connection)
            self._server.start(connection)
        elif wanted.on_websocket or wanted.ended:
            socket.close()
        else:
            self._timer = asyncio.get_running_loop().call_later(self._server.upgrade_within, socket.close)

    def text(self, text: str) -> None:
        self._received(text)

    def binary(self, data: bytes) -> None:
        self._received(data)

    # The upgrade.

    def _early(self, packet: Packet) -> None:
        if packet == PING + PROBE and self._wanted is not None and self._wanted.probe():
            self._received = self._probed
            self._socket.send((PONG + PROBE).encode())
        else:
            self._socket.close()

    def _probed(self, packet: Packet) -> None:
        connection = self._wanted
        if packet == UPGRADE and connection is not None and not connection.ended:
            self._carry(connection)
            connection.upgrade(self._socket)
        else:
            self._socket.close()

    def _carry(self, connection: EngineConnection) -> None:
        self._stop_timer()
        self._connection = connection
        self._received = connection.received

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # The socket's life.

    def paused(self) -> None:
        if self._connection is not None:
            self._connection.pause()
        else:
            self._socket.close()  # nothing was written but pongs: it floods us, and does not read

    def resumed(self) -> None:
        if self._connection is not None:
            self._connection.resume()

    def draining(self) -> None:
        if self._connection is not None:
            self._connection.close("server shutting down")
        self._socket.close()

    def closed(self) -> None:
        self._stop_timer()
        if self._connection is not None:
            self._connection.fail("transport closed")
        elif self._wanted is not None and self._received == self._probed:
            self._wanted.give_up_probe()
        self._connection = self._wanted = None

    def unanswered(self) -> None:
        """Never asked: there is no heartbeat here."""

    def stalled(self) -> None:
        if self._connection is not None:
            self._connection.fail("stalled")
        self._socket.close()
