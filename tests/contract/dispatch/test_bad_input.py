"""Bad input gets a refusal of this dialect: no 5xx, no effect on other clients."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from socket import create_connection

import httpx
import pytest
from messenger.harness import LiveServer, closed_with, receive
from websockets.sync.client import ClientConnection

from .conftest import NewPerson

BODIES = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"1",
    b"NaN",
    b"{",
    b"{}",
    b"\xff\xfe",
    b'\xef\xbb\xbf{"username":"x","password":"x"}',
    b'{"username":"x"}',
    b'{"username":"x","password":"x"',
    b'{"username":"x","password":"x"}}',
    b'{"username":"x","password":"x",}',
    b'{"username":"x","password":"\xff"}',
    b'{"username":"\\ud800","password":"x"}',
    b'{"username":"x","password":"\\udfff"}',
    b'{"username":"x\x01","password":"x"}',
    b'{"username":"x","password":"x","more":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    b"[" * 60_000,
    b"[" * 100_000,
    b'{"username":"x","password":"' + b"x" * 70_000 + b'"}',
    b'{"username":"' + "я".encode() * 30_000 + b'","password":"x"}',
]
VALUES = ["NaN", "1e400", str(2**64), "-1", "true", "null", "{}", "[]", '["x"]', '""', '"123456789"', '"\\u00e9"']


@pytest.fixture
def listener(new_person: NewPerson) -> Iterator[ClientConnection]:
    """Bob in the lobby, who must receive nothing from the test."""
    bob = new_person("bob")
    socket = bob.connect()
    socket.send(f"before {bob.name}")
    while f"before {bob.name}" not in receive(socket):
        pass
    yield socket
    socket.send("after")
    assert '"body":"after"' in receive(socket)


@pytest.mark.parametrize("path", ["/signup", "/signin", "/dispatch/signup", "/dispatch/signin"])
def test_invalid_bodies(http: httpx.Client, listener: ClientConnection, path: str) -> None:
    for body in BODIES:
        answer = http.post(path, content=body)
        assert (answer.status_code, answer.text) == (409, "Wrong format"), body[:60]
        assert answer.headers["Content-Type"] == "text/plain"


@pytest.mark.parametrize("path", ["/signup", "/signin"])
def test_invalid_values(http: httpx.Client, listener: ClientConnection, path: str) -> None:
    for value in VALUES:
        for body in (f'{{"username":{value},"password":"x"}}', f'{{"username":"x","password":{value}}}'):
            answer = http.post(path, content=body)
            assert (answer.status_code, answer.text) == (409, "Wrong format"), body


def test_a_chunked_body_that_is_too_large(http: httpx.Client, listener: ClientConnection) -> None:
    answer = http.post("/signin", content=iter([b"[" * 60_000, b"[" * 60_000]))
    assert (answer.status_code, answer.text) == (409, "Wrong format")


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", ".", "\0", "\u202e", "é" * 1_000, "x" * 65_536, "[" * 60_000, "null", "{}"]
)
def test_invalid_tokens(new_person: NewPerson, listener: ClientConnection, token: str) -> None:
    socket = new_person("eve").open()
    socket.send(token)
    assert closed_with(socket) == 1005


def test_a_client_that_only_sends_pings_and_never_reads_is_closed(
    server: LiveServer, listener: ClientConnection
) -> None:
    with create_connection(("127.0.0.1", int(server.base.rpartition(":")[2]))) as peer:
        peer.sendall(
            b"GET /connect HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert peer.recv(64).startswith(b"HTTP/1.1 101")
        pings = (b"\x89\xfd\0\0\0\0" + b"p" * 125) * 1_000
        sent = 0
        with contextlib.suppress(TimeoutError, ConnectionError):
            peer.settimeout(1.0)
            while sent < 64 << 20:
                sent += peer.send(pings)
    assert sent < 64 << 20


def test_texts_that_cannot_be_stored_are_dropped(new_person: NewPerson, listener: ClientConnection) -> None:
    eve = new_person("eve")
    socket = eve.connect()
    socket.send("\0")
    socket.send("a\0b")
    socket.send(f"alive {eve.name}")
    while f"alive {eve.name}" not in (line := receive(socket)):
        assert "\\u0000" not in line
    assert f"alive {eve.name}" in receive(listener)


def test_the_log_is_empty(server: LiveServer) -> None:
    assert "Traceback" not in server.log
