"""Bad input gets a refusal of this dialect: no 5xx, no password in the answer, no effect on other clients."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from messenger.harness import LiveServer, closed_with, receive
from websockets.sync.client import ClientConnection, connect

from veche.dialects.channels.errors import INVALID_CREDENTIALS

from .conftest import NewPerson

PATHS = ["/api/v1/register", "/api/v1/login", "/channels/register", "/channels/login"]
SECRET = "Hunter2-and-a-half"
FITS = f'{{"username":"bad","password":"{SECRET}"}}'.encode()
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
    FITS[:-1],
    FITS[:-1] + b",}",
    FITS[:-1] + b',"x":"\xff\xfe"}',
    FITS[:-1] + b',"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    b"[" * 60_000,
    FITS[:-1] + b',"x":' + b"9" * 5_000 + b"}",
    FITS[:-1] + b',"x":"\x01"}',
]
VALUES = ["NaN", "-Infinity", "1e400", str(2**64), "-1", "true", "null", "{}", '{"a":[]}', "[NaN]", '["x"]']
TEXTS = ['"\\ud800"', '"\\udfff"', f'"{SECRET[:6]}"']


@pytest.fixture
def listener(new_person: NewPerson) -> Iterator[ClientConnection]:
    """Bob in the public channel, who must receive nothing from the test."""
    bob = new_person("bob")
    socket = bob.connect("pub_ws")
    socket.send("before")
    while receive(socket) != f"{bob.name}: before":
        pass
    yield socket
    socket.send("after")
    assert receive(socket) == f"{bob.name}: after"


def refused(http: httpx.Client, path: str, body: bytes, *more: int) -> None:
    answer = http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422, *more), (body[:80], answer.text[:300])
    assert list(answer.json()) == ["detail"]
    assert SECRET[:6] not in answer.text


@pytest.mark.parametrize("path", PATHS)
def test_invalid_bodies(http: httpx.Client, listener: ClientConnection, path: str) -> None:
    for body in BODIES:
        refused(http, path, body)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", ["username", "password"])
def test_invalid_values(http: httpx.Client, listener: ClientConnection, path: str, key: str) -> None:
    for value in [*VALUES, *(TEXTS if key == "password" else ())]:
        refused(http, path, FITS[:-1] + f',"{key}":{value}}}'.encode())


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ['"nul \\u0000"', '"lone \\ud800"', '"\\u202e"', f'"{"x" * 60_000}"', '""'])
def test_invalid_names(http: httpx.Client, listener: ClientConnection, path: str, name: str) -> None:
    refused(http, path, FITS[:-1] + f',"username":{name}}}'.encode(), *([401] if "login" in path else []))


@pytest.mark.parametrize("path", PATHS)
def test_a_body_too_large(http: httpx.Client, path: str) -> None:
    answer = http.post(path, content=FITS[:-1] + b',"x":"' + b"x" * 65_536 + b'"}')
    assert (answer.status_code, list(answer.json())) == (413, ["detail"])


@pytest.mark.parametrize("path", ["echo_ws", "pub_ws"])
@pytest.mark.parametrize(
    "query",
    ["", "?", "?ticket=", "?ticket=x", "?ticket=a.b.c", "?token=", "?token=%00", "?token=%ED%A0%80", "?ticket=%FF&x"],
)
def test_a_socket_that_is_not_admitted_gets_the_reason(
    server: LiveServer, listener: ClientConnection, path: str, query: str
) -> None:
    for name in ("ann", "%00", "%FF", "%2e%2e", "x" * 3_000, "*"):
        address = f"{server.base.replace('http', 'ws')}/{path}/{name}{query}"
        with connect(address, proxy=None) as socket:
            assert receive(socket) == INVALID_CREDENTIALS
            assert closed_with(socket) == 1008


@pytest.mark.parametrize(
    ("channel", "frame", "code"),
    [
        ("echo_ws", b"", 1003),
        ("pub_ws", b"x", 1003),
        ("echo_ws", "x" * 65_537, 1009),
        ("pub_ws", "x" * 65_537, 1009),
    ],
)
def test_invalid_frames(
    new_person: NewPerson, listener: ClientConnection, channel: str, frame: str | bytes, code: int
) -> None:
    socket = new_person("eve").connect(channel)
    socket.send(frame)
    assert closed_with(socket) == code


def test_texts_that_cannot_be_stored_are_dropped(new_person: NewPerson, listener: ClientConnection) -> None:
    eve = new_person("eve")
    socket = eve.connect("pub_ws")
    socket.send("\0")
    socket.send("a\0b")
    socket.send("жива")
    while receive(listener) != f"{eve.name}: жива":
        pass


def test_the_log_is_empty(server: LiveServer) -> None:
    assert "Traceback" not in server.log
