"""Messages: the table, what decisions and queries read from it, and how it is written.

Messages are entries of a room's log with a table of their own (docs/decisions/0003).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    func,
    insert,
    select,
)

from veche.core.mentions import NO_MENTIONS, Mentions
from veche.core.messages import MESSAGES, SENT, Message, MessagePage, References
from veche.core.text import size_of
from veche.core.values import ANONYMOUS_ID, FileInfo, LogId, Person
from veche.storage.accounts import accounts
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.log import head_seqs
from veche.storage.subject import Subject
from veche.storage.tables import PAGE_BYTES, Id, id_column, metadata

messages = Table(
    "messages",
    metadata,
    id_column(),
    Column("room_id", Id, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("sender_id", Id, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("client_message_id", Text),
    Column("origin", String(32), nullable=False),  # the dialect
    Column("created_at", BigInteger, nullable=False),
    Column("reader_id", Id),  # the account that read it first
    Column("author", Text),  # the name that a sender without an account gave
    Column("revision", BigInteger, nullable=False, server_default="0"),
    Column("edited_at", BigInteger),
    Column("deleted_by", Id),  # the account that deleted it
    Column("reply_to_id", Id),
    Column("reply_to_seq", BigInteger),
    Column("thread_id", Id),  # the message that begins the thread
    Column("thread_seq", BigInteger),
    Column("replies", BigInteger, nullable=False, server_default="0"),
    Column("last_reply_seq", BigInteger),
    Column("mentions", Text),  # whom it mentions, as JSON: ids of accounts, and 0 for everybody in the room
    Column("files", Text),  # which files it has, as JSON
    UniqueConstraint("room_id", "seq"),
    Index("uq_messages_sender_id_client_message_id", "sender_id", "client_message_id", unique=True),
)
c = messages.c


MESSAGE = select(
    c.room_id,
    c.seq,
    c.created_at,
    c.id,
    c.sender_id,
    func.coalesce(c.author, accounts.c.username).label("username"),
    func.coalesce(c.author, accounts.c.name).label("name"),
    c.text,
    c.client_message_id,
    c.origin,
    c.number,
    c.kind,
    c.revision,
    c.edited_at,
    c.deleted_by,
    c.reply_to_id,
    c.reply_to_seq,
    c.thread_id,
    c.thread_seq,
    c.replies,
    c.last_reply_seq,
    c.mentions,
    c.files,
).join_from(messages, accounts, accounts.c.id == c.sender_id)

_IN_ROOM = MESSAGE.where(c.room_id == bindparam("room"))
_LIMIT = bindparam("limit", type_=Id)
_OLDER = _IN_ROOM.where(c.seq < bindparam("before")).order_by(c.seq.desc()).limit(_LIMIT)
_NEWER = _IN_ROOM.where(c.seq > bindparam("after")).order_by(c.seq).limit(_LIMIT)
_BETWEEN = _NEWER.where(c.seq <= bindparam("upto"))
_BY_OFFSET = _IN_ROOM.order_by(c.seq).offset(bindparam("offset", type_=Id)).limit(_LIMIT)
_COUNT = select(func.count().label("total")).where(c.room_id == bindparam("room"))

_insert = insert(messages)


def message_of(row: Any) -> Message:
    """Make a Message from a row of the query MESSAGE."""
    sender = Person(row.sender_id, row.username, row.name)
    return Message(
        row.room_id,
        row.seq,
        row.created_at,
        row.id,
        sender,
        row.text,
        row.client_message_id,
        row.origin,
        row.number,
        row.kind,
        row.revision,
        row.edited_at,
        row.deleted_by,
        _references_of(row),
        row.replies,
        row.last_reply_seq,
    )


def _references_of(row: Any) -> References | None:
    if row.reply_to_id is None and row.thread_id is None and row.mentions is None and row.files is None:
        return None
    mentions = NO_MENTIONS if row.mentions is None else mentions_from(row.mentions)
    files = () if row.files is None else _files_from(row.files)
    return References(row.reply_to_id, row.reply_to_seq, row.thread_id, row.thread_seq, mentions, files)


_files_from = msgspec.json.Decoder(tuple[FileInfo, ...]).decode


def mentions_from(stored: str) -> Mentions:
    """Read mentions as they are stored: a JSON array of ids, with 0 for everybody in the room."""
    ids: list[int] = msgspec.json.decode(stored, type=list[int])
    return Mentions(tuple(id for id in ids if id), 0 in ids)


def mentions_as_stored(mentions: Mentions) -> str | None:
    """Write mentions as they are stored, or None if there are none."""
    ids = [*mentions.ids, *([0] if mentions.room else [])]
    return msgspec.json.encode(ids).decode() if ids else None


def messages_by_id(engine: Engine) -> Select[Any]:
    """Return a query for messages by id."""
    return engine.where_keys(MESSAGE, c.id)


def _by_client_id(engine: Engine) -> Select[Any]:
    return engine.where_keys(MESSAGE, c.sender_id, c.client_message_id)


def _load_messages(tx: Transaction, ids: Collection[int]) -> Iterator[tuple[int, Message]]:
    return ((row.id, message_of(row)) for row in tx.read_by_keys(messages_by_id, ids))


def _load_sent(tx: Transaction, keys: Collection[tuple[int, str]]) -> Iterator[tuple[tuple[int, str], Message]]:
    return (((row.sender_id, row.client_message_id), message_of(row)) for row in tx.read_by_keys(_by_client_id, keys))


def _write(tx: Transaction, events: list[Message]) -> None:
    tx.write_each(_insert, [_row_of(message) for message in events], unique=("sender_id", "client_message_id"))


def _row_of(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "room_id": message.log_id,
        "seq": message.seq,
        "number": message.number,
        "sender_id": message.sender.id,
        "kind": message.type,
        "text": message.text,
        "client_message_id": message.client_message_id,
        "origin": message.dialect,
        "created_at": message.at,
        "author": message.sender.username if message.sender.id == ANONYMOUS_ID else None,
    }


SUBJECT = Subject(loads={MESSAGES: _load_messages, SENT: _load_sent}, writes={(Message,): _write})


# Queries.


def message(tx: Transaction, id: int) -> Message | None:
    """Read one message as it is now, or None. The caller has to check the access."""
    return next((message_of(row) for row in tx.read_by_keys(messages_by_id, [id])), None)


class Shelf(NamedTuple):
    """Messages in the order of their seqs: the queries of those before and after a seq, and their parameters."""

    older: Select[Any]
    newer: Select[Any]
    parameters: Mapping[str, int]


def history(
    tx: Transaction,
    room_id: int,
    limit: int,
    *,
    before: int | None = None,
    after: int | None = None,
    around: int | None = None,
) -> MessagePage:
    """Read a page of a room's messages. `before`, `after` and `around` are seqs; without them, read the newest page.

    The page ends after `limit` messages, or after about 128 KiB of text (around a seq, on each side of it).
    """
    head_seq = head_seqs(tx, [room_id]).get(room_id, 0)
    shelf = Shelf(_OLDER, _NEWER, {"room": room_id})
    return page_of(tx, shelf, head_seq, limit, before=before, after=after, around=around)


def page_of(
    tx: Transaction,
    shelf: Shelf,
    head_seq: int,
    limit: int,
    *,
    before: int | None,
    after: int | None,
    around: int | None = None,
) -> MessagePage:
    """Read a page of messages as `history` does. `head_seq` is the head of their room."""
    before, after, around = (None if seq is None else min(seq, head_seq + 1) for seq in (before, after, around))
    if around is not None:
        items = _older(tx, shelf, around + 1, limit - limit // 2) + _newer(tx, shelf, around, limit // 2)
    elif after is not None:
        items = _newer(tx, shelf, after, limit)
    else:
        items = _older(tx, shelf, before if before is not None else head_seq + 1, limit)
    first = items[0].seq if items else (before or around or (after or 0) + 1)
    last = items[-1].seq if items else (after or around or (before or 1) - 1)
    more_before = bool(_older(tx, shelf, first, 1))
    more_after = bool(_newer(tx, shelf, last, 1))
    return MessagePage(items, more_before, more_after, head_seq)


def _older(tx: Transaction, shelf: Shelf, before: int, limit: int) -> list[Message]:
    return _page(tx.stream(shelf.older, before=before, limit=limit, **shelf.parameters))[::-1]


def _newer(tx: Transaction, shelf: Shelf, after: int, limit: int) -> list[Message]:
    return _page(tx.stream(shelf.newer, after=after, limit=limit, **shelf.parameters))


def history_by_offset(tx: Transaction, room_id: int, offset: int, limit: int) -> tuple[list[Message], int]:
    """Read messages from an offset on, oldest first. Return them, and the number of all messages and notices.

    The page ends after `limit` messages, or after about 128 KiB of text.
    """
    counted = tx.first(_COUNT, room=room_id)
    return _page(tx.stream(_BY_OFFSET, room=room_id, offset=offset, limit=limit)), counted.total


def messages_between(tx: Transaction, room_id: LogId, after: int, upto: int, limit: int) -> list[Message]:
    """Read messages with after < seq <= upto, in order. Stop after `limit` messages, or after about 128 KiB of text."""
    return _page(tx.stream(_BETWEEN, room=room_id, after=after, upto=upto, limit=limit))


def _page(rows: Iterable[Any]) -> list[Message]:
    """Make messages of rows, until they have more than PAGE_BYTES of text."""
    found: list[Message] = []
    size = 0
    for row in rows:
        found.append(message_of(row))
        size += size_of(row.text) + len(row.files or "")
        if size > PAGE_BYTES:
            break
    return found
