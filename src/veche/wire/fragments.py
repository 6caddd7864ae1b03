"""Parts of the frame parser: frame headers, control frames and partly received messages (RFC 6455, section 5)."""

from __future__ import annotations

import codecs
from typing import Final

from veche.wire.frames import BINARY, CLOSE, CONTINUATION, FINAL, MAX_CONTROL, PING, PONG, TEXT, Close, Ping, Pong

try:
    from websockets.speedups import apply_mask as apply_mask
except ImportError:  # websockets has no compiled extension for this platform
    from websockets.utils import apply_mask as apply_mask

MAX_FRAGMENTS: Final = 1_024
CONTROL_OPCODES: Final = frozenset((CLOSE, PING, PONG))

_DATA: Final = frozenset((CONTINUATION, TEXT, BINARY))
_Utf8: Final = codecs.getincrementaldecoder("utf-8")

Header = tuple[int, bool, int, int]
"""(opcode, final, payload length in bytes, index at which the payload starts)"""


class ProtocolError(Exception):
    """The client broke the protocol. `code` is the close code to send."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason


class PartialMessage:
    """A message that has not arrived completely: some of its fragments, or a part of one frame (section 5.4).

    `final` says whether the current frame is the last one. `missing` is the number of payload bytes that the current
    frame still lacks.
    """

    __slots__ = ("_body", "_fragments", "_mask", "_text", "final", "missing")

    def __init__(self, opcode: int) -> None:
        self._body = bytearray()
        self._text = _Utf8() if opcode == TEXT else None
        self._mask = b""
        self._fragments = 0
        self.final = False
        self.missing = 0

    @property
    def size(self) -> int:
        """The number of bytes received so far."""
        return len(self._body)

    def begin_frame(self, final: bool, length: int, mask: bytes, limit: int) -> None:
        self._fragments += 1
        if len(self._body) + length > limit or self._fragments > MAX_FRAGMENTS:
            raise ProtocolError(1009, "message too big")
        self.final = final
        self.missing = length
        self._mask = mask

    def feed(self, data: bytes, at: int) -> int:
        """Add the payload bytes that have arrived. Returns the index in `data` at which the next frame starts."""
        masked = data[at : at + self.missing]
        payload = apply_mask(masked, self._mask)
        # The next bytes continue in the middle of the 4-byte mask.
        offset = len(masked) & 3
        self._mask = self._mask[offset:] + self._mask[:offset]
        self.missing -= len(masked)
        self._body += payload
        if self._text is not None:
            # Validate now: invalid UTF-8 must fail the connection before the message is complete (section 8.1).
            self._text.decode(payload)
        return at + len(masked)

    def decode(self) -> str | bytes:
        if self._text is None:
            return bytes(self._body)
        self._text.decode(b"", True)
        return self._body.decode()


def read_header(data: bytes, at: int) -> Header | None:
    """Read the frame header at index `at` (section 5.2). Returns None if the header is incomplete."""
    available = len(data) - at
    if available < 2:
        return None
    first, second = data[at], data[at + 1]
    opcode, final, length = first & 0x0F, first >= FINAL, second & 0x7F
    _check(first, opcode, final, masked=second >= 128, length=length)
    extended = 0 if length < 126 else 2 if length == 126 else 8
    if available < 6 + extended:
        return None
    start = at + 2 + extended
    if extended:
        length = int.from_bytes(data[at + 2 : start], "big")
    return opcode, final, length, start + 4


def _check(first: int, opcode: int, final: bool, masked: bool, length: int) -> None:
    if first & 0x70:
        raise ProtocolError(1002, "reserved bits are set")
    if not masked:
        raise ProtocolError(1002, "frames of a client must be masked")
    if opcode in CONTROL_OPCODES:
        if not final or length > MAX_CONTROL:
            raise ProtocolError(1002, "a control frame is fragmented or too long")
    elif opcode not in _DATA:
        raise ProtocolError(1002, "unknown opcode")


def read_control(opcode: int, payload: bytes) -> Ping | Pong | Close:
    """Parse the unmasked payload of a control frame (section 5.5)."""
    if opcode == PING:
        return Ping(payload)
    if opcode == PONG:
        return Pong(payload)
    if not payload:
        return Close(None, "")
    if len(payload) == 1:
        raise ProtocolError(1002, "a close code has two bytes")
    code = int.from_bytes(payload[:2], "big")
    if not _is_valid_close_code(code):
        raise ProtocolError(1002, "this close code may not be sent")
    return Close(code, payload[2:].decode())


def _is_valid_close_code(code: int) -> bool:
    """Check a code against section 7.4, plus 1012 to 1014, which IANA registered later."""
    return 3000 <= code < 5000 or 1000 <= code <= 1003 or 1007 <= code <= 1014
