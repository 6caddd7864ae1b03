"""The opening handshake without I/O: parses a request head, builds the response (RFC 6455, section 4.2)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

from veche.wire.origins import Origins
from veche.wire.proxy import Trusted, client_address

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MAX_QUERY_FIELDS = 64


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A valid request to open a WebSocket."""

    path: str
    """Percent-decoded."""
    query: dict[str, str] = field(repr=False)
    """The first value of each name. A value may be a credential, so never log the query."""
    headers: dict[str, str] = field(repr=False)
    """Names are in lower case. The values of a repeated header are joined by ", "."""
    client: str
    """The client's address, as trusted proxies report it. Empty on a Unix socket."""
    from_proxy: bool = False
    """Whether the peer is a trusted proxy, so that its X-Forwarded headers count."""
    subprotocols: tuple[str, ...] = field(default=(), repr=False)
    """The offered subprotocols, in the client's order of preference."""
    head: bytes = field(default=b"", repr=False)
    """The request as it came."""
    transport: asyncio.BaseTransport | None = field(default=None, repr=False)
    """The connection, for a process that passes it on to another one."""


class UpgradeRefused(Exception):
    """Raised to refuse an upgrade with this HTTP response."""

    def __init__(self, status: int, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers


class UpgradeMoved(UpgradeRefused):
    """Raised if another process of this machine has taken over the connection, and answers. Here nothing is sent."""

    def __init__(self) -> None:
        super().__init__(101)


def read_upgrade(head: bytes, peer: str, trusted: Trusted, transport: asyncio.BaseTransport | None = None) -> Upgrade:
    """Parse a request head. Raises UpgradeRefused if it is not a valid upgrade."""
    request, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = request.partition(" ")
    target, _, _ = rest.rpartition(" ")
    headers = _read_headers(lines)
    _check(method, headers)
    path, _, query = target.partition("?")
    return Upgrade(
        path=unquote(path),
        query=_read_query(query),
        headers=headers,
        client=client_address(peer, headers.get("x-forwarded-for"), trusted),
        from_proxy=peer in trusted,
        subprotocols=tuple(_tokens(headers.get("sec-websocket-protocol", ""))),
        head=head,
        transport=transport,
    )


def accept_response(upgrade: Upgrade, subprotocol: str | None = None) -> bytes:
    """Build the 101 response (section 4.2.2). Raises ValueError if the client did not offer `subprotocol`."""
    if subprotocol is not None and subprotocol not in upgrade.subprotocols:
        raise ValueError(f"The subprotocol {subprotocol!r} was not offered.")
    digest = hashlib.sha1(upgrade.headers["sec-websocket-key"].encode() + _GUID, usedforsecurity=False).digest()
    headers = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", base64.b64encode(digest).decode()),
    ]
    if subprotocol is not None:
        headers.append(("Sec-WebSocket-Protocol", subprotocol))
    return _response(101, headers)


def refusal_response(refused: UpgradeRefused) -> bytes:
    """Build the response that refuses an upgrade. A body without a Content-Type header is sent as JSON."""
    if isinstance(refused, UpgradeMoved):
        return b""
    headers = list(refused.headers)
    if refused.body and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    headers += [("Content-Length", str(len(refused.body))), ("Connection", "close")]
    return _response(refused.status, headers) + refused.body


def check_origin(upgrade: Upgrade, origins: Origins) -> None:
    """Raise UpgradeRefused if the request comes from a page whose origin is not allowed (section 10.2)."""
    if not origins.allow(upgrade.headers.get, from_proxy=upgrade.from_proxy, client=upgrade.client):
        raise UpgradeRefused(403)


def _check(method: str, headers: dict[str, str]) -> None:
    if method != "GET":
        raise UpgradeRefused(405, headers=(("Allow", "GET"),))
    if headers.get("sec-websocket-version") != "13":
        raise UpgradeRefused(426, headers=(("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket")))
    try:
        key = binascii.a2b_base64(headers.get("sec-websocket-key", ""), strict_mode=True)
    except ValueError:
        raise UpgradeRefused(400) from None
    if len(key) != 16:
        raise UpgradeRefused(400)


def _read_headers(lines: Iterable[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            continue
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _read_query(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        raise UpgradeRefused(400) from None
    first: dict[str, str] = {}
    for name, value in pairs:
        first.setdefault(name, value)
    return first


def _tokens(listed: str) -> list[str]:
    return [token.strip() for token in listed.split(",") if token.strip()]


def _response(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
