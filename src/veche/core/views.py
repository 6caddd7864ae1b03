"""What queries answer: values that are put together for one reader and never stored."""

import msgspec

from veche.core.messages import Message
from veche.core.values import Head, LogId, Member, Person, Role, Room


class RoomView(msgspec.Struct, frozen=True):
    """A room as one account sees it.

    `member` is None where the account is not in the room. `peer` is the other person of a direct room.
    """

    room: Room
    head: Head
    member: Member | None = None
    peer: Person | None = None
    last_message: Message | None = None

    @property
    def unread(self) -> int | None:
        """How many messages come after the read pointer. It is a difference, so no rows are counted."""
        return self.head.message_count - self.member.read_count if self.member else None

    @property
    def name(self) -> str:
        """The name of the room. A direct room without a name has the other person's."""
        return self.room.name or (self.peer.name if self.peer else "")


class MemberView(msgspec.Struct, frozen=True, gc=False):
    """A member with the person's names."""

    person: Person
    role: Role
    joined_at: int


class Welcome(msgspec.Struct, frozen=True):
    """What a client that connects begins with, as of one moment.

    `heads` has the heads of the account's own log and of the lobby. `session_exists` is false where the session of the
    connection has ended.
    """

    session_exists: bool
    epoch: str
    rooms: list[RoomView]
    heads: dict[LogId, int]
