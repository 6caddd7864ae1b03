"""What a search asks for, and whether a text has it. Databases find the same messages as `ranges_in` (docs/search.md).

A search has parts, and a message has to match all of them. A part is a list of sequences, of which one has to be in
the text.
"""

import re
from collections.abc import Iterator, Sequence
from enum import Enum, StrEnum
from typing import Final, NamedTuple

from veche.core.errors import ChatError, Code
from veche.core.messages import Message
from veche.core.words import Token, not_repeated, tokens_of, unplaced_tokens_of

MAX_QUERY: Final = 256  # characters
MAX_WORDS: Final = 32  # tokens of a search
MIN_PREFIX: Final = 3  # characters that the beginning of a word has at least
SNIPPET: Final = 200  # characters
LEAD: Final = 60
"""Characters of a snippet before the first range, at most."""

_CHUNK = re.compile(r"\S+")
_QUOTES = str.maketrans("“”„", '"""')


class Field(Enum):
    """What is indexed of a text."""

    WORDS = "words"  # as written, folded
    STEMS = "stems"
    CHARACTERS = "characters"  # with which the tokens of scripts without spaces begin


class Tokens(NamedTuple):
    """Tokens that follow each other in one field of a text. `is_prefix`: the last one may go on.

    In CHARACTERS it is one token.
    """

    field: Field
    tokens: tuple[str, ...]
    is_prefix: bool = False


Part = tuple[Tokens, ...]
Query = tuple[Part, ...]


class Analysis(NamedTuple):
    """What is indexed of a text. The lists have a place for each token. It is None if the token repeats too often."""

    words: Sequence[str | None]
    stems: Sequence[str | None]
    characters: set[str]


class Snippet(NamedTuple):
    """A part of a text. `ranges`: what was found in it, from a character to before another one.

    `before` and `after`: the text goes on there.
    """

    text: str
    ranges: tuple[tuple[int, int], ...]
    before: bool
    after: bool


def analyse(text: str) -> Analysis:
    """Return what is indexed of a text."""
    return _analysis_of(unplaced_tokens_of(text))


def _analysis_of(tokens: list[Token]) -> Analysis:
    return Analysis(
        not_repeated([token.word for token in tokens]),
        not_repeated([token.stem for token in tokens]),
        {token.word[0] for token in tokens if token.unspaced},
    )


def parse(text: str) -> Query:
    """Return what a person asks for. No character but the quotation mark has a meaning of its own.

    Raises ChatError if there is no word in it, or if it is too long.
    """
    if len(text) > MAX_QUERY:
        raise ChatError(Code.INVALID, f"A search may have {MAX_QUERY} characters.", field="q")
    query = tuple(_parts(text.translate(_QUOTES)))
    if not query:
        raise ChatError(Code.INVALID, "Give a word to search for.", field="q")
    if sum(len(part[0].tokens) for part in query) > MAX_WORDS:
        raise ChatError(Code.INVALID, f"A search may have {MAX_WORDS} words.", field="q")
    return query


def _parts(text: str) -> Iterator[Part]:
    for index, piece in enumerate(text.split('"')):
        if index % 2:
            if tokens := _without_last_character(tokens_of(piece)):
                yield _as_written(tokens)
            continue
        is_last = index == text.count('"')
        for chunk in _CHUNK.finditer(piece):
            if tokens := tokens_of(chunk.group()):
                is_open = is_last and chunk.start() + tokens[-1].end == len(piece)
                yield _unquoted(_without_last_character(tokens), is_open=is_open)


def _without_last_character(tokens: list[Token]) -> list[Token]:
    """Leave out the last character of a run, which is a token of its own, unless the run is only this character."""
    has_pair = len(tokens) > 1 and tokens[-1].unspaced and tokens[-2].unspaced and not tokens[-2].ends
    return tokens[:-1] if has_pair else tokens


def _as_written(tokens: list[Token], *, is_prefix: bool = False) -> Part:
    words = tuple(token.word for token in tokens)
    if tokens[-1].unspaced and tokens[-1].ends:  # one character: pairs begin with it
        is_prefix = True
        if len(words) == len(words[0]) == 1:
            return (Tokens(Field.CHARACTERS, words),)
    return (Tokens(Field.WORDS, words, is_prefix),)


def _unquoted(tokens: list[Token], *, is_open: bool) -> Part:
    """Return a part for words that a person wrote without a space between them."""
    last = tokens[-1]
    if last.unspaced and last.ends:
        return _as_written(tokens)
    stems = Tokens(Field.STEMS, tuple(token.stem for token in tokens))
    if is_open and not last.unspaced and len(last.word) >= MIN_PREFIX:
        return (stems, *_as_written(tokens, is_prefix=True))
    return (stems,)


def ranges_in(text: str, query: Query) -> list[tuple[int, int]] | None:
    """Return the ranges of a text that a search finds, or None if the text does not match all parts."""
    tokens = tokens_of(text)
    analysis = _analysis_of(tokens)
    found: list[tuple[int, int]] = []
    for part in query:
        of_part = [span for wanted in part for span in _spans(tokens, analysis, wanted)]
        if not of_part:
            return None
        found += of_part
    return _merged(found)


def _spans(tokens: list[Token], analysis: Analysis, wanted: Tokens) -> Iterator[tuple[int, int]]:
    if wanted.field is Field.CHARACTERS:
        (character,) = wanted.tokens
        for token in tokens:
            if token.unspaced and token.word.startswith(character):
                yield token.start, token.start + 1
        return
    field: Sequence[str | None] = analysis.words if wanted.field is Field.WORDS else analysis.stems
    *first, last = wanted.tokens
    for index in range(len(first), len(field)):
        here = field[index]
        fits = here is not None and (here.startswith(last) if wanted.is_prefix else here == last)
        if fits and field[index - len(first) : index] == first:
            end = tokens[index].start + 1 if wanted.is_prefix and tokens[index].unspaced else tokens[index].end
            yield tokens[index - len(first)].start, end


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def snippet_of(text: str, ranges: Sequence[tuple[int, int]]) -> Snippet:
    """Return the part of a text around the first range, with the ranges in it."""
    start = max(0, min(ranges[0][0] - LEAD, len(text) - SNIPPET)) if ranges else 0
    if start and (space := text.find(" ", start, ranges[0][0])) >= 0:
        start = space + 1
    end = start + SNIPPET
    if end < len(text) and (space := text.rfind(" ", start, end)) > start + SNIPPET // 2:
        end = space
    inside = ((max(first, start) - start, min(last, end) - start) for first, last in ranges if first < end)
    kept = tuple((first, last) for first, last in inside if first < last)
    return Snippet(text[start:end], kept, start > 0, end < len(text))


class Order(StrEnum):
    """The order of what is found."""

    NEWEST = "newest"  # by the ids of messages
    RANK = "rank"  # the best first


class Place(NamedTuple):
    """Where the next page of a search begins.

    `below`: ids of messages below it are looked at. By rank, what comes after the message `id` with this score is next.
    """

    below: int
    id: int | None = None
    score: float = 0.0


class Wanted(NamedTuple):
    """What somebody searches for: in a room or in all that they may read, of a sender, with after <= time < before.

    Times are in microseconds since 1970. `place` is None for the first page.
    """

    query: Query
    room_id: int | None = None
    sender_id: int | None = None
    after: int | None = None
    before: int | None = None
    order: Order = Order.RANK
    place: Place | None = None
    limit: int = 20


class Found(NamedTuple):
    """A message that a search found."""

    message: Message
    snippet: Snippet


class FoundPage(NamedTuple):
    """A page of what a search found. It may be empty although there are more.

    `next`: where the next page begins. None: this is the last one. `complete`: by rank, whether all matches were
    compared, and not only the newest ones.
    """

    found: list[Found]
    next: Place | None
    complete: bool
