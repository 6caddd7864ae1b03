"""Bad input gets a refusal of this dialect: no 5xx, no effect on other clients."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from messenger.harness import TIMEOUT, LiveServer, closed_with
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from .conftest import Member, receive_line, send_frame

CALLS = [
    ("PUT", "/login"),
    ("PUT", "/change-name"),
    ("POST", "/create-room"),
    ("PUT", "/join"),
    ("PUT", "/invite"),
    ("POST", "/rooms/register"),
]
UNREADABLE = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"1",
    b"NaN",
    b"{",
    b"{}}",
    b'{"x":1,}',
    b'{"x":"\xff"}',
    b'{"x":"\x01"}',
    b'{"username":"\\ud800"}',
    b'{"x":' + b"9" * 5_000 + b"}",
    b'{"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    b"[" * 60_000,
]
VALUES = [
    "NaN",
    "1e400",
    str(2**63),
    str(2**64),
    "-1",
    "1.5",
    "true",
    "{}",
    "[]",
    '["x"]',
    '""',
    '"x"',
    '"nul \\u0000"',
    '"\\ud800"',
    '"' + "x" * 60_000 + '"',
]
FIELDS = [
    ("POST", "/rooms/register", "username"),
    ("POST", "/rooms/register", "email"),
    ("POST", "/rooms/register", "password"),
    ("PUT", "/login", "email"),
    ("PUT", "/login", "password"),
    ("PUT", "/change-name", "username"),
    ("POST", "/create-room", "name"),
    ("POST", "/create-room", "is_private"),
    ("PUT", "/join", "room_id"),
    ("PUT", "/invite", "room_id"),
    ("PUT", "/invite", "user_id"),
]
USUAL = {"username": '"bad_name"', "email": '"bad@example.com"', "password": '"secretpassword"', "room_id": "1"}
FRAMES = [
    "",
    "x",
    "null",
    "[]",
    "{",
    '{"type":null}',
    '{"type":"message","content":"\\ud800"}',
    '{"type":"join","content":true}',
    '{"type":"join","content":1.5}',
    '{"type":"join","content":[1]}',
    '{"type":"join","content":' + "9" * 5_000 + "}",
    '{"type":["message"],"content":"x"}',
    "[" * 60_000,
    '{"x":' * 10_000,
]


@pytest.fixture
def listener(ann: Member) -> Iterator[ClientConnection]:
    """Ann in her room, who must receive nothing from the test."""
    socket = ann.connect(ann.make_room())
    yield socket
    send_frame(socket, "message", "after")
    assert receive_line(socket) == (ann.name, "after")


def is_ours(answer: httpx.Response) -> bool:
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.text.endswith("\n")
    return answer.status_code < 500


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_invalid_bodies(bob: Member, listener: ClientConnection, method: str, path: str) -> None:
    for body in UNREADABLE:
        answer = bob.http.request(method, path, content=body)
        assert (answer.status_code, answer.text) == (400, "invalid data\n"), body[:60]
        assert is_ours(answer)


@pytest.mark.parametrize(("method", "path", "field"), FIELDS)
def test_invalid_values(bob: Member, listener: ClientConnection, method: str, path: str, field: str) -> None:
    for value in VALUES:
        fields = USUAL | {field: value}
        body = "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"
        if (field, value) != ("is_private", "true"):
            answer = bob.http.request(method, path, content=body.encode("utf-8", "surrogatepass"))
            assert is_ours(answer)
            assert "secretpassword" not in answer.text


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_body_that_is_too_large(bob: Member, listener: ClientConnection, method: str, path: str) -> None:
    for body in (b"x" * 70_000, iter([b"[" * 60_000, b"[" * 60_000])):
        answer = bob.http.request(method, path, content=body)
        if path != "/login":  # a shared path: refused before the dialect is known
            assert (answer.status_code, answer.text) == (413, "request body too large\n")
        assert answer.status_code == 413


TOKENS = ["", "x", "Bearer", "Bearer x", "a.b.c", "..", "я".encode(), b"\xff\xfe", "x" * 8_000]


def test_invalid_tokens(http: httpx.Client, listener: ClientConnection) -> None:
    for token in TOKENS:
        answer = http.get("/profile", headers={"Authorization": token})
        assert (answer.status_code, answer.text) == (401, "authorization failed\n")


@pytest.mark.parametrize(
    "query", ["", "token", "token=", "token=x", "token=%ff", "token=%00", "Token=x", "token=a.b.c"]
)
def test_invalid_tokens_of_sockets(
    server: LiveServer, http: httpx.Client, listener: ClientConnection, query: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{server.base.replace('http', 'ws')}/ws?{query}", open_timeout=TIMEOUT, proxy=None).close()
    response = refused.value.response
    assert (response.status_code, response.body) == (401, b"invalid token\n")
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert http.get(f"/ws?{query}").text == "invalid token\n"


def test_sockets_without_an_upgrade(bob: Member) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        answer = bob.http.request(method, f"/ws?token={bob.token}")
        assert (answer.status_code, answer.text) == (400, "Bad Request\n")


def test_invalid_frames(bob: Member, listener: ClientConnection) -> None:
    room_id = bob.make_room()
    socket = bob.connect(room_id)
    for frame in FRAMES:
        for data in (frame, frame.encode()):
            socket.send(data)
            found = receive_line(socket)
            assert found in [("error", "invalid data"), ("error", "invalid operation")], frame[:60]
    send_frame(socket, "message", "still here")
    assert receive_line(socket) == (bob.name, "still here")


def test_texts_that_cannot_be_stored(bob: Member, listener: ClientConnection) -> None:
    socket = bob.connect(bob.make_room())
    send_frame(socket, "message", "nul \0")
    assert receive_line(socket) == ("error", "invalid data")
    socket.send(b'{"type":"message","content":"\xff"}')
    assert receive_line(socket) == ("error", "invalid data")
    socket.send(b'{"type":"message","content":"bytes are read too"}')
    assert receive_line(socket) == (bob.name, "bytes are read too")


def test_a_frame_that_is_too_large(bob: Member, listener: ClientConnection) -> None:
    socket = bob.connect(bob.make_room())
    send_frame(socket, "message", "x" * 60_000)
    assert receive_line(socket) == ("error", "message should be less 2000 symbols long")
    send_frame(socket, "message", "x" * 66_000)
    assert closed_with(socket) == 1009


def test_a_password_that_is_too_long(bob: Member) -> None:
    for password in ("x", "x" * 1024, "я" * 512):
        answer = bob.http.put("/login", json={"email": bob.name, "password": password})
        assert (answer.status_code, answer.text) == (401, "invalid password\n")
