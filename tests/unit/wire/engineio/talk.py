"""Transcripts of a connection: lines with `<<` are sent to the client, other lines are callbacks."""

from __future__ import annotations

from veche.wire.engineio.connection import EngineConnection
from veche.wire.engineio.packets import BadPacket
from veche.wire.frames import FINAL, TEXT


class FakeWebSocket:
    """A fake WebSocket, which records what is written to it. A write over `pausing_at` bytes pauses the connection."""

    upgrade = None

    def __init__(self, lines: list[str], pausing_at: int | None = None) -> None:
        self.lines = lines
        self.transcript: Transcript
        self.pausing_at = pausing_at
        self.write = self._write
        self.reading = True

    def _write(self, data: bytes) -> None:
        if self.pausing_at is not None and len(data) > self.pausing_at:
            self.transcript.connection.pause()
        at = 0
        while at < len(data):
            size, start = data[at + 1], at + 2
            if size > 125:
                width = 2 if size == 126 else 8
                size, start = int.from_bytes(data[start : start + width], "big"), start + width
            body = data[start : start + size]
            is_text = data[at] == FINAL | TEXT
            self.lines.append(f"ws<< {shortened(body.decode())}" if is_text else f"ws<< {body!r}")
            at = start + size

    def send(self, payload: bytes) -> None:
        raise AssertionError("a connection writes frames")

    def close(self, code: int | None = None, reason: str = "") -> None:
        self.lines.append("ws<< close")

    def abort(self) -> None:
        self.lines.append("ws<< abort")

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def limit_messages(self, size: int) -> None:
        self.max_message = size


def shortened(text: str) -> str:
    return text if len(text) < 60 else f"{text[:4]}... {len(text)}"


class Transcript:
    """One connection with fake owner, application and transports. Its methods return the lines since the last call."""

    def __init__(self, *, websocket: bool = False, pausing_at: int | None = None) -> None:
        self.lines: list[str] = []
        self.websocket = FakeWebSocket(self.lines, pausing_at)
        self.websocket.transcript = self
        self.connection = EngineConnection(self, "SID", "127.0.0.1", self.websocket if websocket else None)
        self.connection.application = self

    def new_lines(self) -> list[str]:
        lines, self.lines[:] = self.lines[:], []
        return lines

    # What the client and the transports do.

    def receives(self, *packets: str | bytes) -> list[str]:
        for packet in packets:
            if not self.connection.received(packet):
                self.lines.append("refused")
        return self.new_lines()

    def polls(self) -> list[str]:
        if not self.connection.poll(self.woken):
            self.lines.append("refused")
        return self.new_lines()

    def woken(self) -> None:
        self.lines.append("wake")

    def takes(self) -> list[str]:
        payload = self.connection.take().decode()
        return [*self.new_lines(), f"poll<< {shortened(payload)}"]

    def does(self, *steps: object) -> list[str]:
        """Return the lines of the calls in the argument list."""
        return self.new_lines()

    # Callbacks of the owner and the application.

    def pong_received(self, connection: EngineConnection) -> None:
        self.lines.append("answered")

    def entered(self, connection: EngineConnection) -> None:
        self.lines.append("entered")

    def forget(self, connection: EngineConnection) -> None:
        self.lines.append("forgotten")

    def text(self, text: str) -> None:
        if text == "malformed":
            raise BadPacket("malformed")
        if text == "bug":
            raise RuntimeError("a bug in an application")
        self.lines.append(f"text {text}")

    def binary(self, data: bytes) -> None:
        self.lines.append(f"binary {data!r}")

    def upgraded(self) -> None:
        self.lines.append("upgraded")

    def paused(self) -> None:
        self.lines.append("paused")

    def resumed(self) -> None:
        self.lines.append("resumed")

    def closed(self, reason: str) -> None:
        self.connection.send(b"4bye")
        self.lines.append(f"closed: {reason}")
