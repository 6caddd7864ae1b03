"""A program that floods a server: `python flood.py HOST PORT TOKEN SOCKETS`. It runs until it is ended.

Each socket says hello and then sends small messages into the lobby without end, many in one write, and never waits for
an answer. What the server sends is read and thrown away.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import sys
from itertools import count

FRAMES = 500  # messages in one write


def frame(text: str) -> bytes:
    """Build a masked text frame. The mask is zero, so the payload is sent as it is."""
    payload = text.encode()
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else bytes((0x81, 0xFE)) + size.to_bytes(2, "big")
    return head + bytes(4) + payload


def connect(host: str, port: int, path: str = "/v1/socket") -> socket.socket:
    """Open a WebSocket and return its socket after the 101."""
    opened = socket.create_connection((host, port), timeout=30)
    opened.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += opened.recv(1)
    assert b" 101 " in head, head
    return opened


def hello(opened: socket.socket, token: str) -> None:
    opened.sendall(frame(json.dumps({"id": 1, "hello": {"token": token}})))


def flood(host: str, port: int, token: str, sockets: int) -> None:
    ids = count(2)
    text = json.dumps({"id": 0, "send": {"room_id": 2147483647, "text": "x"}}).replace('"id": 0', '"id": {}')
    left: dict[socket.socket, bytes] = {}
    with selectors.DefaultSelector() as selector:
        for _ in range(sockets):
            opened = connect(host, port)
            hello(opened, token)
            opened.setblocking(False)
            selector.register(opened, selectors.EVENT_READ | selectors.EVENT_WRITE)
            left[opened] = b""
        print("flooding", flush=True)
        while True:
            for key, events in selector.select():
                opened = key.fileobj  # type: ignore[assignment]
                with contextlib.suppress(BlockingIOError):
                    if events & selectors.EVENT_READ and not opened.recv(1 << 20):
                        return
                    if events & selectors.EVENT_WRITE:
                        data = left[opened] or b"".join(
                            frame(text.replace("{}", str(next(ids)))) for _ in range(FRAMES)
                        )
                        left[opened] = data
                        left[opened] = data[opened.send(data) :]


if __name__ == "__main__":
    os.nice(5)  # it must not take the core from those who measure
    flood(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
