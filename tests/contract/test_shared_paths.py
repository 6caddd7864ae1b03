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
