"""The WebSocket transport of Engine.IO: it opens a new connection, or upgrades a connection from polling.

The wire's routes return a `WebSocketAccept`, which creates a `Transport`. The transport passes received packets to the
connection. The connection writes to the socket directly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from veche.wire.engineio.connection import EngineConnection
from veche.wire.engineio.packets import PING, PONG, PROBE, UPGRADE, Packet
from veche.wire.engineio.server import RequestRefused, Server
from veche.wire.handler import Accepted, MessageSocket
from veche.wire.handshake import Upgrade, UpgradeRefused


class WebSocketAccept:
    """Accepts WebSockets of Engine.IO: a `wire.handler.Accept` for the same path as `Polling`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, upgrade: Upgrade) -> Accepted:
        neighbours = self._server.neighbours
        if neighbours is not None and (owner := neighbours.owner(upgrade.query.get("sid", ""))) is not None:
            raise neighbours.move(owner, upgrade)
        try:
            self._server.check_origin(upgrade.headers.get, from_proxy=upgrade.from_proxy, client=upgrade.client)
            connection = self._server.find(upgrade.query, upgrade=True)
            if connection is None:
                self._server.make_room(upgrade.client)
        except RequestRefused as refusal:
            headers = (("Access-Control-Allow-Origin", "*"),)
            raise UpgradeRefused(refusal.response.status, refusal.response.body, headers) from None
        return Accepted(Transport(self._server, connection, upgrade.client), max_message=self._server.first_payload)


class Transport:
    """One WebSocket of Engine.IO: a `wire.handler.Handler`."""

    __slots__ = ("_address", "_connection", "_receive", "_requested", "_server", "_socket", "_timer")
    heartbeat: bytes | None = None  # Engine.IO sends pings as packets

    def __init__(self, server: Server, requested: EngineConnection | None, address: str) -> None:
        self._server = server
        self._address = address
        self._requested = requested  # the polling connection that the client wants to upgrade
        self._connection: EngineConnection | None = None  # the connection that uses this socket
        self._socket: MessageSocket
        self._receive: Callable[[Packet], object] = self._before_probe
        self._timer: asyncio.TimerHandle | None = None

    def opened(self, socket: MessageSocket) -> None:
        self._socket = socket
        requested = self._requested
        if requested is None:
            connection, handshake = self._server.open(self._address, socket)
            socket.send(handshake)
            self._attach(connection)
            self._server.start(connection)
        elif requested.on_websocket or requested.ended:
            socket.close()
        else:
            self._timer = asyncio.get_running_loop().call_later(self._server.upgrade_timeout, socket.close)

    def text(self, text: str) -> None:
        self._receive(text)

    def binary(self, data: bytes) -> None:
        self._receive(data)

    # The upgrade.

    def _before_probe(self, packet: Packet) -> None:
        if packet == PING + PROBE and self._requested is not None and self._requested.probe():
            self._receive = self._during_probe
            self._socket.send((PONG + PROBE).encode())
        else:
            self._socket.close()

    def _during_probe(self, packet: Packet) -> None:
        connection = self._requested
        if packet == UPGRADE and connection is not None and not connection.ended:
            self._attach(connection)
            connection.upgrade(self._socket)
        else:
            self._socket.close()

    def _attach(self, connection: EngineConnection) -> None:
        self._stop_timer()
        self._socket.admitted()  # from now on it is bounded as a session of Engine.IO
        self._connection = connection
        self._receive = connection.received

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Called by the socket.

    def paused(self) -> None:
        if self._connection is not None:
            self._connection.pause()
        else:
            self._socket.close()  # only pongs were written, so the client sends many pings and does not read

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
        elif self._requested is not None and self._receive == self._during_probe:
            self._requested.cancel_probe()
        self._connection = self._requested = None

    def unanswered(self) -> None:
        """Never called, because `heartbeat` is None."""

    def stalled(self) -> None:
        if self._connection is not None:
            self._connection.fail("stalled")
        self._socket.close()

    def crowded_out(self) -> None:
        self._socket.close()
