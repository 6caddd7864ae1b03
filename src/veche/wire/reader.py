"""Reads WebSocket frames without I/O: bytes in, events out. Nearly every message takes `feed`'s first branch."""

from __future__ import annotations

from collections.abc import Sequence

from veche.wire.fragments import CONTROL_OPCODES, BrokenFrame, Header, Unfinished, apply_mask, read_control, read_header
from veche.wire.frames import CONTINUATION, FINAL_TEXT, MAX_MESSAGE, TEXT, Close, Event, Fault


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
        self._message: Unfinished | None = None
        self._ended = False
        self._idle = True

    def feed(self, data: bytes) -> Sequence[Event]:
        size = len(data)
        if size > 5 and data[0] == FINAL_TEXT and self._idle:
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
        except BrokenFrame as broken:
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
            header = read_header(data, at)
            if header is None:
                return data[at:]
            opcode, _, length, start = header
            if opcode not in CONTROL_OPCODES:
                at = self._data_frame(header, data, events)
            elif start + length > len(data):
                return data[at:]
            else:
                at = start + length
                event = read_control(opcode, apply_mask(data[start:at], data[start - 4 : start]))
                if type(event) is Close:
                    self._end(events, event)
                    return b""
                events.append(event)

    def _data_frame(self, header: Header, data: bytes, events: list[Event]) -> int:
        opcode, final, length, start = header
        mask = data[start - 4 : start]
        message = self._message
        if message is None:
            if opcode == CONTINUATION:
                raise BrokenFrame(1002, "nothing to continue")
            if length > self._limit:
                raise BrokenFrame(1009, "message too big")
            end = start + length
            if final and end <= len(data):
                payload = apply_mask(data[start:end], mask)
                events.append(payload.decode() if opcode == TEXT else payload)
                return end
            message = self._message = Unfinished(opcode)
        elif opcode != CONTINUATION:
            raise BrokenFrame(1002, "a message inside a message")
        message.begin(final, length, mask, self._limit)
        if not length:
            self._settle(message, events)
        return start

    def _settle(self, message: Unfinished, events: list[Event]) -> None:
        """The payload of a frame is complete, and with the last one the message."""
        if message.final:
            self._message = None
            events.append(message.finish())

    def _end(self, events: list[Event], last: Close | Fault) -> None:
        self._ended = True
        self._rest = b""
        self._message = None
        events.append(last)
