"""The analyser of the search: it decides what a word is. Databases only index its tokens.

A text becomes a list of tokens. A run of letters and digits is a word. Scripts that are written without spaces become
pairs of neighbouring characters, and the last character of a run alone. So a pair is found wherever it stands, and one
character is found as the start of a token. Case and width are folded, and ё is е.

The time is linear in the text, whatever it contains. `VERSION` has to change with the tokens: indexes are built again.
"""

import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple
from unicodedata import category, normalize

import Stemmer

VERSION: Final = 1
MAX_TOKEN: Final = 64
"""Bytes of UTF-8. The rest of a longer token is cut off."""
MAX_REPEATS: Final = 200
"""Occurrences of one word, or of one stem, in a text. Further ones are not indexed."""
MAX_TOKENS: Final = 10_000
MAX_BYTES: Final = 300_000
"""Bytes of all words of a text together. PostgreSQL stores at most 1 MiB for a text, and each word twice."""
SHORT: Final = 32
"""Characters of a text without spaces, up to which its tokens are remembered: people use the same words again."""
REMEMBERED: Final = 10_000
MAX_MARKS: Final = 8
"""Marks on one character, like accents. Further ones are ignored: to put thousands in order takes long."""

_CHUNK = re.compile(r"[^\s\x00-/:-@\[-`{-\x7f]+")
_PLAIN = re.compile("[0-9A-Za-zА-Яа-яЁё]+")
_UNSPACED: Final = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),
    (0x3031, 0x30FF),  # Hiragana, Katakana
    (0x3100, 0x312F),  # Bopomofo
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7AF),  # Hangul
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_CYRILLIC = re.compile("[а-я]")
_LATIN = re.compile("[a-z]")
_JAMO: Final = range(0x1160, 0x1200)  # vowels and finals, which join the letter before
_VOICED: Final = "\uff9e\uff9f"  # the same in half width, on Katakana


class Token(NamedTuple):
    """A token of a text, and the characters text[start:end] that it was made of.

    `unspaced`: it is a pair of characters, or one character, of a script without spaces. `ends`: it is the last one of
    its run.
    """

    word: str
    stem: str
    start: int
    end: int
    unspaced: bool
    ends: bool


class _Character(NamedTuple):
    """A letter or digit with its marks, folded, and the characters text[start:end] that it was made of."""

    folded: str
    start: int
    end: int


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a text, in order. Their indexes are their positions. There are at most MAX_TOKENS."""
    return [
        Token(word, stem, at + start, at + end, unspaced, ends)
        for at, (word, stem, start, end, unspaced, ends) in _placed(text)
    ]


def unplaced_tokens_of(text: str) -> list[Token]:
    """Return the same tokens, with places that are not those in the text. That is cheaper."""
    return [token for _, token in _placed(text)]


def _placed(text: str) -> Iterator[tuple[int, Token]]:
    """Return the tokens of a text, with places in their chunk, each with the place of the chunk."""
    left, missing = MAX_BYTES, MAX_TOKENS
    for match in _CHUNK.finditer(text):
        chunk = match.group()
        for size, token in _remembered(chunk) if len(chunk) <= SHORT else _of(chunk):
            left -= size
            missing -= 1
            if left < 0 or missing < 0:
                return
            yield match.start(), token


def _of(chunk: str) -> Iterator[tuple[int, Token]]:
    """Return the tokens of a text without spaces, each with the number of its bytes."""
    for word, start, end, unspaced, ends in _words(chunk):
        yield len(word.encode()), Token(word, word if unspaced else _stem(word), start, end, unspaced, ends)


@lru_cache(maxsize=REMEMBERED)
def _remembered(chunk: str) -> tuple[tuple[int, Token], ...]:
    return tuple(_of(chunk))


def not_repeated(tokens: list[str]) -> Sequence[str | None]:
    """Return the tokens of one field, with None for those that repeat one more often than MAX_REPEATS."""
    if len(tokens) <= MAX_REPEATS:
        return tokens
    seen: Counter[str] = Counter()
    found: list[str | None] = []
    for token in tokens:
        seen[token] += 1
        found.append(token if seen[token] <= MAX_REPEATS else None)
    return found


def fold(text: str) -> str:
    """Fold case and width, and drop what is no letter, digit or mark."""
    folded = normalize("NFKC", text).casefold()
    kept = "".join(char for char in folded if category(char)[0] in "LNM" and not _is_ignored(char))
    return normalize("NFKC", kept).replace("ё", "е")


class _Stemmers(threading.local):
    """The stemmers of a thread. Two threads may not use the same one."""

    def __init__(self) -> None:
        self.russian = Stemmer.Stemmer("russian", 0)
        self.english = Stemmer.Stemmer("english", 0)


_stemmers = _Stemmers()


def _stem(word: str) -> str:
    if _CYRILLIC.search(word) is not None:
        stem = _stemmers.russian.stemWord(word)
    elif _LATIN.search(word) is not None:
        stem = _stemmers.english.stemWord(word)
    else:
        return word
    return cut(stem) or word


def cut(token: str) -> str:
    """Cut a token at MAX_TOKEN bytes, between two characters."""
    if len(token) <= MAX_TOKEN // 4 or len(token.encode()) <= MAX_TOKEN:
        return token
    return token.encode()[:MAX_TOKEN].decode(errors="ignore")


def _words(chunk: str) -> Iterator[tuple[str, int, int, bool, bool]]:
    """Return the words of a text without spaces: (word, start, end, unspaced, ends)."""
    if _PLAIN.fullmatch(chunk) is not None:
        yield cut(chunk.lower().replace("ё", "е")), 0, len(chunk), False, True
        return
    for run, unspaced in _runs(chunk):
        if not unspaced:
            yield cut(_join(run)), run[0].start, run[-1].end, False, True
            continue
        for first, second in pairwise(run):
            yield cut(first.folded + second.folded), first.start, second.end, True, False
        yield cut(run[-1].folded), run[-1].start, run[-1].end, True, True


def _join(run: list[_Character]) -> str:
    """Join the characters of a word. Only the first MAX_TOKEN count: each has at least a byte."""
    return "".join(character.folded for character in run[:MAX_TOKEN])


def _runs(chunk: str) -> Iterator[tuple[list[_Character], bool]]:
    """Return the runs of letters and digits, and whether they are of a script without spaces."""
    run: list[_Character] = []
    unspaced = False
    for character in _characters(chunk):
        if run and (character is None or _is_unspaced(character.folded) != unspaced):
            yield run, unspaced
            run = []
        if character is not None:
            unspaced = _is_unspaced(character.folded)
            run.append(character)
    if run:
        yield run, unspaced


def _characters(chunk: str) -> Iterator[_Character | None]:
    """Return the letters and digits, each with the marks after it, and None for all else."""
    index = 0
    while index < len(chunk):
        start, kind = index, _kind(chunk[index])
        index += 1
        if kind == "letter":
            while index < len(chunk) and _kind(chunk[index]) == "mark":
                index += 1
            if folded := _folded(chunk[start : min(index, start + 1 + MAX_MARKS)]):
                yield _Character(folded, start, index)
        elif kind == "other":
            yield None


@lru_cache(maxsize=10_000)
def _kind(char: str) -> str:
    if _is_mark(char):
        return "mark"
    return "letter" if category(char)[0] in "LN" else "other"


def _is_mark(char: str) -> bool:
    """Return whether a character belongs to the letter before. Without a letter, it is nothing."""
    return category(char)[0] == "M" or ord(char) in _JAMO or char in _VOICED or _is_ignored(char)


def _is_ignored(char: str) -> bool:
    """Return whether a character is not seen, like a soft hyphen. U+200B is where a word may end."""
    return (category(char) == "Cf" and char != "\u200b") or "\ufe00" <= char <= "\ufe0f"


@lru_cache(maxsize=10_000)
def _folded(character: str) -> str:
    return fold(character)


def _is_unspaced(folded: str) -> bool:
    code = ord(folded[0])
    return code >= _UNSPACED[0][0] and any(first <= code <= last for first, last in _UNSPACED)
