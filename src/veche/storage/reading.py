"""Reading: loads and stores the first reader of a message, and loads the number of messages up to a seq."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Select, bindparam, func, select, update

from veche.core.reading import COUNTS, READERS, MessageRead, ReadMoved
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.messages import messages
from veche.storage.subject import Subject

c = messages.c

_set_reader = update(messages).where(c.id == bindparam("message")).values(reader_id=bindparam("reader"))


def _readers_by_id(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(c.id, c.reader_id).where(c.reader_id.is_not(None)), c.id)


def _counts(engine: Engine) -> Select[Any]:
    """Return a query for the number of a room's messages up to a seq: the `number` of the last message up to it."""
    return engine.select_from_keys(
        lambda part: select(
            part(0).label("room_id"),
            part(1).label("seq"),
            func.coalesce(
                select(c.number)
                .where(c.room_id == part(0), c.seq <= part(1))
                .order_by(c.seq.desc())
                .limit(1)
                .scalar_subquery(),
                0,
            ).label("count_"),
        )
    )


def _load_readers(tx: Transaction, ids: Collection[int]) -> Iterator[tuple[int, int]]:
    return ((row.id, row.reader_id) for row in tx.read_by_keys(_readers_by_id, ids))


def _load_counts(tx: Transaction, keys: Collection[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], int]]:
    return (((row.room_id, row.seq), row.count_) for row in tx.read_by_keys(_counts, keys))


def _write(tx: Transaction, events: list[MessageRead]) -> None:
    tx.write_each(_set_reader, [{"message": event.message_id, "reader": event.reader_id} for event in events])


SUBJECT = Subject(
    loads={READERS: _load_readers, COUNTS: _load_counts},
    writes={(MessageRead,): _write},
    entries=(ReadMoved, MessageRead),
)
