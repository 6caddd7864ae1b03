"""Every refusal of the core has its words here."""

from __future__ import annotations

import pytest

from veche.core.errors import TEMPORARY, ChatError, Code
from veche.dialects.dispatch.errors import ANSWERS, PARTICULAR, plain, problem


def test_no_code_is_missing() -> None:
    assert set(ANSWERS) == set(Code)
    assert {code for code, _ in PARTICULAR} <= set(Code)


@pytest.mark.parametrize("code", list(Code))
def test_every_answer_is_bare_words(code: Code) -> None:
    status, body, headers = problem(ChatError(code, "in English"))
    assert 400 <= status < 600
    assert body
    assert not body.endswith(b"\n")
    assert headers["Content-Type"] == "text/plain"
    assert ("Retry-After" in headers) == (code in TEMPORARY)


def test_how_long_to_wait() -> None:
    assert problem(ChatError(Code.RATE_LIMITED, "x", retry_after=7))[2]["Retry-After"] == "7"


def test_what_no_route_answers() -> None:
    assert plain(404, "Not Found")[:2] == (404, b"Not Found")
    assert plain(413, "The body is too large.")[:2] == (409, b"Wrong format")
