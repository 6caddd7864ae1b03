"""Rooms, who is in them, and the logs that number what happens there."""

from enum import StrEnum
from typing import TypeAlias

import msgspec

LOBBY_ID = 2**31 - 1

LogId: TypeAlias = int
"""A room's log bears the room's id; an account's own log bears the account's id, negated."""


def account_log(account_id: int) -> LogId:
    """Name the log of what concerns one account alone."""
    return -account_id


class Kind(StrEnum):
    """What sort of room: who may enter it, and how."""

    DIRECT = "direct"  # two people
    GROUP = "group"  # by invitation of its owner
    CHANNEL = "channel"  # anybody may join
    LOBBY = "lobby"  # everybody is in it, without a row


PUBLIC = frozenset({Kind.CHANNEL, Kind.LOBBY})


class Role(StrEnum):
    """What a member may do."""

    OWNER = "owner"
    MEMBER = "member"


class Room(msgspec.Struct, frozen=True, gc=False):
    """One room. `direct_key` (`low:high` of the two people) is unique; so is `unique_name`, where a contract asks."""

    id: int
    kind: Kind
    name: str
    creator_id: int
    created_at: int
    direct_key: str | None = None
    unique_name: str | None = None


class Member(msgspec.Struct, frozen=True, gc=False):
    """One person in one room, with how far they have read: the seq, and how many messages stand up to it."""

    room_id: int
    account_id: int
    role: Role
    joined_at: int
    read_seq: int = 0
    read_count: int = 0


class Head(msgspec.Struct, frozen=True, gc=False):
    """The end of a log: its highest seq; for a room also how many messages count as unread, and the last one."""

    last_seq: int = 0
    message_count: int = 0
    last_message_id: int | None = None


def direct_key(one: int, other: int) -> str:
    """Name the pair of two people, whoever comes first."""
    return f"{min(one, other)}:{max(one, other)}"


def direct_peer(key: str, account_id: int) -> int:
    """Return the other account of a pair."""
    low, high = map(int, key.split(":"))
    return high if low == account_id else low
