"""The paths that several dialects share at the root."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from conftest import TIMEOUT, Servers
from transcript import Head


@pytest.fixture
def http(servers: Servers) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=servers.shared(Head()).base, timeout=TIMEOUT, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("path", ["/register", "/login", "/api/v1/register", "/me/nothing"])
def test_a_chunked_body_that_is_too_large(http: httpx.Client, path: str) -> None:
    def body() -> Iterator[bytes]:
        yield b'{"username":"ann","password":"'
        yield b"x" * 70_000
        yield b'"}'

    answer = http.post(path, content=body(), headers={"Content-Type": "application/json"})
    assert answer.status_code == (404 if path == "/me/nothing" else 413)
    if answer.status_code == 413:
        assert answer.json() == {"detail": "Body too large."}


@pytest.mark.parametrize(("path", "allowed"), [("/login", "POST, PUT"), ("/register", "POST"), ("/chats", "GET, POST")])
def test_a_wrong_method_gets_the_allowed_methods_of_all_dialects(http: httpx.Client, path: str, allowed: str) -> None:
    answer = http.delete(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


DETAIL_OF_NOTHING = {"type": "missing", "loc": ["body"], "msg": "A JSON object with username or email, please"}


@pytest.mark.parametrize("path", ["/register", "/login"])
@pytest.mark.parametrize(
    ("body", "at", "reason"),
    [
        (b'{"email"', 8, "Expecting ':' delimiter"),
        (b'{"username": "ann", "password": "Secret123"', 43, "Expecting ',' delimiter"),
        (b"{'email': 'a@example.com'}", 1, "Expecting property name enclosed in double quotes"),
        (b"username=ann", 0, "Expecting value"),
        (b"   ", 3, "Expecting value"),
        (b'{"email": "a@example.com"} {}', 27, "Extra data"),
        (b'{"email": "\xff"}', 0, "Not readable"),
        (b"[" * 60_000, 0, "Not readable"),
        (b"9" * 5_000, 0, "Not readable"),
    ],
)
def test_a_body_that_is_not_json(http: httpx.Client, path: str, body: bytes, at: int, reason: str) -> None:
    """The answer has the form that the dialects with FastAPI's errors give, and no dialect is chosen."""
    answer = http.post(path, content=body, headers={"Content-Type": "application/json"})
    detail = {"type": "json_invalid", "loc": ["body", at], "msg": "JSON decode error", "ctx": {"error": reason}}
    assert (answer.status_code, answer.json()) == (422, {"detail": [detail]})


@pytest.mark.parametrize("path", ["/register", "/login"])
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'"email"', b'{"password": "Secret123"}'])
def test_a_body_that_is_meant_for_no_dialect(http: httpx.Client, path: str, body: bytes) -> None:
    answer = http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (422, {"detail": [DETAIL_OF_NOTHING]})
