"""Frames that come in one TCP write with the request of a socket are handled, in order, on the path of each dialect."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

import httpx
import pytest
from security.attack import frame

from .dialects import IN_LOBBY, NATIVE, POLLING, SOCKETIO, Dialect, opened
from .town import LOBBY, TIMEOUT, Person, Server


@contextlib.contextmanager
def one_write(server: Server, path: str, *texts: str, port: int = 0) -> Iterator[socket.socket]:
    """Connect to a socket's path, on any node or on the one with this port.

    The request and the frames of the texts are one write.
    """
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port or server.port), timeout=TIMEOUT) as client:
        client.sendall(request.encode() + b"".join(map(frame, texts)))
        yield client


def read_until(client: socket.socket, wanted: bytes) -> None:
    received = b""
    while wanted not in received:
        data = client.recv(65_536)
        assert data, f"the server closed the socket after {received!r}"
        received += data


@pytest.mark.parametrize("dialect", IN_LOBBY, ids=lambda dialect: dialect.name)
async def test_what_comes_with_the_request_is_said(server: Server, ann: Person, bob: Person, dialect: Dialect) -> None:
    said = [f"{ann.name} {dialect.name} {number}" for number in range(40)]
    greeting = dialect.greet(ann, LOBBY)
    lines = [dialect.say(LOBBY, text, number) for number, text in enumerate(said, 1)]
    async with opened(server.port, NATIVE, bob, LOBBY) as other:
        if dialect is SOCKETIO:  # an event before the answer to CONNECT is of a namespace that is not entered
            with one_write(server, dialect.path(ann, LOBBY), *greeting) as client:
                read_until(client, b'40{"sid"')
                client.sendall(b"".join(map(frame, lines)))
                await other.receives(*said)
        else:
            with one_write(server, dialect.path(ann, LOBBY), *greeting, *lines):
                await other.receives(*said)
        assert [text for text in other.texts if text in said] == said


def test_the_echo_answers_what_comes_with_the_request(server: Server, ann: Person) -> None:
    with one_write(server, f"/echo_ws/{ann.name}?token={ann.token}", "first", "second") as client:
        read_until(client, b"second")


def test_a_probe_that_comes_with_the_request_upgrades_a_polling_client(server: Server, ann: Person) -> None:
    port = server.port  # a node knows only its own sessions
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        sid = json.loads(http.get("/socket.io/", params=POLLING).raise_for_status().text[1:])["sid"]
    with one_write(server, f"{SOCKETIO.path(ann, LOBBY)}&sid={sid}", "2probe", port=port) as client:
        read_until(client, b"3probe")
