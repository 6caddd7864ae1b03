"""The index of the search for SQLite: FTS5, in a file of its own beside the database (docs/decisions/0042).

So its transactions never hold the lock of the database. If the file does not belong to the present history of the
database, or was made by another analyser, it is made again.
"""

import contextlib
import json
import logging
import queue
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from veche.core.search import Analysis, Field, Place, Query, Tokens, analyse
from veche.core.values import LogId
from veche.core.words import VERSION
from veche.storage.engines.engine import READERS, Transaction
from veche.storage.engines.index import CONSIDERED, ROOMS_AS_MARKS, Entry, Match, Page, Scope
from veche.storage.engines.places import Places, close_all, filled

FORMAT: Final = 1
_FILLER: Final = "\ue000"  # stands for a token that repeats too often: it is in no search
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",  # what a power cut takes is indexed again: the positions go with it
    "PRAGMA busy_timeout=10000",
    "PRAGMA secure_delete=ON",
    "PRAGMA cache_size=-4096",
)
# The tokenizer `ascii` takes every character beyond ASCII as it is, and the analyser leaves only letters and digits.
_TABLES = (
    "CREATE TABLE made_for (value TEXT NOT NULL)",
    "CREATE TABLE positions (log_id INTEGER PRIMARY KEY, seq INTEGER NOT NULL)",
    "CREATE TABLE entries (id INTEGER PRIMARY KEY, room_id INTEGER NOT NULL, sender_id INTEGER NOT NULL,"
    " at INTEGER NOT NULL, revision INTEGER NOT NULL)",
    "CREATE VIRTUAL TABLE tokens USING fts5(words, stems, marks, tokenize='ascii', prefix='3')",
)
# LEFT of a CROSS JOIN is read first, newest first, and only as far as the LIMIT needs.
_NEWEST = """
    SELECT id FROM (SELECT rowid AS found FROM tokens WHERE tokens MATCH :match AND rowid < :below
    ORDER BY rowid DESC LIMIT :considered) CROSS JOIN entries ON id = found WHERE {scope} LIMIT :limit
"""
_LAST_CONSIDERED = """
    SELECT rowid FROM tokens WHERE tokens MATCH :match AND rowid < :below ORDER BY rowid DESC LIMIT 1 OFFSET :considered
"""
_BEST = """
    WITH scored AS MATERIALIZED (
        SELECT id, -bm25(tokens) AS score FROM tokens CROSS JOIN entries ON id = tokens.rowid
        WHERE tokens MATCH :match AND tokens.rowid < :below AND tokens.rowid >= :lowest AND {scope}
    ), place AS (SELECT coalesce((SELECT score FROM scored WHERE id = :id), :score) AS score)
    SELECT id, scored.score FROM scored, place
    WHERE :id IS NULL OR scored.score < place.score OR (scored.score = place.score AND id < :id)
    ORDER BY scored.score DESC, id DESC LIMIT :limit
"""

logger = logging.getLogger("veche.storage")


class SqliteIndex:
    """The index in the file `path`, for the history that `epoch` names.

    It is opened, or made, when its positions are first read. Until then searches raise what `Database.failure_of` calls
    UNAVAILABLE: a server starts although the disk is full.
    """

    def __init__(self, path: Path, epoch: str) -> None:
        self._path = path
        self._made_for = f"{FORMAT} {VERSION} {epoch}"
        self._readers: Places[sqlite3.Connection] = filled(queue.LifoQueue(), READERS)
        self._writer: sqlite3.Connection | None = None

    def _opened(self, made_for: str) -> sqlite3.Connection:
        with contextlib.suppress(sqlite3.Error):
            if self._path.exists():
                connection = self._connect()
                with contextlib.suppress(sqlite3.Error):
                    if connection.execute("SELECT value FROM made_for").fetchall() == [(made_for,)]:
                        return connection
                connection.close()
        for end in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + end).unlink(missing_ok=True)
        logger.info("%s is made: all messages are indexed in the background", self._path)
        connection = self._connect()
        with _transaction(connection):
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute("INSERT INTO made_for VALUES (?)", (made_for,))
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        return connection

    def positions(self) -> dict[LogId, int]:
        if self._writer is None:
            self._writer = self._opened(self._made_for)
        return dict(self._writer.execute("SELECT log_id, seq FROM positions"))

    def store(self, moved: Mapping[LogId, tuple[int, int]], entries: Iterable[Entry]) -> bool:
        newest = {entry.id: entry for entry in entries}
        with_text = [entry for entry in newest.values() if entry.text]
        rows = [_row(entry, analyse(entry.text)) for entry in with_text]
        connection = self._writer
        assert connection is not None  # whoever moves positions has read them
        with _transaction(connection):
            known = "SELECT id FROM entries WHERE id IN (SELECT value FROM json_each(?))"
            before = connection.execute(known, (json.dumps(list(newest)),)).fetchall()
            connection.executemany("DELETE FROM tokens WHERE rowid = ?", before)
            connection.executemany("DELETE FROM entries WHERE id = ?", before)
            connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", [entry[:5] for entry in with_text])
            connection.executemany("INSERT INTO tokens (rowid, words, stems, marks) VALUES (?, ?, ?, ?)", rows)
            reached = [(log_id, seq) for log_id, (_, seq) in moved.items()]
            connection.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", reached)
        return True

    def top(self, tx: Transaction) -> int:
        with self._reader() as connection:
            (highest,) = connection.execute("SELECT coalesce(max(id), 0) FROM entries").fetchone()
        return int(highest) + 1

    def newest(self, tx: Transaction, query: Query, scope: Scope, below: int, limit: int) -> Page:
        values = _values(query, scope) | {"below": below, "limit": limit, "considered": CONSIDERED}
        with self._reader() as connection:
            found = connection.execute(_within(_NEWEST, scope), values).fetchall()
            if len(found) == limit:
                return Page([Match(id) for (id,) in found], found[-1][0])
            last = connection.execute(_LAST_CONSIDERED, values | {"considered": CONSIDERED - 1}).fetchone()
        return Page([Match(id) for (id,) in found], None if last is None else last[0])

    def best(self, tx: Transaction, query: Query, scope: Scope, place: Place, limit: int) -> Page:
        values = _values(query, scope) | place._asdict() | {"limit": limit, "considered": CONSIDERED - 1}
        with self._reader() as connection:
            last = connection.execute(_LAST_CONSIDERED, values).fetchone()
            lowest = last[0] if last is not None else 0
            values["lowest"] = lowest
            found = connection.execute(_within(_BEST, scope), values).fetchall()
        return Page([Match(id, score) for id, score in found], None if last is None else lowest)

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        if self._writer is None:
            raise sqlite3.OperationalError("the index is not open yet")
        connection = self._readers.get()
        try:
            connection = connection or self._connect()
            with _transaction(connection, "BEGIN"):
                yield connection
        finally:
            self._readers.put(connection)

    def close(self) -> None:
        close_all(self._readers)
        if self._writer is not None:
            self._writer.close()
            self._writer = None


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _row(entry: Entry, analysis: Analysis) -> tuple[int, str, str, str]:
    words, stems = ([token or _FILLER for token in field] for field in (analysis.words, analysis.stems))
    marks = [f"r{entry.room_id}", f"u{entry.sender_id}", *(f"c{char}" for char in analysis.characters)]
    return entry.id, " ".join(words), " ".join(stems), " ".join(marks)


def _within(query: str, scope: Scope) -> str:
    """Return a query with the conditions of a scope. These are constants: the values are parameters."""
    return query.format(scope=_conditions(scope))


def _conditions(scope: Scope) -> str:
    conditions = ["room_id IN (SELECT value FROM json_each(:rooms))"]
    for name, condition in (("after", "at >= :after"), ("before", "at < :before")):
        if getattr(scope, name) is not None:
            conditions.append(condition)
    return " AND ".join(conditions)


def _values(query: Query, scope: Scope) -> dict[str, object]:
    return {
        "match": _match(query, scope),
        "rooms": json.dumps(list(scope.room_ids)),
        "after": scope.after,
        "before": scope.before,
    }


def _match(query: Query, scope: Scope) -> str:
    """Return the search in the language of FTS5. Tokens have only letters and digits, so nothing is to be escaped."""
    parts = [" OR ".join(map(_tokens, part)) for part in query]
    if scope.sender_id is not None:
        parts.append(f'marks : "u{scope.sender_id}"')
    if len(scope.room_ids) <= ROOMS_AS_MARKS:
        parts.append(" OR ".join(f'marks : "r{room_id}"' for room_id in scope.room_ids))
    return " AND ".join(f"({part})" for part in parts)


def _tokens(tokens: Tokens) -> str:
    if tokens.field is Field.CHARACTERS:
        return f'marks : "c{tokens.tokens[0]}"'
    return f'{tokens.field.value} : "{" ".join(tokens.tokens)}"{" *" if tokens.is_prefix else ""}'
