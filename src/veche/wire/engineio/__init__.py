"""Engine.IO 4: a connection over HTTP long polling, a WebSocket, or first one and then the other."""

from veche.wire.engineio.connection import Application, EngineConnection
from veche.wire.engineio.packets import BadPacket
from veche.wire.engineio.polling import Polling
from veche.wire.engineio.server import Server
from veche.wire.engineio.websocket import WebSocketAccept

__all__ = ["Application", "BadPacket", "EngineConnection", "Polling", "Server", "WebSocketAccept"]
