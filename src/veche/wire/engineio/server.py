"""The Engine.IO server: opens connections, finds them by sid, and refuses invalid requests."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

import msgspec

from veche.wire.engineio.application import Application
from veche.wire.engineio.connection import EngineConnection
from veche.wire.engineio.neighbours import Neighbours
from veche.wire.engineio.packets import MAX_PAYLOAD, OPEN
from veche.wire.engineio.places import Caps, Places
from veche.wire.engineio.pulse import Pulse
from veche.wire.handler import MessageSocket
from veche.wire.origins import Header, Origins
from veche.wire.proxy import Trusted

POLLING: Final = "polling"
WEBSOCKET: Final = "websocket"


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """A JSON response that refuses a request."""

    body: bytes
    status: int = 400


UNKNOWN_TRANSPORT: Final = ErrorResponse(b'{"code":0,"message":"Transport unknown"}')
UNKNOWN_SID: Final = ErrorResponse(b'{"code":1,"message":"Session ID unknown"}')
BAD_METHOD: Final = ErrorResponse(b'{"code":2,"message":"Bad handshake method"}')
BAD_REQUEST: Final = ErrorResponse(b'{"code":3,"message":"Bad request"}')
FORBIDDEN: Final = ErrorResponse(b'{"code":4,"message":"Forbidden"}', 403)
BAD_VERSION: Final = ErrorResponse(b'{"code":5,"message":"Unsupported protocol version"}')
TOO_MANY_CONNECTIONS: Final = ErrorResponse(b'{"code":4,"message":"Too many sessions"}', 503)


class RequestRefused(Exception):
    """Raised to refuse a request with this response."""

    def __init__(self, response: ErrorResponse) -> None:
        super().__init__(response.body)
        self.response = response


class Server:
    """Owns all Engine.IO connections. `application` creates the `Application` of a new connection.

    `first_payload` is the limit of POST bodies and WebSocket messages until a client has entered, in bytes.
    `ping_interval`, `ping_timeout` and `upgrade_timeout` are in seconds. Requests from pages of other origins than
    `origins` are refused on every transport, also at the upgrade. `neighbours` are the other workers of this machine.
    """

    def __init__(
        self,
        application: Callable[[EngineConnection], Application],
        *,
        ping_interval: float = 25.0,
        ping_timeout: float = 20.0,
        upgrade_timeout: float = 10.0,
        first_payload: int = MAX_PAYLOAD,
        caps: Caps | None = None,
        origins: Origins | None = None,
        trusted: Trusted | None = None,
        neighbours: Neighbours | None = None,
    ) -> None:
        self._application = application
        self._pulse = Pulse(ping_interval, ping_timeout)
        self._places = Places(caps or Caps())
        self._connections: dict[str, EngineConnection] = {}
        self._draining = False
        self.neighbours = neighbours
        self._suffix = neighbours.suffix if neighbours is not None else ""
        self.origins = origins or Origins()
        self.trusted = trusted or Trusted()
        self.upgrade_timeout = upgrade_timeout
        self.first_payload = first_payload

    def __len__(self) -> int:
        """The number of connections."""
        return len(self._connections)

    def __iter__(self) -> Iterator[EngineConnection]:
        return iter(self._connections.values())

    def check_origin(self, header: Header, *, from_proxy: bool, client: str) -> None:
        """Raise RequestRefused if the page may not connect (`Origins.allow`)."""
        if not self.origins.allow(header, from_proxy=from_proxy, client=client):
            raise RequestRefused(FORBIDDEN)

    def find(self, query: Mapping[str, str], *, method: str = "GET", upgrade: bool = False) -> EngineConnection | None:
        """Return the connection of a request, or None if the request opens a new one. Raises RequestRefused."""
        transport = query.get("transport")
        if transport not in (POLLING, WEBSOCKET):
            raise RequestRefused(UNKNOWN_TRANSPORT)
        if upgrade != (transport == WEBSOCKET):
            raise RequestRefused(BAD_REQUEST)
        if sid := query.get("sid"):
            return self._find_by_sid(sid, upgrade)
        if method != "GET":
            raise RequestRefused(BAD_METHOD)
        if query.get("EIO") != "4":
            raise RequestRefused(BAD_VERSION)
        return None

    def has_entered(self, sid: str) -> bool:
        """Return whether there is a connection with this sid, and its client may use the application."""
        connection = self._connections.get(sid)
        return connection is not None and self._places.has_entered(connection)

    def other_owner(self, sid: str | None) -> int | None:
        """Return the number of the other worker of this machine that has a session, or None."""
        return self.neighbours.owner(sid) if self.neighbours is not None and sid else None

    def make_room(self, address: str) -> None:
        """Raise RequestRefused if a client at this address may not open a connection. If it may, call `open` now."""
        if self._draining or not self._places.make_room(address):
            raise RequestRefused(TOO_MANY_CONNECTIONS)

    def _find_by_sid(self, sid: str, upgrade: bool) -> EngineConnection:
        connection = self._connections.get(sid)
        if connection is None:
            raise RequestRefused(UNKNOWN_SID)
        if connection.on_websocket and not upgrade:
            raise RequestRefused(BAD_REQUEST)
        return connection

    def open(self, address: str, socket: MessageSocket | None = None) -> tuple[EngineConnection, bytes]:
        """Create a connection. Returns the connection and its open packet. Send the packet, then call `start`."""
        connection = EngineConnection(
            self, secrets.token_urlsafe(16) + self._suffix, address, socket, self.first_payload
        )
        self._connections[connection.sid] = connection
        self._places.take(connection)
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
        """Create the application of the connection, which may send from now on."""
        connection.application = self._application(connection)

    def drain(self, part: float = 1.0) -> None:
        """Close a part of the connections, 1 for all, and refuse new ones. Waiting polls are answered.

        As long as some are left for a next call, one whose POST is being taken is left.
        """
        self._draining = True
        open_ones = [connection for connection in self._connections.values() if not connection.ended]
        idle = open_ones if part >= 1 else [connection for connection in open_ones if not connection.posting]
        for connection in idle[: ceil(len(open_ones) * part)]:
            connection.close("server shutting down")

    # Called by connections.

    def pong_received(self, connection: EngineConnection) -> None:
        self._pulse.pong_received(connection)

    def entered(self, connection: EngineConnection) -> None:
        self._places.enter(connection)

    def forget(self, connection: EngineConnection) -> None:
        self._pulse.discard(connection)
        self._places.release(connection)
        self._connections.pop(connection.sid, None)
