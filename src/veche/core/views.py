"""The results of queries. They are made for one account, and are never stored."""

import msgspec

from veche.core.messages import Message
from veche.core.values import Head, LogId, Member, Person, Role, Room, Session


class RoomView(msgspec.Struct, frozen=True):
    """A room as one account sees it.

    `member` is None if the account has no member row in the room. `peer` is the other person of a direct room.
    `deleted` is how many messages after the read pointer are deleted, counted up to 1,000. `mentioned` is how many of
    them mention the account, counted up to 100.
    """

    room: Room
    head: Head
    member: Member | None = None
    peer: Person | None = None
    last_message: Message | None = None
    deleted: int = 0
    mentioned: int = 0

    @property
    def unread(self) -> int | None:
        """The number of messages after the read pointer that are not deleted, or None without a member row."""
        return self.head.message_count - self.member.read_count - self.deleted if self.member else None

    @property
    def mentions(self) -> int | None:
        """How many unread messages mention the account, up to 100, or None without a member row."""
        return self.mentioned if self.member else None

    @property
    def name(self) -> str:
        """The name of the room. For a direct room without a name, this is the name of the other person."""
        return self.room.name or (self.peer.name if self.peer else "")


class MemberView(msgspec.Struct, frozen=True, gc=False):
    """A member of a room, with the names of the account."""

    person: Person
    role: Role
    joined_at: int


class ThreadView(msgspec.Struct, frozen=True, gc=False):
    """A thread that an account follows: its first message, and how many messages in it are unread, counted up to 100.

    `unread` is None if the account has no read pointer in the room.
    """

    root: Message
    unread: int | None


class PinView(msgspec.Struct, frozen=True, gc=False):
    """A pinned message: the seq of the entry that pinned it, who did it, and when, in microseconds since 1970."""

    message: Message
    seq: int
    by: Person
    at: int


class SessionView(msgspec.Struct, frozen=True, gc=False):
    """A session, and when it was refreshed last, in microseconds since 1970."""

    session: Session
    refreshed_at: int | None


class BanView(msgspec.Struct, frozen=True, gc=False):
    """A ban from a room, with the names of the account. Times are in microseconds since 1970."""

    person: Person
    by_id: int
    at: int
    until: int | None


class InvitationView(msgspec.Struct, frozen=True, gc=False):
    """A room that an account is invited into, who invited it, and when, in microseconds since 1970.

    `first` is the first message of a direct room, if there is one.
    """

    room: Room
    by: Person
    at: int
    first: Message | None = None


class InvitedView(msgspec.Struct, frozen=True, gc=False):
    """An account that is invited into a room, who invited it, and when, in microseconds since 1970."""

    person: Person
    by_id: int
    at: int


class Revision(msgspec.Struct, frozen=True, gc=False):
    """An earlier text of a message. `at` is when the author wrote it, in microseconds since 1970."""

    revision: int
    text: str
    at: int


class Welcome(msgspec.Struct, frozen=True):
    """What a client needs when it connects, read in one snapshot.

    `heads` has the highest seqs of the account's own log, of the lobby, and of all rooms that it is a member of.
    `rooms` has the rooms whose last messages are the newest, in the order of their ids, without their last messages.
    `more` is True if the account has more rooms. `session_exists` is False if the session of the connection has ended.
    """

    session_exists: bool
    epoch: str
    rooms: list[RoomView]
    heads: dict[LogId, int]
    more: bool = False
