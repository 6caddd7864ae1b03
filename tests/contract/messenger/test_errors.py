"""Every refusal code of the core has an answer in this dialect."""

from __future__ import annotations

import json

import pytest

from veche.core.errors import TEMPORARY, ChatError, Code
from veche.dialects.messenger.errors import ANSWERS, PARTICULAR, problem


def test_every_code_has_an_answer() -> None:
    assert set(ANSWERS) == set(Code)
    assert {code for code, _ in PARTICULAR} <= set(Code)


@pytest.mark.parametrize("code", list(Code))
def test_every_answer_is_json_with_a_detail(code: Code) -> None:
    status, body, headers = problem(ChatError(code, "in English"))
    assert 400 <= status < 600
    assert json.loads(body)["detail"]
    assert headers["Content-Type"] == "application/json"
    assert ("Retry-After" in headers) == (code in TEMPORARY)


def test_retry_after() -> None:
    assert problem(ChatError(Code.RATE_LIMITED, "x", retry_after=7))[2]["Retry-After"] == "7"
