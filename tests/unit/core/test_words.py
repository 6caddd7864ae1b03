"""The analyser: what a word is. Laws hold for any text, and the time is bounded for the worst ones."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from veche.core.words import MAX_BYTES, MAX_REPEATS, MAX_TOKEN, MAX_TOKENS, fold, not_repeated, tokens_of

ODD = "ёЁйЙßİıςΣﬁ①½ｶﾞﾞＡ日本語ー々ก่ิ한"
ODD += "\u1112\u1161\u11ab\u0301\u0323\u00ad\u200b\u200d\ufe0f\ufdfa\ue000%'*\"_ \n\t1aZд\U00020000👍🏽"
texts = st.text() | st.text(st.sampled_from(ODD)) | st.text(st.sampled_from("аб ё1"))


def words(text: str) -> list[str]:
    return [token.word for token in tokens_of(text)]


def stems(text: str) -> set[str]:
    return {token.stem for token in tokens_of(text)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello, World", ["hello", "world"]),
        ("Ёлки-палки", ["елки", "палки"]),
        ("100% don't a*b", ["100", "don", "t", "a", "b"]),
        ("snake_case", ["snake", "case"]),
        ("ＡＢＣ ｶﾞｷ", ["abc", "ガキ", "キ"]),
        ("日本語", ["日本", "本語", "語"]),
        ("日", ["日"]),
        ("日本 語", ["日本", "本", "語"]),
        ("第3章iPhone", ["第", "3", "章", "iphone"]),
        ("caf\u0065\u0301 cafe", ["café", "cafe"]),
        ("soft\u00adhyphen", ["softhyphen"]),
        ("\u1112\u1161\u11ab", ["한"]),
        ("กินข้าว", ["กิน", "นข้", "ข้า", "าว", "ว"]),
        ("👍 %'*\0\ud800", []),
        ("x" * 100, ["x" * 64]),
        ("ж" * 100, ["ж" * 32]),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("миграция", "миграции"),
        ("миграций", "МИГРАЦИЮ"),
        ("running", "runs"),
        ("message", "Messages"),
        ("ёлка", "елки"),
    ],
)
def test_inflections_have_one_stem(one: str, other: str) -> None:
    assert stems(one) == stems(other)


def test_different_words_have_different_stems() -> None:
    assert stems("миграция") != stems("мигрень")


@given(texts)
def test_tokens_can_be_indexed_and_are_where_they_say(text: str) -> None:
    tokens = tokens_of(text)
    for token in tokens:
        for stored in (token.word, token.stem):
            assert 0 < len(stored.encode()) <= MAX_TOKEN
            # Databases see no other ASCII characters, so nothing in a token has a meaning for them.
            assert all(char.isalnum() and not char.isupper() for char in stored if char.isascii())
        assert 0 <= token.start < token.end <= len(text)
        if not token.unspaced:
            assert fold(text[token.start : token.end]).startswith(token.word)
    assert [token.start for token in tokens] == sorted(token.start for token in tokens)
    assert not tokens or tokens[-1].ends


@given(texts)
@example("ŉΐ")
def test_what_is_folded_is_folded(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(st.sampled_from("абвгдеabcxyz日本 ,.%'")))
def test_case_and_width_do_not_matter(text: str) -> None:
    wide = "".join(chr(ord(char) + 0xFEE0) if "a" <= char <= "z" else char for char in text)
    assert words(text) == words(text.upper()) == words(wide)


@given(texts, texts)
def test_a_space_separates(one: str, other: str) -> None:
    assert words(f"{one} {other}") == words(one) + words(other)


def test_no_more_is_indexed_than_a_database_takes() -> None:
    many = tokens_of(" ".join(map(str, range(20_000))))
    assert len(many) == MAX_TOKENS
    long = tokens_of(" ".join(f"{number:064}" for number in range(9_000)))
    assert sum(len(token.word) for token in long) <= MAX_BYTES


def test_a_word_counts_only_so_often() -> None:
    kept = list(not_repeated(["a"] * (MAX_REPEATS + 1) + ["b"]))
    assert kept == ["a"] * MAX_REPEATS + [None, "b"]


BYTES = 65_536
WORST = {
    "one word": "x" * BYTES,
    "different words": " ".join(chr(0x430 + n % 32) + f"{n:x}абвгд" for n in range(4000)),
    "Russian endings": "ирующимися" * 3000,
    "marks in the wrong order": "a" + "\u0301\u0323" * 16_000,
    "marks on each letter": "e\u0301\u0323" * 13_000,
    "characters that become many": "\ufdfa" * 21_000,
    "pairs": "日本語" * 7000,
    "scripts that alternate": "a日" * 16_000,
    "vowels": "ก่ิ" * 7000,
    "not seen": "a\u200d\u00ad" * 13_000,
    "no words": "👍%" * 13_000,
    "spaces": " " * BYTES,
}


@pytest.mark.parametrize("text", WORST.values(), ids=WORST)
def test_the_longest_text_takes_bounded_time(text: str) -> None:
    began = time.thread_time()
    tokens_of(text)
    assert time.thread_time() - began < 1.0
