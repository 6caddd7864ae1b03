"""Every refusal of the core has its words here."""

from __future__ import annotations

import json

import pytest

from veche.core.errors import TEMPORARY, ChatError, Code
from veche.dialects.socketio.errors import ANSWERS, plain, problem


def test_no_code_is_missing() -> None:
    assert set(ANSWERS) == set(Code)


@pytest.mark.parametrize("code", list(Code))
def test_every_answer_has_an_error(code: Code) -> None:
    status, body, headers = problem(ChatError(code, "in English"))
    assert 400 <= status < 600
    assert list(json.loads(body)) == ["error"]
    assert headers["Content-Type"] == "application/json"
    assert ("Retry-After" in headers) == (code in TEMPORARY)


def test_how_long_to_wait() -> None:
    assert problem(ChatError(Code.RATE_LIMITED, "x", retry_after=7))[2]["Retry-After"] == "7"


def test_what_no_route_answers() -> None:
    assert plain(404, "Not Found")[:2] == (404, b'{"error":"Not Found"}')
    assert plain(405, "Method Not Allowed") == (405, b"", {})
    assert plain(500, "It broke.")[:2] == (500, b'{"error":"Internal server error"}')
