"""The `Transaction` for PostgreSQL."""

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import psycopg

from veche.core.facts import Fact
from veche.core.state import State
from veche.storage.engines.engine import Query, Write
from veche.storage.engines.postgres_outcome import NOTE
from veche.storage.engines.postgres_sql import SCHEMA, array_of, keys_as_parameters, rows_as_parameters
from veche.storage.engines.prepared import Prepared
from veche.storage.kept import KeptRows

READ_WHOLE = 64  # rows: a query with such a limit is read at once
_LOCK = f"""
    SELECT id FROM {SCHEMA}.logs WHERE id = ANY($1::bigint[]) ORDER BY id
    FOR NO KEY UPDATE
"""  # noqa: S608  # our own name
_stream_names = itertools.count(1)


class Rows(Sequence[Any]):
    """The rows of a query that was sent. They are fetched when they are first looked at."""

    __slots__ = ("_cursor", "_fetched", "_row", "_wait")

    def __init__(
        self, cursor: psycopg.Cursor[Any], row: Callable[[Iterable[Any]], Any], wait: Callable[[], None]
    ) -> None:
        self._cursor = cursor
        self._row = row
        self._wait = wait
        self._fetched: list[Any] | None = None

    def all(self) -> list[Any]:
        if self._fetched is None:
            self._wait()
            self._fetched = list(map(self._row, self._cursor.fetchall()))
        return self._fetched

    def __getitem__(self, index: Any) -> Any:
        return self.all()[index]

    def __len__(self) -> int:
        return len(self.all())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.all())


class Statements(Protocol):
    """What a transaction takes from its engine."""

    writer: str
    """The id of this process as one that writes, random."""

    def next_number(self) -> int:
        """Return a number for a transaction. No other of this process gets it."""

    def prepared(self, statement: Query | Write, names: Iterable[str]) -> Prepared:
        """Return the SQL of a statement."""


class PostgresTransaction:
    """One transaction. Statements are sent in a pipeline: the server gets many before the first answer is waited for.

    Writes are sent together, before a read and with the COMMIT.
    """

    __slots__ = (
        "_engine",
        "_expected",
        "_has_written",
        "_ids",
        "_lock_answer",
        "_locked",
        "_noted",
        "_sync",
        "_waited",
        "_writes",
        "commit_was_sent",
        "connection",
        "kept",
        "number",
    )

    def __init__(
        self, connection: psycopg.Connection[tuple[Any, ...]], engine: Statements, sync: Callable[[], None]
    ) -> None:
        self.connection = connection
        self._sync = sync
        self._waited = True  # for all answers
        self._engine = engine
        self._writes: list[tuple[str, Sequence[Any]]] = []
        self.kept: KeptRows | None = None  # other processes write too, and to find out whether they did is not cheap
        self._lock_answer: Sequence[Any] | None = None  # a row for each log that was locked
        self._locked: set[int] | None = None  # their ids, once somebody asks
        self._noted: Rows | None = None
        self.number = 0  # the one that was noted
        self.commit_was_sent = False
        self._has_written = False
        self._expected: Mapping[str, int] = {}  # how many ids, by table
        self._ids: dict[str, Iterator[int]] = {}  # by table, drawn with the locks and not yet taken

    def read(self, query: Query, **parameters: object) -> Sequence[Any]:
        return self._send(query, parameters).all()

    def first(self, query: Query, **parameters: object) -> Any:
        return next(iter(self._send(query, parameters)), None)

    def stream(self, query: Query, **parameters: Any) -> Iterator[Any]:
        if parameters.get("limit", READ_WHOLE + 1) <= READ_WHOLE:
            return iter(self._send(query, parameters))
        return self._stream(self._engine.prepared(query, parameters), parameters)

    def _stream(self, prepared: Prepared, parameters: Mapping[str, Any]) -> Iterator[Any]:
        name = f"rows_{next(_stream_names)}"
        declare = f"DECLARE {name} NO SCROLL CURSOR FOR {prepared.sql}"
        self._execute(declare, prepared.values(parameters), prepare=False)
        fetch = f"FETCH {READ_WHOLE} FROM {name}"
        while rows := self._rows(self._execute(fetch, (), prepare=False), prepared.row).all():
            yield from rows
            if len(rows) < READ_WHOLE:
                break

    def read_by_keys(self, query: Query, keys: Iterable[object]) -> Sequence[Any]:
        listed = list(keys)
        return self._send(query, keys_as_parameters(listed)) if listed else ()

    def write_each(self, write: Write, rows: Sequence[Mapping[str, Any]], unique: tuple[str, ...] = ()) -> None:
        if rows:
            if unique and len(rows) > 1:
                rows = sorted(rows, key=lambda row: [(row[name] is not None, row[name]) for name in unique])
            prepared = self._engine.prepared(write, rows[0])
            if rows[0].keys() != prepared.names:
                raise TypeError(f"this write takes {sorted(prepared.names)}, not {sorted(rows[0])}")
            self._has_written = True
            self._writes.append((prepared.sql, prepared.values(rows_as_parameters(rows))))

    def lock_logs(self, log_ids: Collection[int]) -> None:
        """Lock the logs, and draw the ids that are expected, so that the batch need not wait for them later.

        In a room the ids grow with the seqs, so they are drawn after the locks.
        """
        if self._lock_answer is not None:
            raise TypeError("a transaction locks its logs once: two that lock more could wait for each other")
        if log_ids:
            self._note()
        self._lock_answer = self._rows(self._execute(_LOCK, (array_of(log_ids),)), tuple) if log_ids else ()
        self._ids = {table: self._draw(table, count) for table, count in self._expected.items()}

    def has_locked(self, log_id: int) -> bool:
        if self._locked is None:
            self._locked = {id for (id,) in self._lock_answer or ()}
        return log_id in self._locked

    def _note(self) -> Rows:
        """Note in the database which transaction this is, so that it can be found out whether it was committed."""
        if self._noted is None:
            self.number = self._engine.next_number()
            self._noted = self._rows(self._execute_now(NOTE, (self._engine.writer, self.number)), tuple)
        return self._noted

    def keep(self, state: State, facts: Collection[Fact[Any, Any]]) -> None:
        """Keep nothing: other processes write too."""

    def expect_ids(self, tables: Iterable[str]) -> None:
        self._expected = Counter(tables)

    def new_id(self, table: str) -> int:
        for id in self._ids.get(table, ()):
            return id
        return next(self._draw(table, 1))  # a round trip: only for what is not often made

    def _draw(self, table: str, count: int) -> Iterator[int]:
        """Ask for ids now. They are waited for when the first one is taken."""
        draw = f"SELECT nextval('{SCHEMA}.{table}_id_seq') FROM generate_series(1, $1::bigint)"  # noqa: S608
        return _ids_in(self._rows(self._execute(draw, (count,)), tuple))

    def commit(self) -> None:
        """Send the writes that are left, and the COMMIT. The end of the pipeline waits for the answers.

        If a write fails, the server skips what follows it, the COMMIT too.
        """
        if self._has_written:
            self._note().all()  # the server has to have it before the COMMIT is sent, or nobody could wait for its end
            self._send_writes()
            self.commit_was_sent = True
        self.connection.execute("COMMIT", prepare=False)

    def _send(self, query: Query, parameters: Mapping[str, Any]) -> Rows:
        prepared = self._engine.prepared(query, parameters)
        return self._rows(self._execute(prepared.sql, prepared.values(parameters)), prepared.row)

    def _rows(self, cursor: psycopg.Cursor[Any], row: Callable[[Iterable[Any]], Any]) -> Rows:
        return Rows(cursor, row, self._wait)

    def _wait(self) -> None:
        """Wait for all answers.

        It has to be a sync: only then does the server count the time for which this process does nothing, and ends the
        transaction of a process that stands still.
        """
        if not self._waited:
            self._waited = True
            self._sync()

    def _execute(self, sql: str, values: Sequence[Any], *, prepare: bool | None = None) -> psycopg.Cursor[Any]:
        self._send_writes()
        return self._execute_now(sql, values, prepare=prepare)

    def _execute_now(self, sql: str, values: Sequence[Any], *, prepare: bool | None = None) -> psycopg.Cursor[Any]:
        self._waited = False
        return self.connection.execute(sql, values, prepare=prepare)

    def _send_writes(self) -> None:
        writes, self._writes = self._writes, []
        for sql, values in writes:
            self.connection.execute(sql, values)


def _ids_in(rows: Rows) -> Iterator[int]:
    for (id,) in rows:
        yield id
