"""What a search means, without a database: `ranges_in` is what both databases have to agree with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.core.errors import ChatError
from veche.core.search import MAX_QUERY, SNIPPET, parse, ranges_in, snippet_of


def found(text: str, q: str) -> list[str] | None:
    ranges = ranges_in(text, parse(q))
    return None if ranges is None else [text[start:end] for start, end in ranges]


@pytest.mark.parametrize(
    ("text", "q", "parts"),
    [
        ("Миграции прошли", "миграция", ["Миграции"]),
        ("Миграции прошли", "прошли миграцию", ["Миграции", "прошли"]),
        ("She runs tests", "running test", ["runs", "tests"]),
        ("Миграции прошли", "миграция базы", None),
        ("the base of data", '"data base"', None),
        ("a data base", '"data base"', ["data base"]),
        ("a data bases", '"data base"', None),  # a phrase is as written
        ("a data base", '"data base', ["data base"]),
        ("a data base", "“data base”", ["data base"]),
        ("migration", "migr", ["migration"]),
        ("migration", "migr ", None),  # the last word may go on only until a space
        ("migration", "mi", None),
        ("migration now", "migr now", None),
        ("日本語を検索", "本語", ["本語"]),
        ("日本語を検索", "日本語", ["日本語"]),
        ("日本語を検索", "語", ["語"]),
        ("日本語を検索", "索", ["索"]),
        ("日本語を検索", "日語", None),
        ("日本 語", "日本語", None),
        ("第3章を読む", "第3章", ["第3章"]),
        ("100% sure", "100%", ["100%"[:3]]),
        ("foobar", "foo*", None),
        ("foobar", "foo%", None),
        ("it's fine", "it's", ["it's"]),
        ("it is a s", "it's", None),
        ("write to ann@example.org.", "ann@example.org", ["ann@example.org"]),
        ("веб-сервера", "веб-сервер", ["веб-сервера"]),
        ("ＷＩＤＥ", "wide", ["ＷＩＤＥ"]),
    ],
)
def test_search(text: str, q: str, parts: list[str] | None) -> None:
    assert found(text, q) == parts


@pytest.mark.parametrize("q", ["", " ", "%", "*", "'", '"', '""', "👍", "x" * (MAX_QUERY + 1), "a b " * 20])
def test_what_cannot_be_searched_is_refused(q: str) -> None:
    with pytest.raises(ChatError) as refused:
        parse(q)
    assert refused.value.data["field"] == "q"


texts = st.text(st.sampled_from("аб ё日本語เก่ 1a'%*\"-👍"), max_size=40)


@given(texts, st.data())
def test_a_text_is_found_by_any_of_its_words_and_by_a_phrase(text: str, data: st.DataObject) -> None:
    plain = text.replace('"', " ")
    if not any(char.isalnum() for char in plain):
        return
    start = data.draw(st.sampled_from([0, *(i + 1 for i, char in enumerate(plain) if char == " ")]))
    end = data.draw(st.sampled_from([*(i for i, char in enumerate(plain) if char == " " and i > start), len(plain)]))
    q = plain[start:end]
    if any(char.isalnum() for char in q):
        assert found(text, f'"{q}"') is not None
        assert found(text, q) is not None


@given(st.text(), st.text(max_size=20))
def test_ranges_are_in_the_text_and_in_order(text: str, q: str) -> None:
    try:
        ranges = ranges_in(text, parse(q))
    except ChatError:
        return
    if ranges is not None:
        assert ranges
        ends = [0, *(place for span in ranges for place in span), len(text)]
        assert ends == sorted(ends)
        assert all(start < end for start, end in ranges)


@given(st.text(st.sampled_from("ab \n"), max_size=1000), st.data())
def test_a_snippet_has_the_first_range(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start + 1, start + 30))
    if end > len(text):
        return
    snippet = snippet_of(text, [(start, end)])
    assert len(snippet.text) <= SNIPPET
    assert snippet.text in text
    (inside,) = snippet.ranges
    assert snippet.text[slice(*inside)] == text[start:end]
    assert snippet.before or text.startswith(snippet.text)
    assert snippet.after or text.endswith(snippet.text)
