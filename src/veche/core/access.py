"""Access: the table that says who may do what in a room. Commands and queries use the same table."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

from veche.core.errors import ChatError, Code
from veche.core.values import Kind, Member, Role, Room


class Right(StrEnum):
    """What an account may do or see in a room."""

    SEE = "see"  # see that the room exists, its name and its members
    READ = "read"  # read the room's messages, and move one's own read pointer
    SPEAK = "speak"
    JOIN = "join"
    LEAVE = "leave"
    MANAGE = "manage"  # add and remove members
    RENAME = "rename"


class Verdict(StrEnum):
    """Whether a right is granted, and if not, the reason."""

    YES = "yes"
    HIDDEN = "hidden"  # the account is not in the room, and must not learn that the room exists
    OUTSIDE = "outside"  # the account can see the room, but has to join it first
    NOT_OWNER = "not_owner"
    DIRECT = "direct"  # nobody can leave a direct room, be added to it or be removed from it, or rename it
    LOBBY = "lobby"  # nobody can be added to the lobby or removed from it: every account is in it; nor rename it


YES, HIDDEN, OUTSIDE = Verdict.YES, Verdict.HIDDEN, Verdict.OUTSIDE

VerdictsByRole: TypeAlias = tuple[Verdict, Verdict, Verdict]
"""The verdicts for an account that is not in the room, for a member, and for the owner."""

_MEMBERS_ONLY: Mapping[Kind, VerdictsByRole] = {
    Kind.DIRECT: (HIDDEN, YES, YES),
    Kind.GROUP: (HIDDEN, YES, YES),
    Kind.CHANNEL: (OUTSIDE, YES, YES),
    Kind.LOBBY: (YES, YES, YES),
}
_MEMBERS_OR_PUBLIC_ROOM: Mapping[Kind, VerdictsByRole] = {**_MEMBERS_ONLY, Kind.CHANNEL: (YES, YES, YES)}
_OWNER_ONLY: Mapping[Kind, VerdictsByRole] = {
    Kind.DIRECT: (HIDDEN, Verdict.DIRECT, Verdict.DIRECT),
    Kind.GROUP: (HIDDEN, Verdict.NOT_OWNER, YES),
    Kind.CHANNEL: (OUTSIDE, Verdict.NOT_OWNER, YES),
    Kind.LOBBY: (Verdict.LOBBY, Verdict.LOBBY, Verdict.LOBBY),
}

MATRIX: Mapping[Right, Mapping[Kind, VerdictsByRole]] = {
    Right.SEE: _MEMBERS_OR_PUBLIC_ROOM,
    Right.JOIN: _MEMBERS_OR_PUBLIC_ROOM,
    Right.READ: _MEMBERS_ONLY,
    Right.SPEAK: _MEMBERS_ONLY,
    Right.LEAVE: {**_MEMBERS_ONLY, Kind.DIRECT: (HIDDEN, Verdict.DIRECT, Verdict.DIRECT)},
    Right.MANAGE: _OWNER_ONLY,
    Right.RENAME: _OWNER_ONLY,
}


def verdict_for(right: Right, room: Room, member: Member | None) -> Verdict:
    """Return the verdict for a right. `member` is None if the account has no member row in the room."""
    column = 0 if member is None else 2 if member.role is Role.OWNER else 1
    return MATRIX[right][room.kind][column]


def check_access(right: Right, room: Room | None, member: Member | None) -> Room:
    """Return the room if the account has the right in it.

    Raises ChatError: NOT_FOUND if there is no such room or it is hidden, NOT_MEMBER, or FORBIDDEN.
    """
    if room is None:
        raise ChatError(Code.NOT_FOUND, "No such room.", what="room")
    if (verdict := verdict_for(right, room, member)) is not YES:
        raise _refusal(right, verdict, room)
    return room


_OWNERS_RIGHT = "Only the owner of a room may do this."
_IN_DIRECT = {
    Right.LEAVE: "A direct room cannot be left.",
    Right.MANAGE: "A direct room always has the same two members.",
    Right.RENAME: "A direct room cannot be renamed.",
}
_IN_LOBBY = {Right.RENAME: "The lobby cannot be renamed."}


def _refusal(right: Right, verdict: Verdict, room: Room) -> ChatError:
    match verdict:
        case Verdict.OUTSIDE:
            return ChatError(Code.NOT_MEMBER, "You are not in this room.", room_id=room.id)
        case Verdict.NOT_OWNER:
            return ChatError(Code.FORBIDDEN, _OWNERS_RIGHT)
        case Verdict.DIRECT:
            return ChatError(Code.FORBIDDEN, _IN_DIRECT[right], kind="direct")
        case Verdict.LOBBY:
            return ChatError(Code.FORBIDDEN, _IN_LOBBY.get(right, "Everybody is in the lobby."))
    return ChatError(Code.NOT_FOUND, "No such room.", what="room", private=True)
