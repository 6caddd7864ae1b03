"""HTTP long polling as an ASGI application: a GET waits until there are packets, a POST brings some.

No task but that of a request, and while a poll waits one that notices when its client goes away. CORS is answered here,
on errors too: any page may ask, and an origin that is not allowed hears 403.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from veche.wire.engineio.packets import MAX_PAYLOAD, BadPacket, decode_payload
from veche.wire.engineio.server import BAD_METHOD, BAD_REQUEST, Refusal, Server
from veche.wire.engineio.session import Session
from veche.wire.proxy import client_address

BODY_WITHIN: Final = 15.0
"""Seconds that a POST may take to arrive."""
NOOP_AFTER: Final = 0.1
"""Seconds that a poll waits during a probe: short, since the upgrade waits for it, but a probe may hang."""
_MAX_QUERY_FIELDS: Final = 64

_COMMON: Final = (
    (b"access-control-allow-origin", b"*"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    type: bytes = b"text/plain; charset=UTF-8"
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send(self, send: Send) -> None:
        own = ((b"content-type", self.type), (b"content-length", str(len(self.body)).encode()))
        headers = [*own, *_COMMON, *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


_OK: Final = _Answer(b"ok", b"text/html")
_PREFLIGHT: Final = _Answer(
    b"",
    headers=(
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-allow-headers", b"*, Authorization"),
        (b"access-control-max-age", b"600"),
    ),
)


class Polling:
    """Answers HTTP at whatever path it is mounted. Bodies of up to 1,000,000 bytes have to reach it."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except Refusal as refusal:
            # A body that nobody reads is cut off with its connection.
            hang_up = ((b"connection", b"close"),) if scope["method"] != "GET" else ()
            answer = _Answer(refusal.answer.body, b"application/json", refusal.answer.status, hang_up)
        await answer.send(send)

    async def _answer(self, scope: Scope, receive: Receive) -> _Answer:
        self._server.check_origin(_header(scope, b"origin"))
        method = scope["method"]
        if method == "OPTIONS":
            return _PREFLIGHT
        session = self._server.find(_query(scope), method=method)
        if session is None:
            return self._open(scope)
        if method == "GET":
            return await _poll(session, receive)
        if method == "POST":
            return await _post(session, receive)
        raise Refusal(BAD_METHOD)

    def _open(self, scope: Scope) -> _Answer:
        peer = scope["client"][0] if scope.get("client") else ""
        client = client_address(peer, _header(scope, b"x-forwarded-for"), self._server.trusted)
        session, handshake = self._server.open(client)
        self._server.start(session)
        return _Answer(handshake)


async def _poll(session: Session, receive: Receive) -> _Answer:
    await receive()  # the request itself; what comes next is that the client is gone
    ready = asyncio.Event()
    if not session.poll(ready.set):
        raise Refusal(BAD_REQUEST)
    if not ready.is_set():
        gone = asyncio.ensure_future(receive())
        gone.add_done_callback(lambda _: ready.set())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(NOOP_AFTER if session.probed else None):
                await ready.wait()
        if gone.done() and not session.on_websocket:
            session.fail("transport closed")
        gone.cancel()
    return _Answer(session.take())


async def _post(session: Session, receive: Receive) -> _Answer:
    if session.posting:
        session.fail("two posts at once")
    if session.ended:
        raise Refusal(BAD_REQUEST)
    session.posting = True
    try:
        async with asyncio.timeout(BODY_WITHIN):
            packets = decode_payload(await _body(receive))
        for packet in packets:
            if not session.received(packet):
                raise Refusal(BAD_REQUEST)
        await _room(session)
    except (BadPacket, TimeoutError) as bad:
        session.fail(str(bad) or "a slow post")
        raise Refusal(BAD_REQUEST) from None
    finally:
        session.posting = False
    return _OK


async def _room(session: Session) -> None:
    if not (session.reading or session.on_websocket):
        room = asyncio.Event()
        session.wait_for_room(room.set)
        await room.wait()


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadPacket("transport closed")
        body += message.get("body", b"")
        if len(body) > MAX_PAYLOAD:
            raise BadPacket("the payload is too big")
        if not message.get("more_body", False):
            return bytes(body)


def _query(scope: Scope) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS
        )
    except ValueError:
        raise Refusal(BAD_REQUEST) from None
    return dict(reversed(pairs))


def _header(scope: Scope, wanted: bytes) -> str | None:
    """A header; one that is repeated counts as one list."""
    found = [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
    return ", ".join(found) if found else None
