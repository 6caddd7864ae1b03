"""The HTTP long polling transport of Engine.IO, as an ASGI application: a GET receives packets, a POST sends them.

A waiting poll has one extra task, which notices that the client has disconnected. Every response, also an error, has
CORS headers that allow any page to read it, also if the page sends credentials. A request from an origin that is not
allowed gets a 403.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from veche.wire.engineio.connection import EngineConnection
from veche.wire.engineio.neighbours import UnknownWorkerError
from veche.wire.engineio.packets import BadPacket, packets_of
from veche.wire.engineio.server import BAD_METHOD, BAD_REQUEST, FORBIDDEN, UNKNOWN_SID, RequestRefused, Server
from veche.wire.proxy import client_of, peer_of

BODY_TIMEOUT: Final = 15.0
"""Seconds to receive the body of a POST."""
PROBE_POLL_TIMEOUT: Final = 0.1
"""Seconds that a poll waits during a probe. The upgrade waits until the poll returns, so the time is short.

With zero, a client whose probe hangs would poll without a pause.
"""
SLICE: Final = 0.002
"""Seconds for which the packets of one POST are taken before the loop runs other callbacks."""
_MAX_QUERY_FIELDS: Final = 64

_COMMON: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"vary", b"Origin"),
)
_ANY_PAGE: Final = ((b"access-control-allow-origin", b"*"),)
_Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class _Response:
    body: bytes
    type: bytes = b"text/plain; charset=UTF-8"
    status: int = 200
    headers: _Headers = ()

    async def send(self, send: Send, cors: _Headers) -> None:
        own = ((b"content-type", self.type), (b"content-length", str(len(self.body)).encode()))
        headers = [*own, *_COMMON, *cors, *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


_OK: Final = _Response(b"ok", b"text/html")


class Polling:
    """The ASGI application. The application that mounts it must allow request bodies of up to 1,000,000 bytes."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cors = _cors(scope)
        try:
            if await self._forward(scope, receive, send):
                return
            response = await self._respond(scope, receive)
        except RequestRefused as refusal:
            if refusal.response is FORBIDDEN:
                cors = _ANY_PAGE
            # A part of the body may be unread, so the HTTP connection cannot be used again.
            close = ((b"connection", b"close"),) if scope["method"] != "GET" else ()
            response = _Response(refusal.response.body, b"application/json", refusal.response.status, close)
        await response.send(send, cors)

    def has_entered(self, scope: Scope) -> bool:
        """Return whether a request belongs to a connection whose client has shown that it may use the application.

        The worker that has the connection finds that out for its own ones.
        """
        try:
            sid = _query(scope).get("sid", "")
            return self._server.has_entered(sid) or self._server.other_owner(sid) is not None
        except RequestRefused:
            return False

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Pass a request on to the worker that has its connection. Return False if that is this one."""
        neighbours = self._server.neighbours
        if neighbours is None or (owner := neighbours.owner(_query(scope).get("sid", ""))) is None:
            return False
        try:
            await neighbours.forward(owner, scope, receive, send)
        except UnknownWorkerError:
            raise RequestRefused(UNKNOWN_SID) from None
        return True

    async def _respond(self, scope: Scope, receive: Receive) -> _Response:
        self._check_origin(scope)
        method = scope["method"]
        if method == "OPTIONS":
            return _preflight(scope)
        connection = self._server.find(_query(scope), method=method)
        if connection is None:
            return self._open(scope)
        if method == "GET":
            return await _poll(connection, receive)
        if method == "POST":
            return await _post(connection, receive)
        raise RequestRefused(BAD_METHOD)

    def _check_origin(self, scope: Scope) -> None:
        self._server.check_origin(
            lambda name: _header(scope, name.encode()),
            from_proxy=peer_of(scope) in self._server.trusted,
            client=self._client(scope),
        )

    def _client(self, scope: Scope) -> str:
        return client_of(scope, self._server.trusted)

    def _open(self, scope: Scope) -> _Response:
        address = self._client(scope)
        self._server.make_room(address)
        connection, handshake = self._server.open(address)
        self._server.start(connection)
        return _Response(handshake)


def _cors(scope: Scope) -> _Headers:
    """Allow the page that asks to read the response. With credentials, browsers do not accept `*` for any page."""
    origin = _header(scope, b"origin")
    if origin is None:
        return _ANY_PAGE
    return (
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
    )


def _preflight(scope: Scope) -> _Response:
    wanted = _header(scope, b"access-control-request-headers") or "*, Authorization"
    headers = (
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-allow-headers", wanted.encode("latin-1")),
        (b"access-control-max-age", b"600"),
    )
    return _Response(b"", headers=headers)


async def _poll(connection: EngineConnection, receive: Receive) -> _Response:
    await receive()  # the request; the next message will be http.disconnect
    ready = asyncio.Event()
    if not connection.poll(ready.set):
        raise RequestRefused(BAD_REQUEST)
    if not ready.is_set():
        disconnected = asyncio.ensure_future(receive())
        disconnected.add_done_callback(lambda _: ready.set())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PROBE_POLL_TIMEOUT if connection.probing else None):
                await ready.wait()
        if disconnected.done() and not connection.on_websocket:
            connection.fail("transport closed")
        disconnected.cancel()
    return _Response(connection.take())


async def _post(connection: EngineConnection, receive: Receive) -> _Response:
    if connection.posting:
        connection.fail("two posts at once")
    if connection.ended:
        raise RequestRefused(BAD_REQUEST)
    connection.posting = True
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            body = await _body(receive, connection.max_payload)
        connection.taking = len(body)
        await _take(connection, body)
    except (BadPacket, TimeoutError) as bad:
        connection.fail(str(bad) or "a slow post")
        raise RequestRefused(BAD_REQUEST) from None
    finally:
        connection.posting, connection.taking = False, 0
    return _OK


async def _take(connection: EngineConnection, body: bytes) -> None:
    """Pass all packets of a POST to the connection, in slices. Wait while the connection is not read.

    Raises BadPacket or RequestRefused at the first packet that is invalid.
    """
    slice_ends = time.monotonic() + SLICE
    for packet in packets_of(body):
        if not connection.received(packet):
            raise RequestRefused(BAD_REQUEST)
        if connection.ended:
            return
        if not connection.reading:
            await _wait_until_reading(connection)
        elif time.monotonic() < slice_ends:
            continue
        else:
            await asyncio.sleep(0)
        slice_ends = time.monotonic() + SLICE


async def _wait_until_reading(connection: EngineConnection) -> None:
    reading = asyncio.Event()
    connection.call_when_reading(reading.set)
    await reading.wait()


async def _body(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadPacket("transport closed")
        body += message.get("body", b"")
        if len(body) > limit:
            raise BadPacket("the payload is too big")
        if not message.get("more_body", False):
            return bytes(body)


def _query(scope: Scope) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS
        )
    except ValueError:
        raise RequestRefused(BAD_REQUEST) from None
    return dict(reversed(pairs))


def _header(scope: Scope, wanted: bytes) -> str | None:
    """Return a header, or None. The values of a repeated header are joined by ", "."""
    found = [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
    return ", ".join(found) if found else None
