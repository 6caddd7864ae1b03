"""Socket.IO 5 over Engine.IO 4: packets, and the namespaces of a client. `gateway.socketio` connects it to the hub."""

from veche.wire.engineio import Polling, Server, WebSocketAccept
from veche.wire.socketio.namespaces import Ack, ConnectRefused, NamespaceHandler, Namespaces, Socket

__all__ = [
    "Ack",
    "ConnectRefused",
    "NamespaceHandler",
    "Namespaces",
    "Polling",
    "Server",
    "Socket",
    "WebSocketAccept",
]
