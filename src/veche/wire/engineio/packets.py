"""Engine.IO 4 packets without I/O: texts and payloads of polling in, packets out; messages in, framed bytes out.

A packet is a str, whose first character is its type, or the bytes of a binary message. A polling payload is packets
joined by 0x1e; here each packet is followed by one, so that chunks can be joined as they come, and the last is cut off.
"""

from __future__ import annotations

import binascii
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
"""Bytes of a POST, or of a WebSocket message."""
MAX_PACKETS: Final = 4_096
"""Packets of a POST."""

_TYPES: Final = frozenset("0123456")
_SEPARATOR: Final = b"\x1e"

Packet = str | bytes


class BadPacket(Exception):
    """What arrived breaks the protocol; the message says how."""


def decode_payload(body: bytes) -> list[Packet]:
    """Take a POST apart; the limits are judged before it is copied. Raises BadPacket."""
    if len(body) > MAX_PAYLOAD:
        raise BadPacket("the payload is too big")
    if body.count(_SEPARATOR) >= MAX_PACKETS:
        raise BadPacket("too many packets in a payload")
    try:
        return [_decode(part) for part in body.decode().split("\x1e")]
    except UnicodeDecodeError:
        raise BadPacket("not UTF-8") from None


def _decode(part: str) -> Packet:
    if part[:1] in _TYPES:
        return part
    if part[:1] != "b":
        raise BadPacket("an unknown type of packet")
    try:
        return binascii.a2b_base64(part[1:], strict_mode=True)
    except ValueError:
        raise BadPacket("not base64") from None


def poll_frame(payload: bytes) -> bytes:
    """Frame a text packet, its type included, for the outbox of polling."""
    return payload + _SEPARATOR


def poll_binary(data: bytes) -> bytes:
    """Frame a binary message for the outbox of polling."""
    return b"b" + binascii.b2a_base64(data, newline=False) + _SEPARATOR


def to_websocket(chunk: bytes) -> bytes:
    """Frame anew for a WebSocket what was framed for polling."""
    return b"".join(map(_reframe, chunk[:-1].split(_SEPARATOR))) if chunk else b""


def _reframe(part: bytes) -> bytes:
    return binary_frame(binascii.a2b_base64(part[1:])) if part[:1] == b"b" else text_frame(part)
