"""The REST calls with bad input. The transcripts test the valid calls."""

from __future__ import annotations

import httpx
import jwt
import pytest
from messenger.harness import TIMEOUT, LiveServer
from websockets.sync.client import connect

from veche.dialects.socketio.rest import READ_AT_ONCE

from .conftest import NewPerson

MISSING = '{"error":"Missing username or password"}'


def test_a_token_lives_for_seven_days(new_person: NewPerson) -> None:
    claims = jwt.decode(new_person("ann").token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 7 * 24 * 3600


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/register", "/socketio/api/auth/login"])
def test_missing_values(http: httpx.Client, path: str) -> None:
    values = ['""', "null", "1", "0", "true", "[]", '["x"]', "{}"]
    bodies = [b"", b"{}", b"[]", b"null", b'"x"', b"1", b'{"username":"x"}', b'{"password":"x"}']
    for value in values:
        bodies += [f'{{"username":{value},"password":"x"}}'.encode(), f'{{"username":"x","password":{value}}}'.encode()]
    for body in bodies:
        refused = http.post(path, content=body, headers={"Content-Type": "application/json; charset=utf-8"})
        assert (refused.status_code, refused.text) == (400, MISSING), body
    for kind in ("text/plain", "application/octet-stream", None):
        headers = {"Content-Type": kind} if kind else {}
        refused = http.post(path, content=b'{"username":"x","password":"x"}', headers=headers)
        assert (refused.status_code, refused.text) == (400, MISSING)
    for form in ("", "username=x", "username=x&password=", "username=x&username=y&password=x", "&" * 70, "%ff=%ff"):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        refused = http.post(path, content=form, headers=headers)
        assert (refused.status_code, refused.text) == (400, MISSING), form


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/register"])
@pytest.mark.parametrize("body", [b"{", b"x", b"{]", b"\xff", b"[" * 50_000, b"NaN"])
def test_bodies_that_are_not_json(http: httpx.Client, path: str, body: bytes) -> None:
    refused = http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.text) == (400, "Invalid JSON")
    assert refused.headers["content-type"] == "text/plain; charset=utf-8"


def test_invalid_names(http: httpx.Client) -> None:
    for name in ("\0", "a\u202eb", "ﬁ" * 1_000, "x" * 60_000, "' OR 1=1 --", "%", "anonymous", "system"):
        for body in ({"json": {"username": name, "password": "x"}}, {"data": {"username": name, "password": "\0"}}):
            refused = http.post("/api/auth/login", **body)  # type: ignore[arg-type]
            assert (refused.status_code, refused.text) == (401, '{"error":"Invalid username or password"}')


def test_the_latest_messages(new_person: NewPerson) -> None:
    ann = new_person("ann")
    client = ann.connect()
    for number in range(53):
        client.emit({"content": f"Привет {number}"} if number % 2 else f"Привет {number}")
    for number in range(53):
        client.expect_next(f"Привет {number}")
    with ann.http() as http:
        found = http.get("/api/messages")
    assert found.status_code == 200
    assert found.json() == [f"Привет {number}" for number in range(3, 53)]


def test_notices_are_not_messages(server: LiveServer, new_person: NewPerson) -> None:
    ann = new_person("ann")
    client = ann.connect()
    client.emit("before they came")
    client.expect_next("before they came")
    with connect(f"{server.base.replace('http', 'ws')}/ws?token={ann.token}", proxy=None, max_queue=None) as room:
        for _ in range(READ_AT_ONCE):
            room.send('{"type":"join","content":"2147483647"}')
            room.send('{"type":"leave","content":""}')
        for _ in range(2 * READ_AT_ONCE):
            room.recv(TIMEOUT)
    with ann.http() as http:
        assert http.get("/api/messages").json()[-1] == "before they came"
