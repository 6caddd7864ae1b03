"""The words by which people are found: their username, its parts, and the words of their name."""

import re
from typing import Final

from veche.core.names import handle_of

MAX_WORDS_OF_PERSON: Final = 12
MAX_WORD: Final = 50  # characters

_PARTS = re.compile(r"[^\W_]+")


def words_of(username: str, name: str) -> set[str]:
    """Return the words by which somebody is found, folded: case and width do not count."""
    handle, shown = handle_of(username), handle_of(name)
    words = [handle, *_PARTS.findall(handle), *_PARTS.findall(shown)]
    return {word[:MAX_WORD] for word in words[:MAX_WORDS_OF_PERSON]}


def prefix_of(typed: str) -> str:
    """Return the beginning of a word that somebody has typed, folded as `words_of` folds. It may be empty."""
    return handle_of(typed.strip().removeprefix("@"))[:MAX_WORD]
