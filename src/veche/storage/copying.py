"""`veche copy`: copies all tables from one database to another. The two may be of different kinds.

Each transaction stores some rows, and how far the copy has come in `meta`. So it can be killed at any moment, and goes
on when it is run again. At the end all rows of both databases are read and compared. Only then is `meta` copied, and
the target is a database that can be served.
"""

import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Delete,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    union_all,
    update,
)
from sqlalchemy import tuple_ as row_of

from veche.core.values import RESERVED_IDS
from veche.ops.crash import crash_point
from veche.storage import subjects as _  # noqa: F401  # declares every table
from veche.storage.accounts import accounts
from veche.storage.database import Database, DatabaseError
from veche.storage.engines.engine import COPYING, Transaction
from veche.storage.kinds.copy_end import COPIED_FROM, CopyEnd
from veche.storage.last_commits import last_commits
from veche.storage.log import events, logs
from veche.storage.messages import messages
from veche.storage.migrate import schema_version
from veche.storage.nodes import nodes
from veche.storage.tables import meta, metadata

ROWS, CHARACTERS = 5_000, 2 << 20  # a transaction stores at most so many rows, or not much more text than this
SHOW_EVERY = 5.0  # seconds between two lines about the progress
OWN = frozenset({COPYING, COPIED_FROM, "cluster", "copied", "secret"})
"""The keys in `meta` that are about one database, and are not copied."""

TABLES = tuple(table for table in metadata.sorted_tables if table not in (meta, nodes, last_commits))
"""In such an order that a row comes after those that it refers to. Nodes and processes that write are not copied."""

Say = Callable[[str], None]

logger = logging.getLogger("veche.storage")
_encode_row = msgspec.msgpack.Encoder().encode


class Progress(msgspec.Struct):
    """How far a copy has come. It is stored in the target.

    `source` is the identity of the source. `after` has the key of the last row that was copied, by table.
    """

    source: str
    schema: str
    after: dict[str, list[Any]]


class Copied(NamedTuple):
    """What was done. `already`: it had been done before, and nothing was done now. `odd` are logs with a wrong head."""

    rows: dict[str, int]
    already: bool
    odd: list[int]


def copy(source: CopyEnd, target: CopyEnd, say: Say, *, chunk: int = ROWS) -> Copied:
    """Copy all rows, or those that are left. `chunk` is how many rows a transaction stores at most.

    Raises DatabaseError if the target has another chat, or if something is wrong. Then the target is half copied.
    """
    with _errors_of(target.database):
        progress = _begin(source, target)
    if progress is None:
        return Copied({}, already=True, odd=[])
    crash_point("copy_begun")
    with _errors_of(source.database), source.database.reading() as tx:
        sizes = {table: tx.first(_count(table)).rows for table in TABLES}
        for table in TABLES:
            _copy_table(tx, target, table, progress, _Shown(table.name, sizes[table], say), chunk)
        crash_point("copy_loaded")
        counts, odd = _compare(tx, source, target, say)
        crash_point("copy_compared")
        values = _values(tx, source)
        with _errors_of(target.database):
            target.complete(source.secret, values["epoch"])
            crash_point("copy_completed")
            with target.database.writing() as writing:
                writing.write_each(_delete(meta), [{"of_key": key} for key in (*values, COPYING)])
                writing.write_each(_INSERT, [{"key": key, "value": value} for key, value in values.items()])
    return Copied(counts, already=False, odd=odd)


def _begin(source: CopyEnd, target: CopyEnd) -> Progress | None:
    """Find out how far the copy has come, or begin it. None: it was complete before."""
    database = target.database
    with database.writing() as tx:
        if (stored := _value(tx, COPYING)) is not None:
            progress = msgspec.json.decode(stored, type=Progress)
            if (progress.source, progress.schema) != (source.identity, schema_version()):
                raise DatabaseError(
                    f"{database.name} is half copied from another database, or {source.database.name} was served since "
                    "then, or migrated. Remove the half copy, and copy to an empty database."
                )
            return progress
        if _value(tx, COPIED_FROM) == source.identity:
            return None
        if any(tx.first(query) for query in _CHAT):
            raise DatabaseError(f"{database.name} has a chat already. Copy to an empty database.")
        for table in reversed(TABLES):  # those that every new database has
            tx.write_each(_delete(table), [_bound(table, key) for key in tx.read(select(*table.primary_key))])
        progress = Progress(source.identity, schema_version(), {})
        tx.write_each(_INSERT, [{"key": COPYING, "value": _stored(progress)}])
        return progress


def _copy_table(
    tx: Transaction, target: CopyEnd, table: Table, progress: Progress, shown: "_Shown", chunk: int
) -> None:
    key = [table.columns.keys().index(column.name) for column in table.primary_key]
    for rows in _chunks(_rows(tx, table, progress.after.get(table.name)), chunk):
        progress.after[table.name] = [rows[-1][index] for index in key]
        with _errors_of(target.database), target.database.writing() as writing:
            target.load(writing, table, rows)
            crash_point("copy_loading")
            writing.write_each(_SET_VALUE, [{"of": COPYING, "to": _stored(progress)}])
        crash_point("copy_stored")
        shown.add(len(rows))


def _rows(tx: Transaction, table: Table, after: list[Any] | None) -> Iterator[Any]:
    """Read the rows of a table in the order of its primary key, those after the key `after`."""
    if after is None:
        return tx.stream(_all(table))
    return tx.stream(_after(table), **_bound(table, after))


def _chunks(rows: Iterable[Any], most: int) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += sum(len(value) for value in row if isinstance(value, str))
        if len(chunk) >= most or size >= CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _compare(tx: Transaction, source: CopyEnd, target: CopyEnd, say: Say) -> tuple[dict[str, int], list[int]]:
    """Compare all tables. Return how many rows each has, and the ids of logs whose head does not fit their entries."""
    counts: dict[str, int] = {}
    with _errors_of(target.database), target.database.reading() as copied:
        for table in TABLES:
            say(f"Comparing {table.name}.")
            there, here = _digest(tx, table), _digest(copied, table)
            if there != here:
                raise DatabaseError(
                    f"The copy is not right: {table.name} has {there[0]} rows in {source.database.name} and {here[0]} "
                    f"in {target.database.name}, or other values. One of them was changed meanwhile. Remove the half "
                    "copy, and copy to an empty database."
                )
            counts[table.name] = here[0]
        return counts, [row.id for row in copied.read(_ODD)]


def _digest(tx: Transaction, table: Table) -> tuple[int, int]:
    """Return the number of rows, and the sum of their hashes: databases order text in different ways."""
    count = total = 0
    for row in tx.stream(_all(table)):
        count += 1
        total += int.from_bytes(blake2b(_encode_row(row), digest_size=16).digest())
    return count, total % (1 << 128)


def _values(tx: Transaction, source: CopyEnd) -> dict[str, str]:
    """Return what the table `meta` of the target has to contain, apart from what is about the target alone."""
    values = {row.key: row.value for row in tx.read(_all(meta)) if row.key not in OWN}
    if source.is_restored:
        values["epoch"] = secrets.token_hex(8)
    return values | {COPIED_FROM: source.identity}


class _Shown:
    """Says from time to time how many rows of a table were copied."""

    def __init__(self, name: str, size: int, say: Say) -> None:
        self._name, self._size, self._say = name, size, say
        self._done = 0
        self._next = time.monotonic() + SHOW_EVERY

    def add(self, rows: int) -> None:
        self._done += rows
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SHOW_EVERY
            self._say(f"{self._name}: {self._done:,} rows copied now, of {self._size:,}.")


@contextlib.contextmanager
def _errors_of(database: Database) -> Iterator[None]:
    """Turn the errors of a database into sentences."""
    try:
        yield
    except DatabaseError:
        raise
    except Exception as error:
        if database.failure_of(error) is None:
            raise
        logger.debug("the copy failed", exc_info=True)
        raise DatabaseError(f"{database.name}: {str(error).strip().rstrip('.')}.") from None


# Statements.

_INSERT = insert(meta)
_SET_VALUE = update(meta).where(meta.c.key == bindparam("of")).values(value=bindparam("to"))
_VALUE = select(meta.c.value).where(meta.c.key == bindparam("key"))
_CHAT = (
    select(accounts.c.id).where(accounts.c.id < RESERVED_IDS).limit(1),
    select(messages.c.id).limit(1),
    select(events.c.seq).limit(1),
)
_entries = union_all(
    select(messages.c.room_id.label("log_id"), messages.c.seq, messages.c.number),
    select(events.c.log_id, events.c.seq, func.coalesce(None, 0).label("number")),
).subquery()
_ODD = (
    select(logs.c.id)
    .join_from(logs, _entries, _entries.c.log_id == logs.c.id, isouter=True)
    .group_by(logs.c.id, logs.c.last_seq, logs.c.message_count)
    .having(
        (logs.c.last_seq != func.count(_entries.c.seq))
        | (logs.c.last_seq != func.coalesce(func.max(_entries.c.seq), 0))
        | (logs.c.message_count != func.coalesce(func.max(_entries.c.number), 0))
    )
    .order_by(logs.c.id)
    .limit(20)
)


def _value(tx: Transaction, key: str) -> str | None:
    row = tx.first(_VALUE, key=key)
    return row.value if row is not None else None


def _stored(progress: Progress) -> str:
    return msgspec.json.encode(progress).decode()


@cache
def _count(table: Table) -> Select[Any]:
    return select(func.count().label("rows")).select_from(table)


@cache
def _all(table: Table) -> Select[Any]:
    return select(table).order_by(*table.primary_key)


@cache
def _after(table: Table) -> Select[Any]:
    return _all(table).where(row_of(*table.primary_key) > row_of(*_binds(table)))


@cache
def _delete(table: Table) -> Delete:
    return delete(table).where(
        and_(*[column == bind for column, bind in zip(table.primary_key, _binds(table), strict=True)])
    )


def _binds(table: Table) -> list[ColumnElement[Any]]:
    return [bindparam(f"of_{column.name}", type_=column.type) for column in table.primary_key]


def _bound(table: Table, key: Iterable[Any]) -> dict[str, Any]:
    return {f"of_{column.name}": value for column, value in zip(table.primary_key, key, strict=True)}
