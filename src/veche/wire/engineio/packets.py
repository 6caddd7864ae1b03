"""Engine.IO 4 packets without I/O: decodes polling payloads, and frames packets for polling or for a WebSocket.

A packet is a str or, for a binary message, bytes. The first character of a str is the packet's type. In a polling
payload, 0x1e separates the packets. The functions here write 0x1e after each packet, so that framed packets can be
concatenated. `EngineConnection.take` removes the last 0x1e.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import Final

from veche.wire.frames import binary_frame, text_frame

OPEN: Final = "0"
CLOSE: Final = "1"
PING: Final = "2"
PONG: Final = "3"
MESSAGE: Final = "4"
UPGRADE: Final = "5"
NOOP: Final = "6"
PROBE: Final = "probe"

MAX_PAYLOAD: Final = 1_000_000
"""Limit of a POST body and of a WebSocket message, in bytes."""
MAX_POLL: Final = 16
"""Limit of the number of packets in the answer to one poll. The decoder of python-engineio refuses more."""

_TYPES: Final = b"0123456"
_SEPARATOR: Final = b"\x1e"

Packet = str | bytes


class BadPacket(Exception):
    """A client broke the protocol. The message is the reason."""


def packets_of(body: bytes) -> Iterator[Packet]:
    """Split the body of a POST into packets, one at a time. Raises BadPacket at the first one that is invalid."""
    start = 0
    while (end := body.find(_SEPARATOR, start)) >= 0:
        yield _decode(body[start:end])
        start = end + 1
    yield _decode(body[start:])


def _decode(part: bytes) -> Packet:
    kind = part[:1]
    if kind == b"b":
        try:
            return binascii.a2b_base64(part[1:], strict_mode=True)
        except ValueError:
            raise BadPacket("not base64") from None
    if not kind or kind not in _TYPES:
        raise BadPacket("an unknown packet type")
    try:
        return part.decode()
    except UnicodeDecodeError:
        raise BadPacket("not UTF-8") from None


def poll_frame(payload: bytes) -> bytes:
    """Frame a text packet for polling. `payload` includes the packet type."""
    return payload + _SEPARATOR


def poll_binary(data: bytes) -> bytes:
    """Frame a binary message for polling."""
    return b"b" + binascii.b2a_base64(data, newline=False) + _SEPARATOR


def split_packets(chunk: bytes, count: int) -> tuple[bytes, bytes]:
    """Split packets that are framed for polling into the first `count` packets and the rest."""
    rest = chunk.split(_SEPARATOR, count)[-1]
    return chunk[: len(chunk) - len(rest)], rest


def number_of_packets(chunk: bytes) -> int:
    """Return the number of packets in `chunk`, which are framed for polling."""
    return chunk.count(_SEPARATOR)


def to_websocket(chunk: bytes) -> bytes:
    """Convert packets that are framed for polling to WebSocket frames."""
    return b"".join(map(_reframe, chunk[:-1].split(_SEPARATOR))) if chunk else b""


def _reframe(part: bytes) -> bytes:
    return binary_frame(binascii.a2b_base64(part[1:])) if part[:1] == b"b" else text_frame(part)
