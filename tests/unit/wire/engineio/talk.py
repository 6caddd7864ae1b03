"""A connection whose every word is written down: after `<<` what the client gets, else what the application is told."""

from __future__ import annotations

from veche.wire.engineio.connection import EngineConnection
from veche.wire.engineio.packets import BadPacket
from veche.wire.frames import FINAL, TEXT


class Wires:
    """A WebSocket that writes down what it is given."""

    upgrade = None

    def __init__(self, said: list[str], pausing_at: int | None = None) -> None:
        self.said = said
        self.talk: Talk
        self.pausing_at = pausing_at
        self.write = self._write
        self.reading = True

    def _write(self, data: bytes) -> None:
        if self.pausing_at is not None and len(data) > self.pausing_at:
            self.talk.connection.pause()
        at = 0
        while at < len(data):
            size, start = data[at + 1], at + 2
            if size > 125:
                width = 2 if size == 126 else 8
                size, start = int.from_bytes(data[start : start + width], "big"), start + width
            body = data[start : start + size]
            is_text = data[at] == FINAL | TEXT
            self.said.append(f"ws<< {shown(body.decode())}" if is_text else f"ws<< {body!r}")
            at = start + size

    def send(self, payload: bytes) -> None:
        raise AssertionError("a connection writes frames")

    def close(self, code: int | None = None, reason: str = "") -> None:
        self.said.append("ws<< close")

    def abort(self) -> None:
        self.said.append("ws<< abort")

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def shown(text: str) -> str:
    return text if len(text) < 60 else f"{text[:4]}... {len(text)}"


class Talk:
    """Owner, application and transports of one connection; every method returns what was said since the last one."""

    def __init__(self, *, websocket: bool = False, pausing_at: int | None = None) -> None:
        self.said: list[str] = []
        self.wires = Wires(self.said, pausing_at)
        self.wires.talk = self
        self.connection = EngineConnection(self, "SID", "127.0.0.1", self.wires if websocket else None)
        self.connection.application = self

    def since(self) -> list[str]:
        said, self.said[:] = self.said[:], []
        return said

    # What happens.

    def receives(self, *packets: str | bytes) -> list[str]:
        for packet in packets:
            if not self.connection.received(packet):
                self.said.append("refused")
        return self.since()

    def polls(self) -> list[str]:
        if not self.connection.poll(self.woken):
            self.said.append("refused")
        return self.since()

    def woken(self) -> None:
        self.said.append("wake")

    def takes(self) -> list[str]:
        payload = self.connection.take().decode()
        return [*self.since(), f"poll<< {shown(payload)}"]

    def does(self, *steps: object) -> list[str]:
        """For calls that are made in the argument list."""
        return self.since()

    # The host and the application.

    def pong_received(self, connection: EngineConnection) -> None:
        self.said.append("answered")

    def forget(self, connection: EngineConnection) -> None:
        self.said.append("forgotten")

    def text(self, text: str) -> None:
        if text == "malformed":
            raise BadPacket("malformed")
        if text == "bug":
            raise RuntimeError("a bug in an application")
        self.said.append(f"text {text}")

    def binary(self, data: bytes) -> None:
        self.said.append(f"binary {data!r}")

    def upgraded(self) -> None:
        self.said.append("upgraded")

    def paused(self) -> None:
        self.said.append("paused")

    def resumed(self) -> None:
        self.said.append("resumed")

    def closed(self, reason: str) -> None:
        self.connection.send(b"4bye")
        self.said.append(f"closed: {reason}")
