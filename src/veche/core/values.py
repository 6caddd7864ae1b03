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
MICROSECONDS = 1_000_000  # in a second
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
    """One account. `handle` is a form of `username` that only one account can have (see `names.handle_of`).

    `hides_reading`: nobody sees what it has read, and it does not see what others have read.
    """

    id: int
    username: str
    handle: str
    name: str
    email: str | None
    created_at: int
    hides_reading: bool = False

    @property
    def person(self) -> Person:
        """The part that everybody may see."""
        return Person(self.id, self.username, self.name)


class Session(msgspec.Struct, frozen=True, gc=False):
    """One login through one dialect. A token is valid only while its session exists. `device` is a name for people."""

    id: str
    account_id: int
    dialect: str
    created_at: int
    expires_at: int
    device: str | None = None


class FileInfo(msgspec.Struct, frozen=True, gc=False):
    """A file of a message, as everybody in the room may see it. `size` is in bytes.

    `type` is the media type that its bytes have. `width` and `height` in pixels are there for images.
    """

    id: str
    name: str
    size: int
    type: str
    width: int | None = None
    height: int | None = None


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
    """The role of a member in a room, from the highest to the lowest."""

    OWNER = "owner"
    MODERATOR = "moderator"
    MEMBER = "member"
    READER = "reader"

    @property
    def place(self) -> int:
        """How many roles are above this one."""
        return _ROLES.index(self)


_ROLES = tuple(Role)


class Level(StrEnum):
    """Of which messages of a room a member wants to be told. The clients go by it."""

    ALL = "all"
    MENTIONS = "mentions"
    NONE = "none"


class Room(msgspec.Struct, frozen=True, gc=False):
    """One room.

    `direct_key` has the ids of the two members of a direct room, and is None for other rooms. `unique_name` is the name
    if the room was created with `CreateRoom.unique`, or else None. `archived_at` is None if the room is not archived.
    `slow_seconds` is the time between two messages of one member, or 0 (`core.slow_mode`).
    """

    id: int
    kind: Kind
    name: str
    creator_id: int
    created_at: int
    direct_key: str | None = None
    unique_name: str | None = None
    topic: str = ""
    archived_at: int | None = None
    slow_seconds: int = 0

    def peer_of(self, account_id: int) -> int | None:
        """Return the id of the other member of a direct room, or None if the room is not direct."""
        if self.direct_key is None:
            return None
        low, high = map(int, self.direct_key.split(":"))
        return high if low == account_id else low


class Member(msgspec.Struct, frozen=True, gc=False):
    """One account in one room. `read_seq` is its read pointer. `read_count` is the `message_count` at that seq.

    `spoke_at` is when it last sent a message there, or 0.
    """

    room_id: int
    account_id: int
    role: Role
    joined_at: int
    read_seq: int = 0
    read_count: int = 0
    spoke_at: int = 0
    level: Level = Level.ALL


class Invitation(msgspec.Struct, frozen=True, gc=False):
    """An account that is invited into a room and has not answered. `by_id` is who invited it."""

    room_id: int
    account_id: int
    by_id: int
    at: int


class Link(msgspec.Struct, frozen=True, gc=False):
    """A link by which people join a room: whoever has its code may use it.

    `until` is None if it does not expire. `uses_left` is None if it may be used without a limit.
    """

    code: str
    room_id: int
    by_id: int
    created_at: int
    until: int | None = None
    uses_left: int | None = None


class Ban(msgspec.Struct, frozen=True, gc=False):
    """An account that may not be in a room. `by_id` is who banned it. `until` is None if the ban has no end."""

    room_id: int
    account_id: int
    by_id: int
    at: int
    until: int | None = None


class Head(msgspec.Struct, frozen=True, gc=False):
    """The head of a log, `last_seq`.

    For a room's log, `message_count` counts the messages that are no notices. `last_message_id` is the id of the last
    message, even if it is a notice.
    """

    last_seq: int = 0
    message_count: int = 0
    last_message_id: int | None = None


class Reaction(msgspec.Struct, frozen=True, gc=False):
    """An emoji of a message as one account sees it: how many accounts put it there, and whether this one did."""

    emoji: str
    count: int
    mine: bool


def direct_key(one: int, other: int) -> str:
    """Return the `direct_key` of two accounts. It is the same in either order."""
    return f"{min(one, other)}:{max(one, other)}"
