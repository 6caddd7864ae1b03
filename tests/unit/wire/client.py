"""A minimal WebSocket client. Unlike a normal client, it can break any rule of RFC 6455."""

from __future__ import annotations

import contextlib
import socket
from types import TracebackType
from typing import Self

from veche.wire.frames import CLOSE, TEXT

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPTED = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
MASK = b"\x37\xfa\x21\x3d"
FIN = 0x80

Address = tuple[str, int] | str


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, mask: bytes | None = MASK, rsv: int = 0) -> bytes:
    first = (FIN if final else 0) | rsv << 4 | opcode
    masked = 0 if mask is None else 0x80
    size = len(payload)
    if size < 126:
        head = bytes((first, masked | size))
    elif size < 65_536:
        head = bytes((first, masked | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, masked | 127)) + size.to_bytes(8, "big")
    if mask is None:
        return head + payload
    key = (mask * (size // 4 + 1))[:size]
    return head + mask + (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)


def text(message: str) -> bytes:
    return frame(TEXT, message.encode())


def close(code: int | None = None, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


def request(path: str = "/echo", method: str = "GET", **headers: str | None) -> bytes:
    """Build an upgrade request. A keyword sets a header, or removes it with None: `x_real` is X-Real."""
    defaults: dict[str, str | None] = {
        "host": "test",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-key": KEY,
        "sec-websocket-version": "13",
    }
    defaults.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = [
        f"{method} {path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in defaults.items() if value is not None),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Client:
    """A blocking socket with a timeout of five seconds."""

    def __init__(self, address: Address) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(5)
        self.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536
        )  # small and fixed, so that a slow reader soon blocks the server
        self.socket.connect(address)
        if family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        self.socket.close()

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.socket.sendall(piece)

    def head(self) -> tuple[int, dict[str, str]]:
        """Read the status and the headers of a response."""
        status = int(self._file.readline().split()[1])
        headers: dict[str, str] = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def body(self, size: int) -> bytes:
        return self._file.read(size)

    def frame(self) -> tuple[int, bytes]:
        first, second = self._file.read(2)
        assert first & FIN, "the server does not fragment messages"
        assert second < 128, "a server does not mask frames"
        extended = {126: 2, 127: 8}.get(second)
        size: int = second if extended is None else int.from_bytes(self._file.read(extended), "big")
        return first & 0x0F, self._file.read(size)

    def closed_with(self, *, answering: bool = True) -> int | None:
        """Read up to the close frame, answer it, and read to the end of the stream. Returns its code."""
        opcode, payload = self.frame()
        while opcode != CLOSE:
            opcode, payload = self.frame()
        if answering:
            with contextlib.suppress(OSError):  # the server may have closed the connection already
                self.send(frame(CLOSE, payload[:2]))
        assert self._file.read() == b"", "nothing comes after a close frame"
        return int.from_bytes(payload[:2], "big") if payload else None
