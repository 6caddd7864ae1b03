"""Every refusal code of the core has an answer in this dialect."""

from __future__ import annotations

import pytest

from veche.core.errors import TEMPORARY, ChatError, Code
from veche.dialects.rooms.errors import ANSWERS, ON_SOCKET, PARTICULAR, on_socket, plain, problem


def test_every_code_has_an_answer() -> None:
    assert set(ANSWERS) == set(Code)
    assert {code for code, _ in PARTICULAR} <= set(Code)
    assert set(ON_SOCKET) <= set(Code)


@pytest.mark.parametrize("code", list(Code))
def test_every_answer_is_a_line_of_text(code: Code) -> None:
    status, body, headers = problem(ChatError(code, "in English"))
    assert 400 <= status < 600
    assert body.decode().removesuffix("\n").strip()
    assert body.count(b"\n") == 1
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"] == "default-src 'self'"
    assert ("Retry-After" in headers) == (code in TEMPORARY)


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_an_error_on_the_socket(code: Code) -> None:
    assert on_socket(ChatError(code, "in English")) in {*ON_SOCKET.values(), "server error"}


def test_retry_after() -> None:
    assert problem(ChatError(Code.RATE_LIMITED, "x", retry_after=7))[2]["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b"404 page not found\n"), (405, b""), (413, b"request body too large\n")],
)
def test_unknown_paths_and_methods(status: int, body: bytes) -> None:
    assert plain(status, "in English")[:2] == (status, body)
