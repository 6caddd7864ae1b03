"""The results of queries. They are made for one account, and are never stored."""

import msgspec

from veche.core.messages import Message
from veche.core.values import Head, LogId, Member, Person, Role, Room


class RoomView(msgspec.Struct, frozen=True):
    """A room as one account sees it.

    `member` is None if the account has no member row in the room. `peer` is the other person of a direct room.
    """

    room: Room
    head: Head
    member: Member | None = None
    peer: Person | None = None
    last_message: Message | None = None

    @property
    def unread(self) -> int | None:
        """The number of messages after the read pointer, or None without a member row. No rows are counted for it."""
        return self.head.message_count - self.member.read_count if self.member else None

    @property
    def name(self) -> str:
        """The name of the room. For a direct room without a name, this is the name of the other person."""
        return self.room.name or (self.peer.name if self.peer else "")


class MemberView(msgspec.Struct, frozen=True, gc=False):
    """A member of a room, with the names of the account."""

    person: Person
    role: Role
    joined_at: int


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
