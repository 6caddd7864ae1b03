"""An RFC 6455 frame parser without I/O: bytes in, messages and control frames out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from veche.wire.fragments import (
    CONTROL_OPCODES,
    Header,
    PartialMessage,
    ProtocolError,
    apply_mask,
    read_control,
    read_header,
)
from veche.wire.frames import CONTINUATION, FINAL_TEXT, MAX_MESSAGE, TEXT, Close, Fault, Incoming

SLICE: Final = 32  # frames


class FrameReader:
    """Parses the frames of one connection.

    `feed` takes received bytes, split at any point, and returns what they complete: a text message as str, a binary
    message as bytes, a control frame as Ping, Pong or Close, and a protocol error as Fault. After a Close or a Fault
    the reader ignores all input. A message over `limit` bytes is refused as soon as its header arrives, before
    the payload is buffered (section 10.4).

    One call returns at most about SLICE frames, so that no input keeps the event loop for long. If the received bytes
    may hold more frames, `has_more` is True. Then call `feed(b"")` later, before more bytes are received.
    """

    __slots__ = ("_at_boundary", "_finished", "_message", "_pending", "has_more", "limit")

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self.limit = max_message
        self._pending = b""
        self._message: PartialMessage | None = None
        self._finished = False
        self._at_boundary = True
        self.has_more = False

    @property
    def held(self) -> int:
        """The number of bytes that wait for the rest of a message, or to be parsed."""
        return len(self._pending) + (0 if self._message is None else self._message.size)

    def feed(self, data: bytes) -> Sequence[Incoming]:
        size = len(data)
        if size > 5 and data[0] == FINAL_TEXT and self._at_boundary:
            # The fast path, for almost all input: exactly one complete, masked text frame.
            length = data[1] - 128
            start = 6
            if length == 126:
                length = data[2] << 8 | data[3]
                start = 8
            if size == start + length and length <= self.limit and data[1] != 255:
                try:
                    return (apply_mask(data[start:], data[start - 4 : start]).decode(),)
                except UnicodeDecodeError:
                    pass  # the slow path reports the error
        return self._read(data)

    def _read(self, data: bytes) -> Sequence[Incoming]:
        events: list[Incoming] = []
        if self._finished:
            return events
        try:
            self._pending = self._read_frames(self._pending + data, events)
        except UnicodeDecodeError:
            self._finish(events, Fault(1007, "not UTF-8"))
        except ProtocolError as broken:
            self._finish(events, Fault(broken.code, broken.reason))
        self._at_boundary = not self._pending and self._message is None and not self._finished
        return events

    def _read_frames(self, data: bytes, events: list[Incoming]) -> bytes:
        """Read up to SLICE frames, and set `has_more`. Returns the unread bytes."""
        at = 0
        self.has_more = False
        for _ in range(SLICE):
            message = self._message
            if message is not None and message.missing:
                at = message.feed(data, at)
                if message.missing:
                    return b""
                self._finish_frame(message, events)
            header = read_header(data, at)
            if header is None:
                return data[at:]
            opcode, _, length, start = header
            if opcode not in CONTROL_OPCODES:
                at = self._read_data_frame(header, data, events)
            elif start + length > len(data):
                return data[at:]
            else:
                at = start + length
                event = read_control(opcode, apply_mask(data[start:at], data[start - 4 : start]))
                if type(event) is Close:
                    self._finish(events, event)
                    return b""
                events.append(event)
        self.has_more = at < len(data)
        return data[at:]

    def _read_data_frame(self, header: Header, data: bytes, events: list[Incoming]) -> int:
        opcode, final, length, start = header
        mask = data[start - 4 : start]
        message = self._message
        if message is None:
            if opcode == CONTINUATION:
                raise ProtocolError(1002, "nothing to continue")
            if length > self.limit:
                raise ProtocolError(1009, "message too big")
            end = start + length
            if final and end <= len(data):
                payload = apply_mask(data[start:end], mask)
                events.append(payload.decode() if opcode == TEXT else payload)
                return end
            message = self._message = PartialMessage(opcode)
        elif opcode != CONTINUATION:
            raise ProtocolError(1002, "a message inside a message")
        message.begin_frame(final, length, mask, self.limit)
        if not length:
            self._finish_frame(message, events)
        return start

    def _finish_frame(self, message: PartialMessage, events: list[Incoming]) -> None:
        """Deliver the message if the completed frame is its last one."""
        if message.final:
            self._message = None
            events.append(message.decode())

    def _finish(self, events: list[Incoming], last: Close | Fault) -> None:
        self._finished = True
        self._pending = b""
        self._message = None
        self.has_more = False
        events.append(last)
