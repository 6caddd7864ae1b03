"""The index of the search for PostgreSQL: one `tsvector` for each message, with a GIN index.

Its lexemes are `w` and a word, `s` and a stem, `c` and a character, `r` and a room, `u` and a sender, and the blocks of
ids that the message is in. GIN cannot give the newest matches first. So a search looks at the blocks from the newest
on, and stops when it has enough: a word that is in every fifth message costs no more than a rare one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from veche.core.search import Analysis, Field, Place, Query, Tokens, analyse
from veche.core.values import LogId
from veche.core.words import VERSION
from veche.storage.engines.engine import Transaction
from veche.storage.engines.index import CONSIDERED, ROOMS_AS_MARKS, Entry, Match, Page, Scope
from veche.storage.engines.postgres_sql import SCHEMA, array_of, one_value
from veche.storage.engines.postgres_transaction import PostgresTransaction

LOCK: Final = 0x7665636869
"""The advisory lock of whoever writes to the index: one node at a time."""
BLOCK: Final = 13  # bits of an id in a small block
LARGE: Final = 17  # bits of an id in a large one
_LARGE_AT_ONCE: Final = 16

_FIELDS: Final = {Field.WORDS: "w", Field.STEMS: "s", Field.CHARACTERS: "c"}
_TAKE_LOCK = "SELECT pg_advisory_xact_lock($1::bigint)"
_VERSION = f"SELECT value FROM {SCHEMA}.search_made_for"  # noqa: S608
_POSITIONS = f"SELECT log_id, seq FROM {SCHEMA}.search_positions WHERE $1::bigint[] IS NULL OR log_id = ANY($1)"  # noqa: S608
_REACHED = f"""
    INSERT INTO {SCHEMA}.search_positions (log_id, seq) SELECT * FROM unnest($1::bigint[], $2::bigint[])
    ON CONFLICT (log_id) DO UPDATE SET seq = excluded.seq
"""  # noqa: S608
_TOP = f"SELECT coalesce(max(id), 0) FROM {SCHEMA}.search_entries"  # noqa: S608
_REMOVE = f"DELETE FROM {SCHEMA}.search_entries WHERE id = ANY($1::bigint[])"  # noqa: S608
_INSERT = f"""
    INSERT INTO {SCHEMA}.search_entries (id, room_id, sender_id, at, revision, tokens)
    SELECT id, room_id, sender_id, at, revision, tokens::tsvector
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
    AS new (id, room_id, sender_id, at, revision, tokens)
"""  # noqa: S608
_AGAIN = (
    f"TRUNCATE {SCHEMA}.search_entries, {SCHEMA}.search_positions, {SCHEMA}.search_made_for",
    f"INSERT INTO {SCHEMA}.search_made_for VALUES ({VERSION})",  # noqa: S608
)
# `id + 0`: the order comes from sorting the matches, and never from walking through the table.
_CONSIDERED = f"""
    considered AS MATERIALIZED (
        SELECT id, room_id, at, tokens FROM {SCHEMA}.search_entries
        WHERE tokens @@ $1::text::tsquery AND id < $2::bigint ORDER BY id + 0 DESC LIMIT $3::bigint
    )
"""  # noqa: S608
_SCOPE = """
    room_id = ANY($4::bigint[]) AND ($5::bigint IS NULL OR at >= $5) AND ($6::bigint IS NULL OR at < $6)
"""
_NEWEST = f"""
    WITH {_CONSIDERED}
    SELECT (SELECT count(*) FROM considered), (SELECT min(id) FROM considered),
    ARRAY(SELECT id FROM considered WHERE {_SCOPE} ORDER BY id DESC LIMIT $7::bigint)
"""  # noqa: S608
_BEST = f"""
    WITH {_CONSIDERED}, scored AS MATERIALIZED (
        SELECT id, ts_rank(tokens, $7::text::tsquery, 1)::float8 AS score FROM considered WHERE {_SCOPE}
    ), place AS (SELECT coalesce((SELECT score FROM scored WHERE id = $8::bigint), $9::float8) AS score)
    SELECT id, scored.score FROM scored, place
    WHERE $8 IS NULL OR scored.score < place.score OR (scored.score = place.score AND id < $8)
    ORDER BY scored.score DESC, id DESC LIMIT $10::bigint
"""  # noqa: S608

Writing = Callable[[], AbstractContextManager[PostgresTransaction]]


class PostgresIndex:
    """The index in the tables `search_...`. `writing` opens a transaction on a connection of its own."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing

    def positions(self) -> dict[LogId, int]:
        with self._writing() as tx:
            if self._may_write(tx):
                return dict(tx.connection.execute(_POSITIONS, (None,)).fetchall())
        return {}

    def _may_write(self, tx: PostgresTransaction) -> bool:
        """Take the lock, and look at the analyser that made the index. An older one's index is emptied.

        While nodes are replaced by newer ones, the older ones leave the index alone.
        """
        tx.connection.execute(_TAKE_LOCK, (LOCK,))
        made_for = int(one_value(tx.connection, _VERSION) or 0)
        if made_for < VERSION:
            for statement in _AGAIN:
                tx.connection.execute(statement, prepare=False)
        return made_for <= VERSION

    def store(self, moved: Mapping[LogId, tuple[int, int]], entries: Iterable[Entry]) -> bool:
        newest = {entry.id: entry for entry in entries}
        rows = [(*entry[:5], _vector(entry, analyse(entry.text))) for entry in newest.values() if entry.text]
        with self._writing() as tx:
            if not self._may_write(tx):
                return False
            known = dict(tx.connection.execute(_POSITIONS, (array_of(moved),)).fetchall())
            if any(known.get(log_id, 0) != before for log_id, (before, _) in moved.items()):
                return False
            if newest:
                tx.connection.execute(_REMOVE, (array_of(newest),))
            if rows:
                tx.connection.execute(_INSERT, tuple(map(array_of, zip(*rows, strict=True))))
            reached = (array_of(moved), array_of(after for _, after in moved.values()))
            tx.connection.execute(_REACHED, reached)
        return True

    def top(self, tx: Transaction) -> int:
        ((highest,),) = _read(tx, _TOP, ())
        return int(highest) + 1

    def newest(self, tx: Transaction, query: Query, scope: Scope, below: int, limit: int) -> Page:
        found: list[Match] = []
        considered = 0
        for blocks in _blocks(below):
            values = (_search(query, scope, blocks), below, CONSIDERED - considered, *_of(scope), limit - len(found))
            ((count, lowest, ids),) = _read(tx, _NEWEST, values)
            found += map(Match, ids)
            considered += count
            if len(found) == limit:
                return Page(found, found[-1].id)
            if considered == CONSIDERED:
                return Page(found, lowest)
        return Page(found, None)

    def best(self, tx: Transaction, query: Query, scope: Scope, place: Place, limit: int) -> Page:
        blocks, goes_on_below = self._considered(tx, query, scope, place.below)
        if blocks == "":  # there are no ids below the place
            return Page([], None)
        search = _search(query, scope, blocks)
        values = (search, place.below, CONSIDERED, *_of(scope), _in_text(query), place.id, place.score, limit)
        return Page([Match(id, score) for id, score in _read(tx, _BEST, values)], goes_on_below)

    def _considered(self, tx: Transaction, query: Query, scope: Scope, below: int) -> tuple[str | None, int | None]:
        """Return the blocks with the newest CONSIDERED matches, and the lowest of these if there may be more."""
        searched: list[str] = []
        considered = 0
        for blocks in _blocks(below):
            values = (_search(query, scope, blocks), below, CONSIDERED - considered, *_of(scope), 0)
            ((count, lowest, _),) = _read(tx, _NEWEST, values)
            considered += count
            if blocks is None:
                return None, lowest if considered == CONSIDERED else None
            searched.append(blocks)
            if considered == CONSIDERED:
                return " | ".join(searched), lowest
        return " | ".join(searched), None

    def close(self) -> None:
        """Do nothing: the engine closes its connections."""


def _read(tx: Transaction, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    assert isinstance(tx, PostgresTransaction)
    return tx.connection.execute(query, values).fetchall()


def _blocks(below: int) -> Iterator[str | None]:
    """Return the blocks of the ids below a number as searches, from the newest on. None stands for all that is left.

    Each search has more blocks than the one before.
    """
    high, step = ((below - 1) >> BLOCK) + 1, LARGE - BLOCK
    edge = max(0, high - 2) >> step << step
    for first, last in ((max(edge, high - 2), high), (edge, high - 2)):
        if first < last:
            yield _any_of("b", first, last)
    last, count = edge >> step, 1
    while last and count <= _LARGE_AT_ONCE:
        first = max(0, last - count)
        yield _any_of("B", first, last)
        last, count = first, count * 2
    if last:
        yield None


def _any_of(kind: str, first: int, last: int) -> str:
    return " | ".join(f"'{kind}{number}'" for number in range(first, last))


def _vector(entry: Entry, analysis: Analysis) -> str:
    """Return the text of a `tsvector`. Tokens have only letters and digits, so nothing is to be escaped."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for kind, field in (("w", analysis.words), ("s", analysis.stems)):
        for position, token in enumerate(field, 1):
            if token is not None:
                places[kind + token].append(str(position))
    marks = [f"r{entry.room_id}", f"u{entry.sender_id}", f"b{entry.id >> BLOCK}", f"B{entry.id >> LARGE}"]
    marks += [f"c{char}" for char in analysis.characters]
    return " ".join([f"'{token}':{','.join(at)}" for token, at in places.items()] + [f"'{mark}'" for mark in marks])


def _of(scope: Scope) -> tuple[str, int | None, int | None]:
    return array_of(scope.room_ids), scope.after, scope.before


def _search(query: Query, scope: Scope, blocks: str | None) -> str:
    """Return a `tsquery`."""
    parts = [_in_text(query)]
    if scope.sender_id is not None:
        parts.append(f"'u{scope.sender_id}'")
    if len(scope.room_ids) <= ROOMS_AS_MARKS:
        parts.append(" | ".join(f"'r{room_id}'" for room_id in scope.room_ids))
    if blocks is not None:
        parts.append(blocks)
    return " & ".join(f"({part})" for part in parts)


def _in_text(query: Query) -> str:
    return " & ".join(f"({' | '.join(map(_tokens, part))})" for part in query)


def _tokens(tokens: Tokens) -> str:
    phrase = " <-> ".join(f"'{_FIELDS[tokens.field]}{token}'" for token in tokens.tokens)
    return f"({phrase}:*)" if tokens.is_prefix else f"({phrase})"
