"""RFC 6455 frames without I/O: what arrives, as values, and payloads to frames. `wire.reader` reads."""

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
    """Asks for a pong with the same payload, up to 125 bytes."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """Answers a ping, or nobody."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The peer's close frame; `code` is None when it carried none."""

    code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Fault:
    """The peer broke the protocol: the connection is to be failed with this code (section 7.1.7)."""

    code: int
    reason: str


Event = str | bytes | Ping | Pong | Close | Fault


# Writing: server frames are never masked (section 5.1).

_SHORT_TEXT: Final = tuple(bytes((FINAL_TEXT, size)) for size in range(126))
_medium: Final[Callable[[int, int, int], bytes]] = Struct("!BBH").pack
_long: Final[Callable[[int, int, int], bytes]] = Struct("!BBQ").pack


def text_frame(payload: bytes) -> bytes:
    """A whole text message; the payload is UTF-8."""
    size = len(payload)
    if size < 126:
        return _SHORT_TEXT[size] + payload
    if size < 65_536:
        return _medium(FINAL_TEXT, 126, size) + payload
    return _long(FINAL_TEXT, 127, size) + payload


def binary_frame(payload: bytes) -> bytes:
    """A whole binary message."""
    size = len(payload)
    first = FINAL | BINARY
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return _medium(first, 126, size) + payload
    return _long(first, 127, size) + payload


def ping_frame(payload: bytes = b"") -> bytes:
    """A ping; raises ValueError above 125 bytes."""
    return _control_frame(PING, payload)


def pong_frame(payload: bytes = b"") -> bytes:
    """A pong; raises ValueError above 125 bytes."""
    return _control_frame(PONG, payload)


def close_frame(code: int | None = None, reason: str = "") -> bytes:
    """A close frame; a reason too long for a control frame is cut at a character."""
    if code is None:
        return _control_frame(CLOSE, b"")
    words = reason.encode()
    if len(words) > MAX_CONTROL - 2:
        words = words[: MAX_CONTROL - 2].decode(errors="ignore").encode()
    return _control_frame(CLOSE, code.to_bytes(2, "big") + words)


def _control_frame(opcode: int, payload: bytes) -> bytes:
    if len(payload) > MAX_CONTROL:
        raise ValueError(f"A control frame holds {MAX_CONTROL} bytes at most, not {len(payload)} (section 5.5).")
    return bytes((FINAL | opcode, len(payload))) + payload
