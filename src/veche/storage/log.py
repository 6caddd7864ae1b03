"""The tables for the heads of logs, and for the entries that are not messages.

`logs` has one row for each log: its head. The row is small because every new entry rewrites it. The entries are in the
tables `messages` and `events`. Each entry is in exactly one of the two. `storage.entries` reads both tables together.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, Select, String, Table, Text, bindparam, insert, select, update

from veche.core.state import HEADS, State
from veche.core.values import Head, LogId
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

logs = Table(
    "logs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("message_count", BigInteger, nullable=False),
    Column("last_message_id", BigInteger),
)

events = Table(
    "events",
    metadata,
    Column("log_id", Id, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("account_id", Id),  # the account that the event is about; its name is looked up when the event is read
    Column("room_id", Id),
    Column("data", Text, nullable=False),  # the rest, as JSON
    sqlite_with_rowid=False,
)

_insert_event = insert(events)
_insert_head = insert(logs)
_move_head = (
    update(logs)
    .where(logs.c.id == bindparam("log"))
    .values(
        last_seq=bindparam("last_seq"),
        message_count=bindparam("message_count"),
        last_message_id=bindparam("last_message_id"),
    )
)


def _heads_by_id(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(logs), logs.c.id)


def _heads_after(engine: Engine) -> Select[Any]:
    return engine.select_from_keys(
        lambda part: select(logs.c.id, logs.c.last_seq).where(logs.c.id == part(0), logs.c.last_seq > part(1))
    )


def load_heads(tx: Transaction, log_ids: Collection[LogId]) -> Iterator[tuple[LogId, Head]]:
    """Read the heads of logs."""
    return (
        (row.id, Head(row.last_seq, row.message_count, row.last_message_id))
        for row in tx.read_by_keys(_heads_by_id, log_ids)
    )


def head_seqs(tx: Transaction, log_ids: Iterable[LogId]) -> dict[LogId, int]:
    """Read the highest seq of each log."""
    return {log_id: head.last_seq for log_id, head in load_heads(tx, list(log_ids))}


def heads_after(tx: Transaction, positions: Mapping[LogId, int]) -> dict[LogId, int]:
    """Read the highest seq of each log that has entries after its position."""
    return {row.id: row.last_seq for row in tx.read_by_keys(_heads_after, list(positions.items()))}


def insert_events(tx: Transaction, rows: list[dict[str, Any]]) -> None:
    """Write rows of `events`."""
    tx.write_each(_insert_event, rows)


def _save_heads(tx: Transaction, state: State) -> None:
    new: list[dict[str, Any]] = []
    moved: list[dict[str, Any]] = []
    for log_id, before, head in state.changes(HEADS):
        if head is None:
            continue
        row = {"last_seq": head.last_seq, "message_count": head.message_count, "last_message_id": head.last_message_id}
        if before is None:
            new.append(row | {"id": log_id})
        else:
            moved.append(row | {"log": log_id})
    tx.write_each(_insert_head, new)
    tx.write_each(_move_head, moved)


SUBJECT = Subject(loads={HEADS: load_heads}, saves={HEADS: _save_heads}, keeps=(HEADS,))
