"""Socket.IO 5 over Engine.IO 4: packets, and the namespaces of a client. `gateway.socketio` connects it to the hub."""

from veche.wire.engineio import Caps, Polling, Server, WebSocketAccept
from veche.wire.socketio.namespaces import (
    FIRST_PAYLOAD,
    Ack,
    ConnectRefused,
    NamespaceHandler,
    Namespaces,
    Socket,
)

__all__ = [
    "FIRST_PAYLOAD",
    "Ack",
    "Caps",
    "ConnectRefused",
    "NamespaceHandler",
    "Namespaces",
    "Polling",
    "Server",
    "Socket",
    "WebSocketAccept",
]
