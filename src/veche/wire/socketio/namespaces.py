"""One Socket.IO client on an Engine.IO connection: it connects to namespaces, and sends and receives events.

`Namespaces` decodes the messages of the connection and calls the `NamespaceHandler` of each namespace.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

from veche.wire.engineio.connection import EngineConnection
from veche.wire.engineio.packets import BadPacket
from veche.wire.handshake import Upgrade
from veche.wire.socketio.packets import (
    ACK,
    CONNECT,
    CONNECT_ERROR,
    DISCONNECT,
    EVENT,
    Decoder,
    Packet,
    encode,
    payload,
)

CONNECT_TIMEOUT: Final = 45.0
"""Seconds for a client to connect to its first namespace, and for `NamespaceHandler.connect` to return."""
FIRST_PAYLOAD: Final = 8_192
"""Limit of a message until the client is connected to a namespace, in bytes: enough for a token."""
MAX_REFUSALS: Final = 32
"""If a client is refused so often in a row, its connection is closed."""

logger = logging.getLogger("veche.wire")

Ack = Callable[..., None]
"""Acknowledges an event with any number of values. A second call does nothing."""


class ConnectRefused(Exception):
    """Raised to refuse a client. Its `connect_error` event has this message, and `data` unless that is None."""

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class NamespaceHandler(Protocol):
    """Receives what happens to one client in one namespace. The callbacks run on the event loop and must not block.

    If a callback other than `connect` or `disconnected` raises, the exception is logged and the connection ends.
    """

    async def connect(self, socket: Socket, auth: dict[str, Any]) -> None:
        """Decide whether the client may connect. Raises ConnectRefused. Cancelled if the connection ends.

        Do not send events here.
        """

    def connected(self) -> None:
        """The client is connected to the namespace, and its CONNECT packet was sent."""

    def event(self, name: str, data: list[Any], ack: Ack | None) -> None:
        """The client sent an event. Attachments are bytes in `data`. `ack` is None if the client expects none."""

    def upgraded(self) -> None:
        """The connection uses a WebSocket now: `socket.write` and `socket.on_websocket` have changed."""

    def paused(self) -> None:
        """The client reads too slowly. Called during a write: do not write here."""

    def resumed(self) -> None:
        """The client has read enough: writing may continue."""

    def disconnected(self, reason: str) -> None:
        """The client left, was disconnected, or was refused. Called once per `connect`. Do not write afterwards."""


class Socket:
    """One client in one namespace. Implements `wire.handler.Socket` for payloads from `packets.event`."""

    __slots__ = ("_client", "handler", "id", "is_connected", "namespace", "upgrade", "was_connected", "write")

    def __init__(self, client: Namespaces, namespace: str, handler: NamespaceHandler) -> None:
        self._client = client
        self.namespace = namespace
        self.handler = handler
        self.id = secrets.token_urlsafe(15)
        self.was_connected = False
        self.is_connected = False
        self.upgrade: Upgrade | None = None
        self.write: Callable[[bytes], None] = client.connection.write  # takes bytes framed for the transport

    @property
    def address(self) -> str:
        """The client's address, as trusted proxies report it."""
        return self._client.connection.address

    @property
    def on_websocket(self) -> bool:
        return self._client.connection.on_websocket

    def emit(self, name: str, *data: Any) -> None:
        """Send an event. Bytes in `data` are sent as attachments."""
        self._client.send(self, Packet(EVENT, self.namespace, [name, *data]))

    def ack(self, id: int, *data: Any) -> None:
        """Acknowledge the client's event with this id."""
        self._client.send(self, Packet(ACK, self.namespace, list(data), id))

    def send(self, payload: bytes) -> None:
        """Send a payload from `packets.event` to this client."""
        if self.is_connected:
            self._client.connection.send(payload)

    def disconnect(self) -> None:
        """Disconnect the client from the namespace. The official client does not reconnect by itself after this."""
        self._client.disconnect_socket(self)

    def close(self, code: int | None = None, reason: str = "server closed") -> None:
        """Close the connection with all its namespaces. The official client reconnects by itself after this."""
        self._client.connection.close(reason)

    def admitted(self) -> None:
        """Do nothing: the Engine.IO server bounds its connections itself."""

    def abort(self) -> None:
        self._client.connection.fail("aborted")

    def pause_reading(self) -> None:
        self._client.connection.pause_reading()

    def resume_reading(self) -> None:
        self._client.connection.resume_reading()


class Namespaces:
    """The namespaces of one connection: an `engineio.Application`.

    `namespaces` maps each namespace to a factory of its handler. A client cannot connect to another namespace.
    """

    __slots__ = (
        "_connect_timeout",
        "_connecting",
        "_decoder",
        "_factories",
        "_refusals",
        "_sockets",
        "_timer",
        "connection",
    )

    def __init__(
        self,
        connection: EngineConnection,
        namespaces: Mapping[str, Callable[[], NamespaceHandler]],
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self.connection = connection
        self._factories = namespaces
        self._connect_timeout = connect_timeout
        self._sockets: dict[str, Socket] = {}
        self._decoder = Decoder(self._sockets.__contains__)
        self._connecting: dict[str, asyncio.Task[None]] = {}
        self._refusals = 0  # since the client was last accepted
        loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = loop.call_later(
            connect_timeout, connection.close, "no namespace in time"
        )

    # Called by the connection.

    def text(self, text: str) -> None:
        packet = self._decoder.text(text)
        if packet is not None:
            self._handle(packet)

    def binary(self, data: bytes) -> None:
        packet = self._decoder.binary(data)
        if packet is not None:
            self._handle(packet)

    def upgraded(self) -> None:
        for socket in tuple(self._sockets.values()):
            socket.write = self.connection.write
            socket.handler.upgraded()

    def paused(self) -> None:
        for socket in tuple(self._sockets.values()):
            socket.handler.paused()

    def resumed(self) -> None:
        for socket in tuple(self._sockets.values()):
            socket.handler.resumed()

    def closed(self, reason: str) -> None:
        self._stop_timer()
        for task in self._connecting.values():
            task.cancel()
        for socket in tuple(self._sockets.values()):
            self._remove(socket, reason)

    # Packets.

    def _handle(self, packet: Packet) -> None:
        socket = self._sockets.get(packet.namespace)
        if packet.type == CONNECT:
            if socket is not None or packet.namespace in self._connecting:
                raise BadPacket("already connected to that namespace")
            self._connect(packet.namespace, packet.data or {})
        elif socket is None:
            return  # the client sent it before it received our DISCONNECT
        elif packet.type == EVENT:
            name, *data = packet.data
            socket.handler.event(name, data, None if packet.id is None else _once(partial(socket.ack, packet.id)))
        elif packet.type == DISCONNECT:
            self._remove(socket, "client disconnected")

    def _connect(self, namespace: str, auth: dict[str, Any]) -> None:
        factory = self._factories.get(namespace)
        if factory is None:
            self._refuse(namespace, ConnectRefused("Invalid namespace"))
            return
        socket = Socket(self, namespace, factory())
        task = asyncio.get_running_loop().create_task(self._run_connect(socket, auth))
        self._connecting[namespace] = task

    async def _run_connect(self, socket: Socket, auth: dict[str, Any]) -> None:
        namespace = socket.namespace
        try:
            async with asyncio.timeout(self._connect_timeout):
                await socket.handler.connect(socket, auth)
            self._accept(socket)
        except ConnectRefused as refused:
            self._refuse(namespace, refused)
        except Exception:
            logger.exception("Connecting a Socket.IO client to %s failed", namespace)
            self._refuse(namespace, ConnectRefused("Internal error"))
        finally:
            self._connecting.pop(namespace, None)
            if not socket.was_connected:
                _notify_disconnected(socket, "refused")

    def _accept(self, socket: Socket) -> None:
        if self.connection.ended:
            return
        self._stop_timer()
        self._refusals = 0
        self.connection.enter()
        self._sockets[socket.namespace] = socket
        socket.was_connected = socket.is_connected = True
        socket.write = self.connection.write
        self.connection.send(payload(str(CONNECT), socket.namespace, {"sid": socket.id}))
        try:
            socket.handler.connected()
            if self.connection.paused and socket.is_connected:
                socket.handler.paused()
        except Exception:
            logger.exception("A Socket.IO handler failed")
            self.connection.fail("internal error")

    def _refuse(self, namespace: str, refused: ConnectRefused) -> None:
        error = {"message": refused.message}
        if refused.data is not None:
            error["data"] = refused.data
        self.connection.send(payload(str(CONNECT_ERROR), namespace, error))
        self._refusals += 1
        if self._refusals >= MAX_REFUSALS:
            self.connection.close("refused too often")

    def _remove(self, socket: Socket, reason: str) -> None:
        socket.is_connected = False
        del self._sockets[socket.namespace]
        _notify_disconnected(socket, reason)
        socket.write = _discard
        self.connection.resume_reading()  # the handler may have paused reading, and can no longer resume it

    # Called by sockets.

    def disconnect_socket(self, socket: Socket) -> None:
        """Disconnect the client from a namespace. A second call does nothing."""
        if socket.is_connected:
            self._remove(socket, "disconnected by server")
            self.connection.send(payload(str(DISCONNECT), socket.namespace, None))

    def send(self, socket: Socket, packet: Packet) -> None:
        if not socket.is_connected:
            return
        text, attachments = encode(packet)
        self.connection.send(text)
        for data in attachments:
            self.connection.send_binary(data)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _notify_disconnected(socket: Socket, reason: str) -> None:
    try:
        socket.handler.disconnected(reason)
    except Exception:
        logger.exception("A Socket.IO handler failed in disconnected()")


def _discard(frames: bytes) -> None:
    """Replaces `write` once the client is disconnected."""


def _once(ack: Ack) -> Ack:
    unused = [ack]

    def ack_once(*data: Any) -> None:
        if unused:
            unused.pop()(*data)

    return ack_once
