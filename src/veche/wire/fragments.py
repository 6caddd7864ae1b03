"""The careful way to read frames: headers, control frames, and messages that come in pieces (RFC 6455, section 5)."""

from __future__ import annotations

import codecs
from typing import Final

from veche.wire.frames import BINARY, CLOSE, CONTINUATION, FINAL, MAX_CONTROL, PING, PONG, TEXT, Close, Ping, Pong

try:
    from websockets.speedups import apply_mask as apply_mask
except ImportError:  # no compiled extension for this platform: the same function in Python
    from websockets.utils import apply_mask as apply_mask

MAX_FRAGMENTS: Final = 1_024
CONTROL_OPCODES: Final = frozenset((CLOSE, PING, PONG))

_DATA: Final = frozenset((CONTINUATION, TEXT, BINARY))
_Utf8: Final = codecs.getincrementaldecoder("utf-8")

Header = tuple[int, bool, int, int]


class BrokenFrame(Exception):
    """The peer broke the protocol; `code` is what its connection is failed with."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason


class Unfinished:
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
            raise BrokenFrame(1009, "message too big")
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


def read_header(data: bytes, at: int) -> Header | None:
    """(opcode, final, payload length, where the payload starts), or None while it is not whole (section 5.2)."""
    there = len(data) - at
    if there < 2:
        return None
    first, second = data[at], data[at + 1]
    opcode, final, length = first & 0x0F, first >= FINAL, second & 0x7F
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
        raise BrokenFrame(1002, "reserved bits are set")
    if not masked:
        raise BrokenFrame(1002, "frames of a client must be masked")
    if opcode in CONTROL_OPCODES:
        if not final or length > MAX_CONTROL:
            raise BrokenFrame(1002, "a control frame is fragmented or too long")
    elif opcode not in _DATA:
        raise BrokenFrame(1002, "unknown opcode")


def read_control(opcode: int, payload: bytes) -> Ping | Pong | Close:
    """Read the payload of a control frame (section 5.5)."""
    if opcode == PING:
        return Ping(payload)
    if opcode == PONG:
        return Pong(payload)
    if not payload:
        return Close(None, "")
    if len(payload) == 1:
        raise BrokenFrame(1002, "a close code has two bytes")
    code = int.from_bytes(payload[:2], "big")
    if not _may_be_sent(code):
        raise BrokenFrame(1002, "this close code may not be sent")
    return Close(code, payload[2:].decode())


def _may_be_sent(code: int) -> bool:
    """Section 7.4, and 1012 to 1014 as IANA registered them later."""
    return 3000 <= code < 5000 or 1000 <= code <= 1003 or 1007 <= code <= 1014
