"""One Socket.IO client over an Engine.IO connection: its namespaces, who may enter them, events in and out.

Gets the messages of a connection. Gives events to the `NamespaceHandler` of each namespace.
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

CONNECT_WITHIN: Final = 45.0
"""Seconds that a client has to enter its first namespace, and a handler to decide."""

_logger = logging.getLogger("veche.wire")

Ack = Callable[..., None]
"""Answers an event, with any number of values; harmless twice."""


class ConnectRefused(Exception):
    """The client may not enter: it hears `connect_error` with this message, and with `data` if there are some."""

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class NamespaceHandler(Protocol):
    """What a dialect does with one client in one namespace: callbacks on the loop, of which only `connect` may wait.

    One that raises is logged, and its client is cut off.
    """

    async def connect(self, socket: Socket, auth: dict[str, Any]) -> None:
        """May it enter? Raises ConnectRefused. Nothing is emitted yet; cancelled when the client goes away."""

    def connected(self) -> None:
        """It has entered, and was told so."""

    def event(self, name: str, data: list[Any], ack: Ack | None) -> None:
        """An event; attachments are bytes in `data`. `ack` is there when the client waits for an answer."""

    def upgraded(self) -> None:
        """`socket.write` and `socket.on_websocket` have changed: time to `place.move`."""

    def paused(self) -> None:
        """The client reads slower than we write. Called in the middle of a write: only take note."""

    def resumed(self) -> None:
        """The client has caught up."""

    def disconnected(self, reason: str) -> None:
        """It has left, is about to be told so, or did not enter: once for each `connect`. Let no hub write any more."""


class Socket:
    """A client in a namespace, which also is a `wire.handler.Socket` for payloads that `packets.event` made."""

    __slots__ = ("_client", "entered", "handler", "id", "joined", "namespace", "upgrade", "write")

    def __init__(self, client: Namespaces, namespace: str, handler: NamespaceHandler) -> None:
        self._client = client
        self.namespace = namespace
        self.handler = handler
        self.id = secrets.token_urlsafe(15)
        self.entered = False  # once and for all
        self.joined = False  # now
        self.upgrade: Upgrade | None = None
        self.write: Callable[[bytes], None] = client.connection.write  # takes frames of the current transport

    @property
    def address(self) -> str:
        """Where the client is, behind trusted proxies."""
        return self._client.connection.client

    @property
    def on_websocket(self) -> bool:
        return self._client.connection.on_websocket

    def emit(self, name: str, *data: Any) -> None:
        """Send an event; bytes in it become attachments."""
        self._client.send(self, Packet(EVENT, self.namespace, [name, *data]))

    def ack(self, id: int, *data: Any) -> None:
        """Answer the event that the client numbered so."""
        self._client.send(self, Packet(ACK, self.namespace, list(data), id))

    def send(self, payload: bytes) -> None:
        """Send what `packets.event` made, to this client alone."""
        if self.joined:
            self._client.connection.send(payload)

    def disconnect(self) -> None:
        """Put the client out of the namespace: the real one stays away until its user says otherwise."""
        self._client.put_out(self)

    def close(self, code: int | None = None, reason: str = "server closed") -> None:
        """End the connection, with all its namespaces: the real client comes back by itself."""
        self._client.connection.close(reason)

    def abort(self) -> None:
        self._client.connection.fail("aborted")

    def pause_reading(self) -> None:
        self._client.connection.pause_reading()

    def resume_reading(self) -> None:
        self._client.connection.resume_reading()


class Namespaces:
    """An `engineio.Application`. A namespace without a maker of handlers is unknown."""

    __slots__ = ("_connect_within", "_connecting", "_decoder", "_makers", "_sockets", "_timer", "connection")

    def __init__(
        self,
        connection: EngineConnection,
        namespaces: Mapping[str, Callable[[], NamespaceHandler]],
        connect_within: float = CONNECT_WITHIN,
    ) -> None:
        self.connection = connection
        self._makers = namespaces
        self._connect_within = connect_within
        self._decoder = Decoder()
        self._sockets: dict[str, Socket] = {}
        self._connecting: dict[str, asyncio.Task[None]] = {}
        loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = loop.call_later(
            connect_within, connection.close, "no namespace in time"
        )

    # From the connection.

    def text(self, text: str) -> None:
        packet = self._decoder.text(text)
        if packet is not None:
            self._received(packet)

    def binary(self, data: bytes) -> None:
        packet = self._decoder.binary(data)
        if packet is not None:
            self._received(packet)

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
            self._leave(socket, reason)

    # Packets.

    def _received(self, packet: Packet) -> None:
        socket = self._sockets.get(packet.namespace)
        if packet.type == CONNECT:
            if socket is not None or packet.namespace in self._connecting:
                raise BadPacket("it is in that namespace already")
            self._connect(packet.namespace, packet.data or {})
        elif socket is None:
            return  # it was put out, and has not heard of it yet
        elif packet.type == EVENT:
            name, *data = packet.data
            socket.handler.event(name, data, None if packet.id is None else _once(partial(socket.ack, packet.id)))
        elif packet.type == DISCONNECT:
            self._leave(socket, "client left")

    def _connect(self, namespace: str, auth: dict[str, Any]) -> None:
        make = self._makers.get(namespace)
        if make is None:
            self._refuse(namespace, ConnectRefused("Invalid namespace"))
            return
        socket = Socket(self, namespace, make())
        task = asyncio.get_running_loop().create_task(self._decide(socket, auth))
        self._connecting[namespace] = task

    async def _decide(self, socket: Socket, auth: dict[str, Any]) -> None:
        namespace = socket.namespace
        try:
            async with asyncio.timeout(self._connect_within):
                await socket.handler.connect(socket, auth)
            self._enter(socket)
        except ConnectRefused as refused:
            self._refuse(namespace, refused)
        except Exception:
            _logger.exception("A Socket.IO client could not be let into %s", namespace)
            self._refuse(namespace, ConnectRefused("Internal error"))
        finally:
            self._connecting.pop(namespace, None)
            if not socket.entered:
                _tell_gone(socket, "not let in")

    def _enter(self, socket: Socket) -> None:
        if self.connection.ended:
            return
        self._stop_timer()
        self._sockets[socket.namespace] = socket
        socket.entered = socket.joined = True
        socket.write = self.connection.write
        self.connection.send(payload(str(CONNECT), socket.namespace, {"sid": socket.id}))
        try:
            socket.handler.connected()
            if self.connection.paused and socket.joined:
                socket.handler.paused()
        except Exception:
            _logger.exception("A Socket.IO handler failed")
            self.connection.fail("internal error")

    def _refuse(self, namespace: str, refused: ConnectRefused) -> None:
        error = {"message": refused.message}
        if refused.data is not None:
            error["data"] = refused.data
        self.connection.send(payload(str(CONNECT_ERROR), namespace, error))

    def _leave(self, socket: Socket, reason: str) -> None:
        socket.joined = False
        del self._sockets[socket.namespace]
        _tell_gone(socket, reason)
        socket.write = _nowhere
        self.connection.resume_reading()  # if it made the client wait, nobody else would end that

    # From sockets.

    def put_out(self, socket: Socket) -> None:
        """Disconnect a socket by our own wish; harmless twice."""
        if socket.joined:
            self._leave(socket, "server put it out")
            self.connection.send(payload(str(DISCONNECT), socket.namespace, None))

    def send(self, socket: Socket, packet: Packet) -> None:
        """Send a packet of a socket that is still there."""
        if not socket.joined:
            return
        text, attachments = encode(packet)
        self.connection.send(text)
        for data in attachments:
            self.connection.send_binary(data)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _tell_gone(socket: Socket, reason: str) -> None:
    try:
        socket.handler.disconnected(reason)
    except Exception:
        _logger.exception("A Socket.IO handler failed at its end")


def _nowhere(frames: bytes) -> None:
    """The client has left."""


def _once(ack: Ack) -> Ack:
    answers = [ack]

    def answer(*data: Any) -> None:
        if answers:
            answers.pop()(*data)

    return answer
