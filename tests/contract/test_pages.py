"""Each status with its text, and each close code, that docs/dialects names is in a transcript of that dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_transcripts import FILES
from transcript import Connect, ExpectedResponse, ExpectFrames, read

PAGES = sorted((Path(__file__).resolve().parents[2] / "docs" / "dialects").glob("*.md"))
NEEDS_A_FAULT = {500, 503}  # of the database, or a bug
NEEDS_MORE_THAN_TEXT = {
    "Server capacity exceeded.",
    "There was an error parsing the body",
}  # many clients at once; bytes that are not UTF-8
NEEDS_A_BROKEN_PEER = {1002, 1011, 1013}  # invalid frames, no pong, a client that does not read

_ANSWER = re.compile(r"\b([2-5]\d\d)(?: and the text)? (`[^`]+`(?:, `[^`]+`)*)")
_CLOSE = re.compile(r"^\| (1\d{3})[ |]|\bclose (1\d{3})\b", re.MULTILINE)
_JSON = re.compile(r"\d*[{[]")
_WORD = re.compile(r"\b(?![A-Z]{2,}\b)[^\W\d_][\w-]*")

pytestmark = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def answers(dialect: str) -> Iterator[tuple[int, str]]:
    """Yield the statuses in the transcripts of a dialect, each with its body."""
    for name, path in FILES.items():
        if name.startswith(f"{dialect}/"):
            for step in read(path).steps:
                found = step.answer if isinstance(step, Connect) else step
                if isinstance(found, ExpectedResponse):
                    yield found.status, (found.body or "").removesuffix("\\n")


def closes(dialect: str) -> set[int]:
    return {
        int(frame.split()[1])
        for name, path in FILES.items()
        if name.startswith(f"{dialect}/")
        for step in read(path).steps
        if isinstance(step, ExpectFrames)
        for frame in step.frames
        if re.match(r"close \d", frame)
    }


def is_in(words: str, body: str) -> bool:
    """Tell whether a documented text is a body or one of its JSON values; documented JSON may leave words out."""
    if not _JSON.match(words):
        return words == body or f'"{words}"' in body
    rest = iter(_WORD.findall(body))
    return all(word in rest for word in _WORD.findall(words))


def documented(page: str) -> Iterator[tuple[int, str]]:
    """Yield the statuses that a page names, each with its text: `404 `a``, `400 `b`, `c``."""
    for status, listed in _ANSWER.findall(page):
        first, *more = re.findall(r"`([^`]+)`", listed)
        for words in [first] if _JSON.match(first) else [first, *more]:
            if int(status) not in NEEDS_A_FAULT and words not in NEEDS_MORE_THAN_TEXT and ": " not in words:
                yield int(status), words


def test_answers(page: Path) -> None:
    played = list(answers(page.stem))
    missing = [
        (status, words)
        for status, words in documented(page.read_text(encoding="utf-8"))
        if not any(actual == status and is_in(words, body) for actual, body in played)
    ]
    assert not missing, "not in any transcript"


def test_closes(page: Path) -> None:
    codes = {int(one or other) for one, other in _CLOSE.findall(page.read_text(encoding="utf-8"))}
    assert codes - NEEDS_A_BROKEN_PEER - closes(page.stem) == set(), "not in any transcript"
