"""The `Transaction` for PostgreSQL."""

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import psycopg

from veche.core.facts import Fact
from veche.core.state import State
from veche.storage.engines.engine import Query, Write
from veche.storage.engines.postgres_sql import SCHEMA, array_of, keys_as_parameters, rows_as_parameters
from veche.storage.engines.prepared import Prepared
from veche.storage.kept import KeptRows

READ_WHOLE = 64  # rows: a query with such a limit is read at once
_LOCK = f"""
    SELECT id, pg_current_xact_id()::text FROM {SCHEMA}.logs WHERE id = ANY($1::bigint[]) ORDER BY id
    FOR NO KEY UPDATE
"""  # noqa: S608  # our own name
_NUMBER = "SELECT pg_current_xact_id()::text"
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

    next_ids: dict[str, int]

    def prepared(self, statement: Query | Write, names: Iterable[str]) -> Prepared:
        """Return the SQL of a statement."""


class PostgresTransaction:
    """One transaction. Statements are sent in a pipeline: the server gets many before the first answer is waited for.

    Writes are sent together, before a read and with the COMMIT.
    """

    __slots__ = (
        "_ahead",
        "_drawn",
        "_engine",
        "_expected",
        "_given",
        "_locks",
        "_number",
        "_sync",
        "_waited",
        "_writes",
        "commit_was_sent",
        "connection",
        "kept",
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
        self._locks: list[Rows] = []  # the logs that were locked, with the number of the transaction
        self._number = ""
        self.commit_was_sent = False
        self._given: dict[str, list[int]] = {}
        self._drawn: dict[str, list[int]] = {}
        self._expected: Mapping[str, int] = {}
        self._ahead: dict[str, Rows] = {}  # drawn with the locks

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

    def write_each(self, write: Write, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            prepared = self._engine.prepared(write, rows[0])
            if rows[0].keys() != prepared.names:
                raise TypeError(f"this write takes {sorted(prepared.names)}, not {sorted(rows[0])}")
            self._writes.append((prepared.sql, prepared.values(rows_as_parameters(rows))))

    def lock_logs(self, log_ids: Collection[int]) -> None:
        """Lock the logs, and draw the ids that are expected, so that the batch need not wait for them later.

        In a room the ids grow with the seqs, so ids are of use only if they were drawn after all locks.
        """
        held = {id for locked in self._locks for id, _ in locked}  # a log that was not there yet is not among them
        more = [id for id in log_ids if id not in held]
        if not more:
            return
        is_first = not self._locks
        self._locks.append(locked := self._rows(self._execute(_LOCK, (array_of(more),)), tuple))
        if is_first:
            self._ahead = {table: self._draw(table, count) for table, count in self._expected.items()}
        elif locked:
            self._ahead, self._drawn = {}, {}

    @property
    def number(self) -> str:
        """The number by which the server knows the transaction."""
        if not self._number:
            numbers = [number for locked in self._locks for _, number in locked]
            if not numbers:
                numbers = [number for (number,) in self._rows(self._execute_now(_NUMBER, ()), tuple)]
            self._number = str(numbers[0])
        return self._number

    def keep(self, state: State, facts: Collection[Fact[Any, Any]]) -> None:
        """Keep nothing: other processes write too."""

    def expect_ids(self, tables: Iterable[str]) -> None:
        self._expected = Counter(filter(None, tables))

    def new_id(self, table: str) -> int:
        """Return an id that was drawn for this transaction, or else the one that probably comes next.

        `take_ids` draws those all at once, and says whether the guess was right.
        """
        if table in self._ahead:
            self._add_drawn(table, self._ahead.pop(table))
        given, drawn = self._given.setdefault(table, []), self._drawn.get(table, ())
        missing = len(given) - len(drawn)
        id = drawn[len(given)] if missing < 0 else self._engine.next_ids.get(table, 1) + missing
        given.append(id)
        return id

    def take_ids(self) -> bool:
        taken, self._given = self._given, {}
        right = True
        for table, given in taken.items():
            drawn = self._drawn.setdefault(table, [])
            if (missing := len(given) - len(drawn)) > 0:
                self._add_drawn(table, self._draw(table, missing))
            right = right and given == drawn[: len(given)]
        return right

    def _draw(self, table: str, count: int) -> Rows:
        draw = f"SELECT nextval('{SCHEMA}.{table}_id_seq') FROM generate_series(1, $1::bigint)"  # noqa: S608
        return self._rows(self._execute(draw, (count,)), tuple)

    def _add_drawn(self, table: str, rows: Rows) -> None:
        drawn = self._drawn.setdefault(table, [])
        drawn += sorted(id for (id,) in rows)
        self._engine.next_ids[table] = drawn[-1] + 1

    def commit(self) -> None:
        """Send the writes that are left, and the COMMIT. The end of the pipeline waits for the answers.

        If a write fails, the server skips what follows it, the COMMIT too.
        """
        if self._writes:
            assert self.number  # it has to be known before, so that the outcome can be found out if nobody answers
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
