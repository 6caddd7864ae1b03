"""Editing: the earlier texts of messages."""

from sqlalchemy import BigInteger, Column, Table, Text, bindparam, insert, select, update

from veche.core.editing import MessageEdited, RevisionKept
from veche.core.messages import Message
from veche.core.text import size_of
from veche.core.views import Revision
from veche.storage.engines.engine import Transaction
from veche.storage.messages import message, messages
from veche.storage.subject import Subject
from veche.storage.tables import PAGE_BYTES, Id, metadata

revisions = Table(
    "revisions",
    metadata,
    Column("message_id", Id, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("written_at", BigInteger, nullable=False),
)
c = revisions.c

_insert = insert(revisions)
_change = (
    update(messages)
    .where(messages.c.id == bindparam("message"))
    .values(text=bindparam("new_text"), revision=bindparam("new_revision"), edited_at=bindparam("edited"))
)
_PAGE = (
    select(c.revision, c.text, c.written_at)
    .where(c.message_id == bindparam("message"), c.revision < bindparam("before"))
    .order_by(c.revision.desc())
    .limit(bindparam("limit", type_=Id))
)


def _write(tx: Transaction, events: list[RevisionKept]) -> None:
    rows = [
        {"message_id": event.message_id, "revision": event.revision, "text": event.text, "written_at": event.at}
        for event in events
    ]
    tx.write_each(_insert, rows)


def _write_edits(tx: Transaction, events: list[MessageEdited]) -> None:
    """Write the last text of each message."""
    last = {event.message.id: event.message for event in events}
    rows = [
        {"message": id, "new_text": now.text, "new_revision": now.revision, "edited": now.edited_at}
        for id, now in last.items()
    ]
    tx.write_each(_change, rows)


SUBJECT = Subject(writes={(RevisionKept,): _write, (MessageEdited,): _write_edits}, entries=(MessageEdited,))


# Queries.


def message_with_revisions(tx: Transaction, id: int, before: int, limit: int) -> tuple[Message | None, list[Revision]]:
    """Read a message and its earlier texts, the newest first: those with a revision below `before`.

    The page ends after `limit` revisions, or after about 128 KiB of text.
    """
    found: list[Revision] = []
    size = 0
    for row in tx.stream(_PAGE, message=id, before=before, limit=limit):
        found.append(Revision(row.revision, row.text, row.written_at))
        size += size_of(row.text)
        if size > PAGE_BYTES:
            break
    return message(tx, id), found
