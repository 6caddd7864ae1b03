"""Converts values of the core to the values that native clients get."""

from datetime import datetime, timedelta
from functools import lru_cache

from veche.core.messages import Message, MessagePage
from veche.core.text import size_of
from veche.core.values import Account
from veche.core.views import MemberView, RoomView
from veche.dialects.native import out
from veche.dialects.native.limits import PAGE_BYTES

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # in UTC; without a time zone, because that is faster


@lru_cache(maxsize=64)  # the answer to a message and the event have the same time
def time_of(at: int) -> str:
    """Format microseconds since 1970 as RFC 3339, `2026-11-20T20:21:51.745308Z`."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="microseconds") + "Z"


def account_out(account: Account) -> out.Account:
    """Convert the signed-in account, with its e-mail."""
    return out.Account(account.id, account.username, account.name, account.email)


def message_out(message: Message) -> out.Message:
    """Convert a message."""
    return out.Message(
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


def room_out(view: RoomView) -> out.Room:
    """Convert a room with all fields, as REST sends it."""
    member = view.member
    return out.Room(
        id=view.room.id,
        kind=view.room.kind,
        name=view.name,
        created_at=time_of(view.room.created_at),
        head_seq=view.head.last_seq,
        unread=view.unread,
        read_seq=member.read_seq if member else None,
        role=member.role if member else None,
        last_message=message_out(view.last_message) if view.last_message else None,
    )


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
    items: list[out.Room] = []
    size = 0
    for view in found[:limit]:
        items.append(room_out(view))
        size += size_of(view.last_message.text) if view.last_message else 0
        if size > PAGE_BYTES:
            break
    return out.RoomPage(items, str(items[-1].id) if len(found) > len(items) else None)
