"""The `Transaction` for PostgreSQL."""

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psycopg

from veche.core.facts import Fact
from veche.core.state import State
from veche.storage.engines.engine import Query, Write
from veche.storage.engines.postgres_sql import SCHEMA, keys_as_parameters, rows_as_parameters
from veche.storage.engines.prepared import Prepared
from veche.storage.kept import KeptRows

if TYPE_CHECKING:
    from veche.storage.engines.postgres import Postgres

READ_WHOLE = 64  # rows: a query with such a limit is read at once
_LOCK = f"""
    SELECT id, pg_current_xact_id()::text FROM {SCHEMA}.logs WHERE id = ANY($1::bigint[]) ORDER BY id
    FOR NO KEY UPDATE
"""  # noqa: S608  # our own name
_NUMBER = "SELECT pg_current_xact_id()::text"
_stream_names = itertools.count(1)


class PostgresTransaction:
    """One transaction. Its writes are sent together: before a read, and with the COMMIT."""

    __slots__ = ("_cursor", "_drawn", "_engine", "_given", "_writes", "commit_was_sent", "connection", "kept", "number")

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], engine: "Postgres") -> None:
        self.connection = connection
        self._engine = engine
        self._cursor = connection.cursor()
        self._writes: list[tuple[str, Sequence[Any]]] = []
        self.kept: KeptRows | None = (
            None  # other processes write too, and to find out whether they did costs as much as to read again
        )
        self.number = ""
        """The number by which the server knows the transaction, when it has one."""
        self.commit_was_sent = False
        self._given: dict[str, list[int]] = {}
        self._drawn: dict[str, list[int]] = {}

    def read(self, query: Query, **parameters: object) -> Sequence[Any]:
        prepared = self._engine.prepared(query, parameters)
        return list(map(prepared.row, self._execute(prepared.sql, prepared.values(parameters)).fetchall()))

    def first(self, query: Query, **parameters: object) -> Any:
        return next(iter(self.read(query, **parameters)), None)

    def stream(self, query: Query, **parameters: Any) -> Iterator[Any]:
        if parameters.get("limit", READ_WHOLE + 1) <= READ_WHOLE:
            return iter(self.read(query, **parameters))
        return self._stream(self._engine.prepared(query, parameters), parameters)

    def _stream(self, prepared: Prepared, parameters: Mapping[str, Any]) -> Iterator[Any]:
        name = f"rows_{next(_stream_names)}"
        declare = f"DECLARE {name} NO SCROLL CURSOR FOR {prepared.sql}"
        self._execute(declare, prepared.values(parameters), prepare=False)
        while rows := self._execute(f"FETCH {READ_WHOLE} FROM {name}", (), prepare=False).fetchall():
            yield from map(prepared.row, rows)
            if len(rows) < READ_WHOLE:
                break

    def read_by_keys(self, query: Query, keys: Iterable[object]) -> Sequence[Any]:
        listed = list(keys)
        return self.read(query, **keys_as_parameters(listed)) if listed else ()

    def write_each(self, write: Write, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            prepared = self._engine.prepared(write, rows[0])
            if rows[0].keys() != prepared.names:
                raise TypeError(f"this write takes {sorted(prepared.names)}, not {sorted(rows[0])}")
            self._writes.append((prepared.sql, prepared.values(rows_as_parameters(rows))))

    def lock_logs(self, log_ids: Collection[int]) -> None:
        if log_ids and (locked := self._execute(_LOCK, (sorted(log_ids),)).fetchall()):
            self.number = locked[0][1]

    def keep(self, state: State, facts: Collection[Fact[Any, Any]]) -> None:
        """Keep nothing: other processes write too."""

    def new_id(self, table: str) -> int:
        """Return an id that was drawn for this transaction, or else the one that probably comes next.

        `take_ids` draws them all at once, and says whether the guess was right.
        """
        given, drawn = self._given.setdefault(table, []), self._drawn.get(table, ())
        id = drawn[len(given)] if len(given) < len(drawn) else self._engine.next_ids.get(table, 1) + len(given)
        given.append(id)
        return id

    def take_ids(self) -> bool:
        right = True
        for table, given in self._given.items():
            drawn = self._drawn.setdefault(table, [])
            if missing := len(given) - len(drawn):
                drawn += self._draw(table, missing)
            right = right and given == drawn[: len(given)]
        self._given = {}
        return right

    def _draw(self, table: str, count: int) -> list[int]:
        draw = f"SELECT nextval('{SCHEMA}.{table}_id_seq') FROM generate_series(1, $1::bigint)"  # noqa: S608
        drawn = sorted(id for (id,) in self._execute(draw, (count,)).fetchall())
        self._engine.next_ids[table] = drawn[-1] + 1
        return drawn

    def commit(self) -> None:
        """Send the writes that are left, and commit.

        The number of the transaction is known before, so that the outcome can be found out if the connection is lost.
        """
        if not self._writes:
            self.connection.execute("COMMIT", prepare=False)
            return
        if not self.number:
            (self.number,) = self._execute_now(_NUMBER, ()).fetchall()[0]
        with self.connection.pipeline():  # if a write fails, the server skips what follows, the COMMIT too
            self._send_writes()
            self.commit_was_sent = True
            self.connection.execute("COMMIT", prepare=False)

    def _execute(self, sql: str, values: Sequence[Any], *, prepare: bool | None = None) -> psycopg.Cursor[Any]:
        if self._writes:
            with self.connection.pipeline():
                self._send_writes()
        return self._execute_now(sql, values, prepare=prepare)

    def _execute_now(self, sql: str, values: Sequence[Any], *, prepare: bool | None = None) -> psycopg.Cursor[Any]:
        return self._cursor.execute(sql, values, prepare=prepare)

    def _send_writes(self) -> None:
        writes, self._writes = self._writes, []
        for sql, values in writes:
            self.connection.execute(sql, values)
