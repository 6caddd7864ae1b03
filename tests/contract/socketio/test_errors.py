"""Every refusal code of the core has an answer in this dialect."""

from __future__ import annotations

import json

import pytest

from veche.core.errors import TEMPORARY, ChatError, Code
from veche.dialects.socketio.errors import ANSWERS, plain, problem


def test_every_code_has_an_answer() -> None:
    assert set(ANSWERS) == set(Code)


@pytest.mark.parametrize("code", list(Code))
def test_every_answer_has_an_error(code: Code) -> None:
    status, body, headers = problem(ChatError(code, "in English"))
    assert 400 <= status < 600
    assert list(json.loads(body)) == ["error"]
    assert headers["Content-Type"] == "application/json"
    assert ("Retry-After" in headers) == (code in TEMPORARY)


def test_retry_after() -> None:
    assert problem(ChatError(Code.RATE_LIMITED, "x", retry_after=7))[2]["Retry-After"] == "7"


def test_unknown_paths_and_methods() -> None:
    assert plain(404, "Not Found")[:2] == (404, b'{"error":"Not Found"}')
    assert plain(405, "Method Not Allowed") == (405, b"", {})
