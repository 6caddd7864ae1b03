"""Engine.IO 4: a session over HTTP long polling, a WebSocket, or first one and then the other."""

from veche.wire.engineio.packets import BadPacket
from veche.wire.engineio.polling import Polling
from veche.wire.engineio.server import Server
from veche.wire.engineio.session import Application, Session
from veche.wire.engineio.websocket import WebSocketDoor

__all__ = ["Application", "BadPacket", "Polling", "Server", "Session", "WebSocketDoor"]
