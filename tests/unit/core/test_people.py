"""The words by which people are found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.core.people import MAX_WORD, MAX_WORDS_OF_PERSON, prefix_of, words_of


@pytest.mark.parametrize(
    ("username", "name", "words"),
    [
        ("ann", "ann", {"ann"}),
        ("Ann.Smith", "Ann Smith", {"ann.smith", "ann", "smith"}),
        ("bob_2", "Боб Ёлкин", {"bob_2", "bob", "2", "боб", "ёлкин"}),
        ("eve", "ＥＶＥ", {"eve"}),
        ("li", "李小龍", {"li", "李小龍"}),
        ("x", "--- !!!", {"x"}),
    ],
)
def test_people_are_found_by_their_username_its_parts_and_the_words_of_their_name(
    username: str, name: str, words: set[str]
) -> None:
    assert words_of(username, name) == words


def test_words_are_few_and_short() -> None:
    words = words_of("ann", " ".join(f"{n}{'x' * 99}" for n in range(99)))
    assert len(words) == MAX_WORDS_OF_PERSON - 1  # the username and its only part are one word
    assert max(map(len, words)) == MAX_WORD


@given(st.text(max_size=80), st.integers(0, 80))
def test_whoever_types_the_beginning_of_a_word_finds_it(name: str, length: int) -> None:
    for word in words_of("ann", name):
        assert word.startswith(prefix_of(word[:length]))


@pytest.mark.parametrize(("typed", "prefix"), [("@Ann", "ann"), ("  an ", "an"), ("", ""), ("@", ""), ("ＡＮ", "an")])
def test_what_is_typed_is_folded(typed: str, prefix: str) -> None:
    assert prefix_of(typed) == prefix
