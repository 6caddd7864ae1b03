"""The values that rows and events are made of: accounts, sessions, rooms, members, and the heads of logs.

Times are microseconds since 1970 in UTC.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

LogId: TypeAlias = int
"""A room's log has the room's id. An account's own log has the account's id, negated."""

LOBBY_ID = 2**31 - 1  # the room that every account is in; rooms and accounts are numbered separately
SYSTEM_ID = 2**31 - 1  # the account that writes notices
ANONYMOUS_ID = 2**31 - 2  # the account that clients without an account use, if the operator allows them
RESERVED_IDS = 2**31 - 1024  # the first id of built-in accounts and rooms; other ids count up from 1


def valid_person_id(id: int) -> int:
    """Return `id` if it is in the range of ordinary accounts, or else 0, which no account has."""
    return id if 0 < id < RESERVED_IDS else 0


def account_log(account_id: int) -> LogId:
    """Return the id of an account's own log, which contains the events that concern only this account."""
    return -account_id


class Person(msgspec.Struct, frozen=True, gc=False):
    """What everybody may see of an account."""

    id: int
    username: str
    name: str


class Account(msgspec.Struct, frozen=True, gc=False):
    """One account. `handle` is a form of `username` that only one account can have (see `names.handle_of`)."""

    id: int
    username: str
    handle: str
    name: str
    email: str | None
    created_at: int

    @property
    def person(self) -> Person:
        """The part that everybody may see."""
        return Person(self.id, self.username, self.name)


class Session(msgspec.Struct, frozen=True, gc=False):
    """One login through one dialect. A token is valid only while its session exists."""

    id: str
    account_id: int
    dialect: str
    created_at: int
    expires_at: int


class Closed(msgspec.Struct, frozen=True, gc=False):
    """Since when nobody can sign in to an account, and whether it was deleted, which cannot be undone."""

    at: int
    deleted: bool = False


class Kind(StrEnum):
    """The kind of a room: who may join it, and how."""

    DIRECT = "direct"  # two people
    GROUP = "group"  # its owner adds people
    CHANNEL = "channel"  # anybody may join
    LOBBY = "lobby"  # every account is in it, without a row in `members`


PUBLIC = frozenset({Kind.CHANNEL, Kind.LOBBY})


class Role(StrEnum):
    """The role of a member in a room."""

    OWNER = "owner"
    MEMBER = "member"


class Room(msgspec.Struct, frozen=True, gc=False):
    """One room.

    `direct_key` has the ids of the two members of a direct room, and is None for other rooms. `unique_name` is the name
    if the room was created with `CreateRoom.unique`, or else None.
    """

    id: int
    kind: Kind
    name: str
    creator_id: int
    created_at: int
    direct_key: str | None = None
    unique_name: str | None = None

    def peer_of(self, account_id: int) -> int | None:
        """Return the id of the other member of a direct room, or None if the room is not direct."""
        if self.direct_key is None:
            return None
        low, high = map(int, self.direct_key.split(":"))
        return high if low == account_id else low


class Member(msgspec.Struct, frozen=True, gc=False):
    """One account in one room. `read_seq` is its read pointer. `read_count` is the `message_count` at that seq."""

    room_id: int
    account_id: int
    role: Role
    joined_at: int
    read_seq: int = 0
    read_count: int = 0


class Head(msgspec.Struct, frozen=True, gc=False):
    """The head of a log, `last_seq`.

    For a room's log, `message_count` counts the messages that are no notices. `last_message_id` is the id of the last
    message, even if it is a notice.
    """

    last_seq: int = 0
    message_count: int = 0
    last_message_id: int | None = None


def direct_key(one: int, other: int) -> str:
    """Return the `direct_key` of two accounts. It is the same in either order."""
    return f"{min(one, other)}:{max(one, other)}"
