"""The values that rows and events are made of: accounts, sessions, rooms, members, and the heads of logs.

Times are microseconds since 1970 in UTC.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

LogId: TypeAlias = int
"""A room's log has the room's id. An account's own log has the account's id, negated."""

LOBBY_ID = 2**31 - 1
SYSTEM_ID = 2**31 - 1  # the account that writes notices
ANONYMOUS_ID = 2**31 - 2  # the account of clients without one, where an operator allows them
RESERVED_IDS = 2**31 - 1024  # ids from here up are built in; accounts and rooms count up from 1


def valid_person_id(id: int) -> int:
    """Return the id, or 0, which is never an id, if only a built-in account can have it, or none."""
    return id if 0 < id < RESERVED_IDS else 0


def account_log(account_id: int) -> LogId:
    """Give the id of the account's own log: what concerns this account alone."""
    return -account_id


class Person(msgspec.Struct, frozen=True, gc=False):
    """What everybody may see of an account."""

    id: int
    username: str
    name: str


class Account(msgspec.Struct, frozen=True, gc=False):
    """One account. `handle` is the form of `username` that is unique."""

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
    """One login, by one dialect. A token is valid as long as its session exists."""

    id: str
    account_id: int
    dialect: str
    created_at: int
    expires_at: int


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
    """One room. `direct_key` names the two people of a direct room; `unique_name` is set where a dialect asks."""

    id: int
    kind: Kind
    name: str
    creator_id: int
    created_at: int
    direct_key: str | None = None
    unique_name: str | None = None

    def peer_of(self, account_id: int) -> int | None:
        """Give the id of the other person of a direct room; None for every other room."""
        if self.direct_key is None:
            return None
        low, high = map(int, self.direct_key.split(":"))
        return high if low == account_id else low


class Member(msgspec.Struct, frozen=True, gc=False):
    """One account in one room. `read_seq` is its read pointer; `read_count` counts the room's messages up to there."""

    room_id: int
    account_id: int
    role: Role
    joined_at: int
    read_seq: int = 0
    read_count: int = 0


class Head(msgspec.Struct, frozen=True, gc=False):
    """The end of a log: its highest seq. A room's head also counts its messages and names the last one."""

    last_seq: int = 0
    message_count: int = 0
    last_message_id: int | None = None


def direct_key(one: int, other: int) -> str:
    """Name a pair of accounts, in either order."""
    return f"{min(one, other)}:{max(one, other)}"
