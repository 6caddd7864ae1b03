"""Accounts, rooms and members to the JSON of the native contract."""

from typing import Any

from veche.core.accounts import Account
from veche.core.views import MemberView, RoomView
from veche.dialects.native.encode import message_out, time_of


def account_out(account: Account) -> dict[str, Any]:
    """Make the JSON value of one's own account."""
    return {"id": account.id, "username": account.username, "name": account.name, "email": account.email}


def room_out(view: RoomView) -> dict[str, Any]:
    """Make the JSON value of a room as one account sees it."""
    member = view.member
    return {
        "id": view.room.id,
        "kind": view.room.kind,
        "name": view.name,
        "created_at": time_of(view.room.created_at),
        "head_seq": view.head.last_seq,
        "unread": view.unread,
        "read_seq": member.read_seq if member else None,
        "role": member.role if member else None,
        "last_message": message_out(view.last_message) if view.last_message else None,
    }


def member_out(view: MemberView) -> dict[str, Any]:
    """Make the JSON value of a member."""
    person = view.person
    return {
        "id": person.id,
        "username": person.username,
        "name": person.name,
        "role": view.role,
        "joined_at": time_of(view.joined_at),
    }
