"""Converts values of the core to the values that native clients get."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from veche.core.messages import NOTHING, Message, MessagePage
from veche.core.text import size_of
from veche.core.values import Account, FileInfo, Level
from veche.core.views import MemberView, RoomView
from veche.dialects.native import out
from veche.dialects.native.limits import PAGE_BYTES

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # in UTC; without a time zone, because that is faster


@lru_cache(maxsize=64)  # the answer to a message and the event have the same time
def time_of(at: int) -> str:
    """Format microseconds since 1970 as RFC 3339, `2026-11-20T20:21:51.745308Z`."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="microseconds") + "Z"


def time_or_none(at: int | None) -> str | None:
    """Format microseconds since 1970 as `time_of` does, or return None if there is no such time."""
    return None if at is None else time_of(at)


def account_out(account: Account) -> out.Account:
    """Convert the signed-in account, with its e-mail."""
    found = out.Account(account.id, account.username, account.name, account.email)
    if account.hides_reading:
        found.hides_reading = True
    return found


def message_out(message: Message) -> out.Message:
    """Convert a message."""
    found = out.Message(
        message.id,
        message.log_id,
        message.seq,
        message.type,
        message.sender,
        message.text,
        message.client_message_id,
        message.dialect,
        time_of(message.at),
    )
    if message.revision or message.references is not None or message.replies or message.reactions:
        _add_more(found, message)
    return found


def file_out(file: FileInfo) -> out.File:
    """Convert a file."""
    found = out.File(file.id, file.name, file.size, file.type)
    if file.width is not None and file.height is not None:
        found.width, found.height = file.width, file.height
    return found


def _add_more(found: out.Message, message: Message) -> None:
    """Add what only a message has that was changed, refers to others, begins a thread, or has reactions."""
    refers = message.references or NOTHING
    if refers.to_id is not None and refers.to_seq is not None:
        found.reply_to = out.MessageRef(refers.to_id, refers.to_seq)
    if refers.thread_id is not None and refers.thread_seq is not None:
        found.thread_id, found.thread_seq = refers.thread_id, refers.thread_seq
    if refers.mentions.ids:
        found.mentions = list(refers.mentions.ids)
    if refers.mentions.room:
        found.mentions_room = True
    if refers.files:
        found.files = list(map(file_out, refers.files))
    if message.replies and message.last_reply_seq is not None:
        found.replies, found.last_reply_seq = message.replies, message.last_reply_seq
    if message.reactions:
        found.reactions = [out.Reaction(one.emoji, one.count, one.mine) for one in message.reactions]
    if message.revision:
        found.revision = message.revision
    if message.edited_at is not None:
        found.edited_at = time_of(message.edited_at)
    if message.deleted_by is not None:
        found.deleted_by_id = message.deleted_by


def room_in_hello(view: RoomView) -> out.Room:
    """Convert a room as the answer to `hello` shows it."""
    room, member = view.room, view.member
    found = out.Room(
        id=room.id,
        kind=room.kind,
        name=view.name,
        head_seq=view.head.last_seq,
        unread=view.unread,
        mentions=view.mentions,
        read_seq=member.read_seq if member else None,
        role=member.role if member else None,
    )
    if view.peer is not None:
        found.peer = view.peer
    if room.topic:
        found.topic = room.topic
    if room.archived_at is not None:
        found.archived = True
    if room.slow_seconds:
        found.slow_seconds = room.slow_seconds
    if member is not None and member.level is not Level.ALL:
        found.notify = member.level
    return found


def room_out(view: RoomView) -> out.Room:
    """Convert a room with all fields, as REST sends it."""
    found = room_in_hello(view)
    found.created_at = time_of(view.room.created_at)
    found.last_message = message_out(view.last_message) if view.last_message else None
    return found


def member_out(view: MemberView) -> out.Member:
    """Convert a member."""
    person = view.person
    return out.Member(person.id, person.username, person.name, view.role, time_of(view.joined_at))


def message_page(page: MessagePage) -> out.MessagePage:
    """Convert a page of messages."""
    return out.MessagePage(list(map(message_out, page.items)), page.more_before, page.more_after, page.head_seq)


def room_page(found: list[RoomView], limit: int) -> out.RoomPage:
    """Convert a page of at most `limit` rooms. It ends once its last messages have more text than PAGE_BYTES.

    If more rooms were found, the page has a cursor.
    """
    end = pages_end([view.last_message for view in found[:limit]])
    items = [room_out(view) for view in found[:end]]
    return out.RoomPage(items, str(items[-1].id) if len(found) > len(items) else None)


def pages_end(messages: Sequence[Message | None]) -> int:
    """Return how many items a page has, each with a message. It ends once they have more text than PAGE_BYTES."""
    size = 0
    for index, message in enumerate(messages, 1):
        size += size_of(message.text) if message is not None else 0
        if size > PAGE_BYTES:
            return index
    return len(messages)
