"""Deletion: takes the text and all that belongs to it away. Keeps which messages, for the counts of unread ones.

A message that is deleted is never changed again. So what a batch edits is written before what it deletes.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import BigInteger, Column, Select, Table, bindparam, delete, insert, select, update

from veche.core.deletion import MessageDeleted
from veche.storage.counting import ONE, Part, counts_by_key
from veche.storage.editing import revisions
from veche.storage.engines.engine import Transaction
from veche.storage.messages import messages
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

MAX_COUNTED = 1000  # deletions that are counted in one room, so that nobody can make the count slow

deletions = Table(
    "deletions",
    metadata,
    Column("room_id", Id, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
c = deletions.c

_insert = insert(deletions)
_delete_text = (
    update(messages)
    .where(messages.c.id == bindparam("message"))
    .values(text="", files=None, revision=bindparam("new_revision"), deleted_by=bindparam("deleter"))
)
_delete_revisions = delete(revisions).where(revisions.c.message_id == bindparam("message"))


def _above(part: Part) -> Select[Any]:
    return select(ONE).where(c.room_id == part(0), c.seq > part(1))


_counts = counts_by_key(_above, MAX_COUNTED)


def _write(tx: Transaction, events: list[MessageDeleted]) -> None:
    tx.write_each(_insert, [{"room_id": event.log_id, "seq": event.message_seq} for event in events])
    rows = [{"message": e.message_id, "new_revision": e.revision, "deleter": e.by_id} for e in events]
    tx.write_each(_delete_text, rows)
    tx.write_each(_delete_revisions, [{"message": event.message_id} for event in events])


SUBJECT = Subject(writes={(MessageDeleted,): _write}, entries=(MessageDeleted,))


# Queries.


def deletions_above(tx: Transaction, positions: Collection[tuple[int, int]]) -> dict[int, int]:
    """Count the deleted messages above a seq, for each pair of a room and a seq, up to MAX_COUNTED in each room."""
    return {row.of_key: row.count_ for row in tx.read_by_keys(_counts, positions)}
