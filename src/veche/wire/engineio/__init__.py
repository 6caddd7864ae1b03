"""Engine.IO 4: connections over HTTP long polling, over a WebSocket, and the upgrade from the first to the second."""

from veche.wire.engineio.application import Application
from veche.wire.engineio.connection import EngineConnection
from veche.wire.engineio.packets import BadPacket
from veche.wire.engineio.places import Caps
from veche.wire.engineio.polling import Polling
from veche.wire.engineio.server import Server
from veche.wire.engineio.websocket import WebSocketAccept

__all__ = ["Application", "BadPacket", "Caps", "EngineConnection", "Polling", "Server", "WebSocketAccept"]
