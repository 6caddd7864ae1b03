"""The calls, to the letter."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import jwt
import pytest
from messenger.harness import Served

from .conftest import PASSWORD, Meet

ANY_PAGE = {"Origin": "http://localhost:3000"}
MISSING = '{"error":"Missing username or password"}'


def test_register_and_login(http: httpx.Client) -> None:
    body = {"username": "alice", "password": "alice123"}
    made = http.post("/api/auth/register", json=body)
    id, token = made.json()["user"]["id"], made.json()["token"]
    assert made.status_code == 201
    assert made.text == f'{{"token":"{token}","user":{{"id":{id},"username":"alice"}}}}'
    signed = http.post("/api/auth/login", json=body)
    assert signed.status_code == 200
    assert signed.text == f'{{"token":"{signed.json()["token"]}","user":{{"id":{id},"username":"alice"}}}}'
    assert http.post("/api/auth/login", data=body).json()["user"] == {"id": id, "username": "alice"}
    taken = http.post("/api/auth/register", json=body | {"username": "Alice"})
    assert (taken.status_code, taken.text) == (409, '{"error":"Username already exists"}')


def test_the_browser_reads_the_token(meet: Meet) -> None:
    ann = meet("ann")
    claims = jwt.decode(ann.token, options={"verify_signature": False})
    assert (claims["id"], claims["username"]) == (ann.id, ann.name)
    assert claims["exp"] - claims["iat"] == 7 * 24 * 3600
    assert abs(claims["iat"] - time.time()) < 60


def test_wrong_credentials_are_all_one(http: httpx.Client, meet: Meet) -> None:
    for username, password in ((meet("ann").name, "wrong"), ("nobody", PASSWORD)):
        refused = http.post("/api/auth/login", json={"username": username, "password": password})
        assert (refused.status_code, refused.text) == (401, '{"error":"Invalid username or password"}')


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/register", "/socketio/api/auth/login"])
def test_what_is_missing(http: httpx.Client, path: str) -> None:
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
def test_what_is_no_json(http: httpx.Client, path: str, body: bytes) -> None:
    refused = http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.text) == (400, "Invalid JSON")
    assert refused.headers["content-type"] == "text/plain; charset=utf-8"


def test_names_that_nobody_has(http: httpx.Client) -> None:
    for name in ("\0", "a\u202eb", "ﬁ" * 1_000, "x" * 60_000, "' OR 1=1 --", "%", "anonymous", "system"):
        for body in ({"json": {"username": name, "password": "x"}}, {"data": {"username": name, "password": "\0"}}):
            refused = http.post("/api/auth/login", **body)  # type: ignore[arg-type]
            assert (refused.status_code, refused.text) == (401, '{"error":"Invalid username or password"}')


def test_names_that_hide_something(http: httpx.Client) -> None:
    for name in ("a\x00b", "a\u202eb", "a\u200bb", "x" * 101):
        refused = http.post("/api/auth/register", json={"username": name, "password": "x"})
        assert (refused.status_code, refused.text) == (400, '{"error":"Invalid username or password"}')


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/register"])
def test_a_wrong_method(http: httpx.Client, path: str) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        refused = http.request(method, path)
        assert (refused.status_code, refused.text) == (405, "")


def test_who_there_is(meet: Meet) -> None:
    ann, bob = meet("ann"), meet("bob")
    with ann.http() as http:
        found = http.get("/api/users")
    assert found.status_code == 200
    assert f'{{"id":{ann.id},"username":"{ann.name}"}},{{"id":{bob.id},"username":"{bob.name}"}}' in found.text
    ids = [user["id"] for user in found.json()]
    assert ids == sorted(ids)
    assert max(ids) == bob.id


def test_what_was_said_last(meet: Meet) -> None:
    ann = meet("ann")
    client = ann.connect()
    for number in range(53):
        client.emit({"content": f"Привет {number}"} if number % 2 else f"Привет {number}")
    for number in range(53):
        client.hears_next(f"Привет {number}")
    with ann.http() as http:
        found = http.get("/api/messages")
    assert found.status_code == 200
    assert found.json() == [f"Привет {number}" for number in range(3, 53)]


@pytest.mark.parametrize("path", ["/api/users", "/api/messages"])
def test_reading_wants_a_token(http: httpx.Client, meet: Meet, path: str) -> None:
    for value in (None, "", "Bearer", "Bearer x", "Basic x", meet("ann").token):
        refused = http.get(path, headers={"Authorization": value} if value is not None else {})
        assert (refused.status_code, refused.text) == (401, '{"error":"Unauthorized"}'), value
    refused = http.post(path)
    assert (refused.status_code, refused.text) == (405, "")


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/users", "/socket.io/"])
def test_a_page_may_ask(http: httpx.Client, path: str) -> None:
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,authorization"}
    preflight = http.options(path, headers=ANY_PAGE | wanted)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] in ("*", ANY_PAGE["Origin"])
    assert "content-type" in preflight.headers["access-control-allow-headers"].lower()
    refused = http.get(path, headers=ANY_PAGE)
    assert refused.headers["access-control-allow-origin"] in ("*", ANY_PAGE["Origin"])


def test_a_page_may_sign_in(http: httpx.Client) -> None:
    answer = http.post("/api/auth/login", json={}, headers=ANY_PAGE)
    assert answer.status_code == 400
    assert answer.headers["access-control-allow-origin"] in ("*", ANY_PAGE["Origin"])


@pytest.fixture
def alone(open_server: Served) -> Iterator[httpx.Client]:
    """Somebody without a token, where this contract is the only one."""
    with open_server.http() as client:
        yield client


def test_alone(alone: httpx.Client) -> None:
    nowhere = alone.get("/nowhere")
    assert (nowhere.status_code, nowhere.text) == (404, '{"error":"Not Found"}')
    assert alone.get("/healthz").json() == {"status": "ok"}
    big = alone.post("/api/auth/login", content=b"x" * 70_000)
    assert (big.status_code, big.text) == (413, '{"error":"Body too large."}')


def test_without_a_token(alone: httpx.Client) -> None:
    made = alone.post("/api/auth/register", json={"username": "ann", "password": "x"}).json()
    assert made["user"] in alone.get("/api/users").json()
    assert alone.get("/api/messages").status_code == 200
