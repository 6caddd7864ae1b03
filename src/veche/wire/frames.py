"""RFC 6455 frames without I/O: constants, the values that `wire.reader` returns, and functions that build frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Final

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

MAX_MESSAGE: Final = 65_536
MAX_CONTROL: Final = 125

FINAL: Final = 0x80
FINAL_TEXT: Final = FINAL | TEXT


@dataclass(frozen=True, slots=True)
class Ping:
    """A ping frame. The answer is a pong with the same payload of up to 125 bytes."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """A pong frame. A client may also send one without a ping (section 5.5.3)."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The client's close frame. `code` is None if the frame has no payload."""

    code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Fault:
    """The client broke the protocol. The server must fail the connection with this close code (section 7.1.7)."""

    code: int
    reason: str


Incoming = str | bytes | Ping | Pong | Close | Fault


# Frames to send. A server never masks frames (section 5.1).

_SHORT_TEXT: Final = tuple(bytes((FINAL_TEXT, size)) for size in range(126))
_medium: Final[Callable[[int, int, int], bytes]] = Struct("!BBH").pack
_long: Final[Callable[[int, int, int], bytes]] = Struct("!BBQ").pack


def text_frame(payload: bytes) -> bytes:
    """Build one unfragmented text message. `payload` must be UTF-8."""
    size = len(payload)
    if size < 126:
        return _SHORT_TEXT[size] + payload
    if size < 65_536:
        return _medium(FINAL_TEXT, 126, size) + payload
    return _long(FINAL_TEXT, 127, size) + payload


def binary_frame(payload: bytes) -> bytes:
    """Build one unfragmented binary message."""
    size = len(payload)
    first = FINAL | BINARY
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return _medium(first, 126, size) + payload
    return _long(first, 127, size) + payload


def ping_frame(payload: bytes = b"") -> bytes:
    """Build a ping frame. Raises ValueError if the payload is over 125 bytes."""
    return _control_frame(PING, payload)


def pong_frame(payload: bytes = b"") -> bytes:
    """Build a pong frame. Raises ValueError if the payload is over 125 bytes."""
    return _control_frame(PONG, payload)


def close_frame(code: int | None = None, reason: str = "") -> bytes:
    """Build a close frame. A reason over 123 bytes is cut at a character boundary."""
    if code is None:
        return _control_frame(CLOSE, b"")
    text = reason.encode()
    if len(text) > MAX_CONTROL - 2:
        text = text[: MAX_CONTROL - 2].decode(errors="ignore").encode()
    return _control_frame(CLOSE, code.to_bytes(2, "big") + text)


def _control_frame(opcode: int, payload: bytes) -> bytes:
    if len(payload) > MAX_CONTROL:
        raise ValueError(f"A control frame holds at most {MAX_CONTROL} bytes, not {len(payload)} (section 5.5).")
    return bytes((FINAL | opcode, len(payload))) + payload
