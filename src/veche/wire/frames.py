"""RFC 6455 frames without I/O: bytes in, events out; payloads in, frames out."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final

try:
    from websockets.speedups import apply_mask
except ImportError:  # no compiled extension for this platform: the same function in Python
    from websockets.utils import apply_mask

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

MAX_MESSAGE: Final = 65_536
MAX_FRAGMENTS: Final = 1_024
MAX_CONTROL: Final = 125

_FINAL: Final = 0x80
_FINAL_TEXT: Final = _FINAL | TEXT
_DATA: Final = frozenset((CONTINUATION, TEXT, BINARY))
_CONTROL: Final = frozenset((CLOSE, PING, PONG))

_Utf8: Final = codecs.getincrementaldecoder("utf-8")
_Header = tuple[int, bool, int, int]


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

_SHORT_TEXT: Final = tuple(bytes((_FINAL_TEXT, size)) for size in range(126))
_medium: Final[Callable[[int, int, int], bytes]] = Struct("!BBH").pack
_long: Final[Callable[[int, int, int], bytes]] = Struct("!BBQ").pack


def text_frame(payload: bytes) -> bytes:
    """A whole text message; the payload is UTF-8."""
    size = len(payload)
    if size < 126:
        return _SHORT_TEXT[size] + payload
    if size < 65_536:
        return _medium(_FINAL_TEXT, 126, size) + payload
    return _long(_FINAL_TEXT, 127, size) + payload


def binary_frame(payload: bytes) -> bytes:
    """A whole binary message."""
    size = len(payload)
    first = _FINAL | BINARY
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
    return bytes((_FINAL | opcode, len(payload))) + payload


# Reading.


class FrameReader:
    """Reads the frames of one client, however its bytes are cut.

    `feed` takes what arrived and returns the events that it completes: text as str, binary as bytes, control frames as
    values. Nothing is read after a Close or a Fault. Sizes are judged by the header, before the payload is kept
    (section 10.4).
    """

    __slots__ = ("_ended", "_idle", "_limit", "_message", "_rest")

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self._limit = max_message
        self._rest = b""
        self._message: _Unfinished | None = None
        self._ended = False
        self._idle = True

    def feed(self, data: bytes) -> Sequence[Event]:
        size = len(data)
        if size > 5 and data[0] == _FINAL_TEXT and self._idle:
            # Nearly always: exactly one whole masked text frame.
            length = data[1] - 128
            start = 6
            if length == 126:
                length = data[2] << 8 | data[3]
                start = 8
            if size == start + length and length <= self._limit and data[1] != 255:
                try:
                    return (apply_mask(data[start:], data[start - 4 : start]).decode(),)
                except UnicodeDecodeError:
                    pass  # the careful way answers it
        return self._read(data)

    def _read(self, data: bytes) -> Sequence[Event]:
        events: list[Event] = []
        if self._ended:
            return events
        try:
            self._rest = self._frames(self._rest + data, events)
        except UnicodeDecodeError:
            self._end(events, Fault(1007, "not UTF-8"))
        except _Broken as broken:
            self._end(events, Fault(broken.code, broken.reason))
        self._idle = not self._rest and self._message is None and not self._ended
        return events

    def _frames(self, data: bytes, events: list[Event]) -> bytes:
        """Read all frames; return the beginning of one whose header, or whose control payload, is not whole."""
        at = 0
        while True:
            message = self._message
            if message is not None and message.left:
                at = message.take(data, at)
                if message.left:
                    return b""
                self._settle(message, events)
            header = _header(data, at)
            if header is None:
                return data[at:]
            opcode, _, length, start = header
            if opcode not in _CONTROL:
                at = self._data_frame(header, data, events)
            elif start + length > len(data):
                return data[at:]
            else:
                at = start + length
                event = _control(opcode, apply_mask(data[start:at], data[start - 4 : start]))
                if type(event) is Close:
                    self._end(events, event)
                    return b""
                events.append(event)

    def _data_frame(self, header: _Header, data: bytes, events: list[Event]) -> int:
        opcode, final, length, start = header
        mask = data[start - 4 : start]
        message = self._message
        if message is None:
            if opcode == CONTINUATION:
                raise _Broken(1002, "nothing to continue")
            if length > self._limit:
                raise _Broken(1009, "message too big")
            end = start + length
            if final and end <= len(data):
                payload = apply_mask(data[start:end], mask)
                events.append(payload.decode() if opcode == TEXT else payload)
                return end
            message = self._message = _Unfinished(opcode)
        elif opcode != CONTINUATION:
            raise _Broken(1002, "a message inside a message")
        message.begin(final, length, mask, self._limit)
        if not length:
            self._settle(message, events)
        return start

    def _settle(self, message: _Unfinished, events: list[Event]) -> None:
        """The payload of a frame is complete, and with the last one the message."""
        if message.final:
            self._message = None
            events.append(message.finish())

    def _end(self, events: list[Event], last: Close | Fault) -> None:
        self._ended = True
        self._rest = b""
        self._message = None
        events.append(last)


class _Broken(Exception):
    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason


class _Unfinished:
    """A message whose end has not come: fragments, or one frame in pieces (section 5.4)."""

    __slots__ = ("_body", "_fragments", "_mask", "_text", "final", "left")

    def __init__(self, opcode: int) -> None:
        self._body = bytearray()
        self._text = _Utf8() if opcode == TEXT else None
        self._mask = b""
        self._fragments = 0
        self.final = False
        self.left = 0

    def begin(self, final: bool, length: int, mask: bytes, limit: int) -> None:
        self._fragments += 1
        if len(self._body) + length > limit or self._fragments > MAX_FRAGMENTS:
            raise _Broken(1009, "message too big")
        self.final = final
        self.left = length
        self._mask = mask

    def take(self, data: bytes, at: int) -> int:
        """Take what is there of the frame's payload; return where the next frame begins."""
        piece = data[at : at + self.left]
        plain = apply_mask(piece, self._mask)
        turn = len(piece) & 3
        self._mask = self._mask[turn:] + self._mask[:turn]
        self.left -= len(piece)
        self._body += plain
        if self._text is not None:
            # Validated piece by piece, so that rubbish is refused before its end is awaited (section 8.1).
            self._text.decode(plain)
        return at + len(piece)

    def finish(self) -> str | bytes:
        if self._text is None:
            return bytes(self._body)
        self._text.decode(b"", True)
        return self._body.decode()


def _header(data: bytes, at: int) -> _Header | None:
    """(opcode, final, payload length, where the payload starts), or None while it is not whole (section 5.2)."""
    there = len(data) - at
    if there < 2:
        return None
    first, second = data[at], data[at + 1]
    opcode, final, length = first & 0x0F, first >= _FINAL, second & 0x7F
    _check(first, opcode, final, masked=second >= 128, length=length)
    wide = 0 if length < 126 else 2 if length == 126 else 8
    if there < 6 + wide:
        return None
    start = at + 2 + wide
    if wide:
        length = int.from_bytes(data[at + 2 : start], "big")
    return opcode, final, length, start + 4


def _check(first: int, opcode: int, final: bool, masked: bool, length: int) -> None:
    if first & 0x70:
        raise _Broken(1002, "reserved bits are set")
    if not masked:
        raise _Broken(1002, "frames of a client must be masked")
    if opcode in _CONTROL:
        if not final or length > MAX_CONTROL:
            raise _Broken(1002, "a control frame is fragmented or too long")
    elif opcode not in _DATA:
        raise _Broken(1002, "unknown opcode")


def _control(opcode: int, payload: bytes) -> Ping | Pong | Close:
    if opcode == PING:
        return Ping(payload)
    if opcode == PONG:
        return Pong(payload)
    if not payload:
        return Close(None, "")
    if len(payload) == 1:
        raise _Broken(1002, "a close code has two bytes")
    code = int.from_bytes(payload[:2], "big")
    if not _may_be_sent(code):
        raise _Broken(1002, "this close code may not be sent")
    return Close(code, payload[2:].decode())


def _may_be_sent(code: int) -> bool:
    """Section 7.4, and 1012 to 1014 as IANA registered them later."""
    return 3000 <= code < 5000 or 1000 <= code <= 1003 or 1007 <= code <= 1014
