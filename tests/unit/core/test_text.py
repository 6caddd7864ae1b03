"""What texts may hold, and which refusals are temporary."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from veche.core.errors import TEMPORARY, ChatError, Code
from veche.core.text import check_text

REPEATABLE = settings(max_examples=examples(200), deadline=None, derandomize=True, database=None)
anything = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)


def refusal_of(check: Callable[[str], None], value: str) -> Code | None:
    try:
        check(value)
    except ChatError as refusal:
        return refusal.code
    return None


@REPEATABLE
@given(anything)
def test_text_is_taken_exactly_when_every_database_can_store_it(text: str) -> None:
    storable = "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
    assert refusal_of(check_text, text) is (None if storable else Code.INVALID)


def test_only_what_may_pass_later_is_temporary() -> None:
    assert {code for code in Code if ChatError(code, "").temporary} == TEMPORARY
    assert {Code.RATE_LIMITED, Code.UNAVAILABLE, Code.OVERLOADED} == TEMPORARY
