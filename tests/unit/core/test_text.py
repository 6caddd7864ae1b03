"""What names and texts may hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veche.core.errors import TEMPORARY, ChatError, Code
from veche.core.text import check_name, check_text, handle_of, mixes_scripts

REPEATABLE = settings(max_examples=200, deadline=None, derandomize=True, database=None)
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


@REPEATABLE
@given(anything)
def test_a_name_that_passes_can_be_stored_and_seen(name: str) -> None:
    if (code := refusal_of(check_name, name)) is not None:
        assert code is Code.INVALID
    else:
        name.encode()
        assert not set(name) & set("\0\n\r\t\x7f\u200b\u200d\u202e\u2066\ufeff\u2028\u2029")


@pytest.mark.parametrize("unseen", ["\u034f", "\u115f", "\u1160", "\u17b4", "\u2800", "\u3164", "\uffa0"])
def test_letters_of_which_nothing_is_seen_are_in_no_name(unseen: str) -> None:
    for field in ("name", "username"):
        with pytest.raises(ChatError):
            check_name(f"admin{unseen}", field)


@pytest.mark.parametrize("selector", ["\ufe0f", "\ufe00", "\u180b", "\U000e0100"])
def test_what_chooses_a_form_is_in_no_username_but_may_follow_an_emoji_elsewhere(selector: str) -> None:
    check_name(f"❤{selector}")
    with pytest.raises(ChatError):
        check_name(f"admin{selector}", "username")


@REPEATABLE
@given(anything)
def test_a_handle_is_its_own_handle(name: str) -> None:
    assert handle_of(handle_of(name)) == handle_of(name)


@pytest.mark.parametrize(
    ("name", "handle"), [("Ａdmin", "admin"), ("ﬁona", "fiona"), ("STRASSE", "strasse"), ("ß", "ss")]
)
def test_names_that_look_alike_in_width_and_case_have_one_handle(name: str, handle: str) -> None:
    assert handle_of(name) == handle


@pytest.mark.parametrize(
    ("name", "mixed"), [("admin", False), ("аdmin", True), ("анна", False), ("ann7_x", False), ("αnn", True)]
)
def test_look_alike_alphabets_are_told_apart(name: str, mixed: bool) -> None:
    assert mixes_scripts(name) is mixed


@pytest.mark.parametrize("length", [100, 101])
def test_a_name_has_a_hundred_characters(length: int) -> None:
    if length <= 100:
        check_name("x" * length)
    else:
        with pytest.raises(ChatError, match="100 characters"):
            check_name("x" * length, "nickname")


def test_only_what_may_pass_later_is_temporary() -> None:
    assert {code for code in Code if ChatError(code, "").temporary} == TEMPORARY
    assert {Code.RATE_LIMITED, Code.UNAVAILABLE, Code.OVERLOADED} == TEMPORARY
