"""Threads: what messages answer, how many messages follow the first one of a thread, and who follows a thread."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    Select,
    Table,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)

from veche.core.messages import MessagePage, MessageRefers
from veche.core.threads import FOLLOWERS, ThreadFollowed
from veche.core.values import LOBBY_ID
from veche.core.views import ThreadView
from veche.storage.counting import ONE, Part, counts_by_key
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.log import head_seqs
from veche.storage.membership import load_members, members
from veche.storage.messages import MESSAGE, Shelf, message_of, messages, messages_by_id, page_of
from veche.storage.reactions import with_reactions
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

MAX_COUNTED = 100  # unread messages that are counted in a thread: clients show 99+

followers = Table(
    "followers",
    metadata,
    Column("account_id", Id, primary_key=True, autoincrement=False),
    Column("thread_id", Id, primary_key=True, autoincrement=False),
    Column("room_id", Id, nullable=False),
    Column("follows", Integer, nullable=False),  # 0: the account has said that it does not want to
    sqlite_with_rowid=False,
)
thread_messages = Table(
    "thread_messages",
    metadata,
    Column("thread_id", Id, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", Id, nullable=False),
    sqlite_with_rowid=False,
)
c = followers.c
t = thread_messages.c
m = messages.c

_link = (
    update(messages)
    .where(m.id == bindparam("message"))
    .values(
        reply_to_id=bindparam("to_id"),
        reply_to_seq=bindparam("to_seq"),
        thread_id=bindparam("thread"),
        thread_seq=bindparam("place"),
    )
)
_count = (
    update(messages)
    .where(m.id == bindparam("message"))
    .values(replies=bindparam("count_now"), last_reply_seq=bindparam("last"))
)
_forget = delete(followers).where(c.account_id == bindparam("account"), c.thread_id == bindparam("thread"))
_insert = insert(followers)
_insert_message = insert(thread_messages)
_IN_THREAD = MESSAGE.join(thread_messages, t.message_id == m.id).where(t.thread_id == bindparam("thread"))
_LIMIT = bindparam("limit", type_=Id)
_OLDER = _IN_THREAD.where(t.seq < bindparam("before")).order_by(t.seq.desc()).limit(_LIMIT)
_NEWER = _IN_THREAD.where(t.seq > bindparam("after")).order_by(t.seq).limit(_LIMIT)
_MINE = (
    select(c.thread_id, c.room_id)
    .where(
        c.account_id == bindparam("account"),
        c.follows == 1,
        c.thread_id < bindparam("before"),
        or_(
            c.room_id == LOBBY_ID,
            c.room_id.in_(select(members.c.room_id).where(members.c.account_id == bindparam("account"))),
        ),
    )
    .order_by(c.thread_id.desc())
    .limit(_LIMIT)
)


def _followers(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(followers), c.thread_id, c.account_id)


def _above(part: Part) -> Select[Any]:
    after = (t.thread_id == part(0), t.seq > part(1), m.deleted_by.is_(None))
    return select(ONE).join_from(thread_messages, messages, m.id == t.message_id).where(*after)


_unread = counts_by_key(_above, MAX_COUNTED)


def _load(tx: Transaction, keys: Collection[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], bool]]:
    return (((row.thread_id, row.account_id), bool(row.follows)) for row in tx.read_by_keys(_followers, keys))


def _write_links(tx: Transaction, events: list[MessageRefers]) -> None:
    replies = [e for e in events if e.references.to_id is not None or e.references.thread_id is not None]
    links = [
        {
            "message": event.message_id,
            "to_id": event.references.to_id,
            "to_seq": event.references.to_seq,
            "thread": event.references.thread_id,
            "place": event.references.thread_seq,
        }
        for event in replies
    ]
    tx.write_each(_link, links)
    in_threads = {(e.references.thread_id, e.seq): e for e in replies if e.references.thread_id is not None}
    rows = [{"thread_id": id, "seq": seq, "message_id": e.message_id} for (id, seq), e in in_threads.items()]
    tx.write_each(_insert_message, rows)
    last = {id: event for (id, _), event in in_threads.items()}
    counts = [{"message": id, "count_now": e.references.thread_seq, "last": e.seq} for id, e in last.items()]
    tx.write_each(_count, counts)


def _write_followers(tx: Transaction, events: list[ThreadFollowed]) -> None:
    last = {(-event.log_id, event.thread_id): event for event in events}
    tx.write_each(_forget, [{"account": account_id, "thread": thread_id} for account_id, thread_id in last])
    rows = [
        {"account_id": account_id, "thread_id": thread_id, "room_id": event.room_id, "follows": int(event.follows)}
        for (account_id, thread_id), event in last.items()
    ]
    tx.write_each(_insert, rows)


SUBJECT = Subject(
    loads={FOLLOWERS: _load},
    writes={(MessageRefers,): _write_links, (ThreadFollowed,): _write_followers},
    entries=(ThreadFollowed,),
)


# Queries.


def thread(
    tx: Transaction, room_id: int, thread_id: int, limit: int, before: int | None, after: int | None
) -> MessagePage:
    """Read a page of the messages that follow the first one of a thread, as `messages.history` does."""
    head_seq = head_seqs(tx, [room_id]).get(room_id, 0)
    return page_of(tx, Shelf(_OLDER, _NEWER, {"thread": thread_id}), head_seq, limit, before=before, after=after)


def followed_threads(tx: Transaction, account_id: int, before: int, limit: int) -> list[ThreadView]:
    """Read the threads that an account follows, in the rooms that it is in. Ids are below `before`, and fall."""
    found = tx.read(_MINE, account=account_id, before=before, limit=limit)
    first = [message_of(row) for row in tx.read_by_keys(messages_by_id, [row.thread_id for row in found])]
    roots = {message.id: message for message in with_reactions(tx, account_id, first)}
    rooms = {row.room_id for row in found}
    mine = {room_id: member for (room_id, _), member in load_members(tx, [(id, account_id) for id in rooms])}
    positions = [(row.thread_id, mine[row.room_id].read_seq) for row in found if row.room_id in mine]
    unread = {row.of_key: row.count_ for row in tx.read_by_keys(_unread, positions)}
    return [ThreadView(roots[row.thread_id], unread.get(row.thread_id)) for row in found]
