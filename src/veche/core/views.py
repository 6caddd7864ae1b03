"""What queries answer: values put together for the eye, never stored as such."""

import msgspec

from veche.core.messages import Message
from veche.core.values import Head, LogId, Member, Person, Role, Room


class RoomView(msgspec.Struct, frozen=True):
    """A room as one account sees it. `member`: None for who is not in it; `peer`: the other one of a direct room."""

    room: Room
    head: Head
    member: Member | None = None
    peer: Person | None = None
    last_message: Message | None = None

    @property
    def unread(self) -> int | None:
        """How many messages stand after the read pointer: a difference, never a count."""
        return self.head.message_count - self.member.read_count if self.member else None

    @property
    def name(self) -> str:
        """The room's name; a direct room without one bears the other person's."""
        return self.room.name or (self.peer.name if self.peer else "")


class MemberView(msgspec.Struct, frozen=True, gc=False):
    """A member with a face."""

    person: Person
    role: Role
    joined_at: int


class Welcome(msgspec.Struct, frozen=True):
    """What somebody who connects begins with: the epoch, their rooms, the heads of their own log and the lobby's.

    `stands`: whether the session by which they connect has not ended meanwhile.
    """

    stands: bool
    epoch: str
    rooms: list[RoomView]
    heads: dict[LogId, int]
