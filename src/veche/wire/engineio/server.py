"""The Engine.IO connections of a server by their sid: opening one, finding one, and refusing a request."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from veche.wire.engineio.connection import Application, EngineConnection
from veche.wire.engineio.packets import MAX_PAYLOAD, OPEN
from veche.wire.engineio.pulse import Pulse
from veche.wire.handler import Socket
from veche.wire.proxy import Trusted

POLLING: Final = "polling"
WEBSOCKET: Final = "websocket"


@dataclass(frozen=True, slots=True)
class Rejection:
    """How a request is refused."""

    body: bytes
    status: int = 400


UNKNOWN_TRANSPORT: Final = Rejection(b'{"code":0,"message":"Transport unknown"}')
UNKNOWN_SID: Final = Rejection(b'{"code":1,"message":"Session ID unknown"}')
BAD_METHOD: Final = Rejection(b'{"code":2,"message":"Bad handshake method"}')
BAD_REQUEST: Final = Rejection(b'{"code":3,"message":"Bad request"}')
FORBIDDEN: Final = Rejection(b'{"code":4,"message":"Forbidden"}', 403)
BAD_VERSION: Final = Rejection(b'{"code":5,"message":"Unsupported protocol version"}')
FULL: Final = Rejection(b'{"code":4,"message":"Too many sessions"}', 503)


class RequestRefused(Exception):
    """A request is refused."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.body)
        self.rejection = rejection


class Server:
    """What all connections share; times in seconds. `application` makes what speaks over a connection.

    With `origins`, pages of other origins are refused on every transport, and at the upgrade.
    """

    def __init__(
        self,
        application: Callable[[EngineConnection], Application],
        *,
        ping_interval: float = 25.0,
        ping_timeout: float = 20.0,
        upgrade_within: float = 10.0,
        max_connections: int = 100_000,
        origins: frozenset[str] | None = None,
        trusted: Trusted | None = None,
    ) -> None:
        self._application = application
        self._pulse = Pulse(ping_interval, ping_timeout)
        self._max_connections = max_connections
        self._connections: dict[str, EngineConnection] = {}
        self._draining = False
        self.origins = origins
        self.trusted = trusted or Trusted()
        self.upgrade_within = upgrade_within

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def check_origin(self, origin: str | None) -> None:
        """Programs send none; `null` is no page of ours."""
        if self.origins is not None and origin is not None and (origin == "null" or origin not in self.origins):
            raise RequestRefused(FORBIDDEN)

    def find(self, query: Mapping[str, str], *, method: str = "GET", upgrade: bool = False) -> EngineConnection | None:
        """Find the connection that a request is for; None: it may open one. Raises RequestRefused."""
        transport = query.get("transport")
        if transport not in (POLLING, WEBSOCKET):
            raise RequestRefused(UNKNOWN_TRANSPORT)
        if upgrade != (transport == WEBSOCKET):
            raise RequestRefused(BAD_REQUEST)
        if sid := query.get("sid"):
            return self._known(sid, upgrade)
        if method != "GET":
            raise RequestRefused(BAD_METHOD)
        if query.get("EIO") != "4":
            raise RequestRefused(BAD_VERSION)
        if self._draining or len(self._connections) >= self._max_connections:
            raise RequestRefused(FULL)
        return None

    def _known(self, sid: str, upgrade: bool) -> EngineConnection:
        connection = self._connections.get(sid)
        if connection is None:
            raise RequestRefused(UNKNOWN_SID)
        if connection.on_websocket and not upgrade:
            raise RequestRefused(BAD_REQUEST)
        return connection

    def open(self, client: str, socket: Socket | None = None) -> tuple[EngineConnection, bytes]:
        """Begin a connection; returns it and its open packet, after which it is to be started."""
        connection = EngineConnection(self, secrets.token_urlsafe(16), client, socket)
        self._connections[connection.sid] = connection
        self._pulse.add(connection)
        handshake = {
            "sid": connection.sid,
            "upgrades": [] if socket is not None else [WEBSOCKET],
            "pingInterval": round(self._pulse.interval * 1000),
            "pingTimeout": round(self._pulse.timeout * 1000),
            "maxPayload": MAX_PAYLOAD,
        }
        return connection, OPEN.encode() + msgspec.json.encode(handshake)

    def start(self, connection: EngineConnection) -> None:
        """Let the application speak."""
        connection.application = self._application(connection)

    def drain(self) -> None:
        """End all connections, so that no poll waits, and open no more."""
        self._draining = True
        for connection in list(self._connections.values()):
            connection.close("server shutting down")

    # From connections.

    def answered(self, connection: EngineConnection) -> None:
        self._pulse.answered(connection)

    def forget(self, connection: EngineConnection) -> None:
        self._pulse.discard(connection)
        self._connections.pop(connection.sid, None)
