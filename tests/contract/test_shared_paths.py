"""The paths that contracts share at the root: whatever comes there is answered, whoever it is for."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from conftest import PATIENCE, Servers
from transcript import Head


@pytest.fixture
def http(servers: Servers) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=servers.shared(Head()).base, timeout=PATIENCE, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("path", ["/register", "/login", "/api/v1/register", "/me/nothing"])
def test_a_body_that_turns_out_too_large(http: httpx.Client, path: str) -> None:
    def body() -> Iterator[bytes]:
        yield b'{"username":"ann","password":"'
        yield b"x" * 70_000
        yield b'"}'

    answer = http.post(path, content=body(), headers={"Content-Type": "application/json"})
    assert answer.status_code == (404 if path == "/me/nothing" else 413)
    if answer.status_code == 413:
        assert answer.json() == {"detail": "Body too large."}


@pytest.mark.parametrize(("path", "allowed"), [("/login", "POST, PUT"), ("/register", "POST"), ("/chats", "GET, POST")])
def test_a_wrong_method_is_told_all_that_are_right(http: httpx.Client, path: str, allowed: str) -> None:
    answer = http.delete(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
