"""Who may do what in a room: one table, for commands and for queries."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

from veche.core.errors import ChatError, Code
from veche.core.values import Kind, Member, Role, Room


class Right(StrEnum):
    """What somebody may do in a room, or see of it."""

    SEE = "see"  # that it exists, its name, who is in it
    READ = "read"  # its messages, and move one's read pointer
    SPEAK = "speak"
    JOIN = "join"
    LEAVE = "leave"
    MANAGE = "manage"  # add and remove members


class Verdict(StrEnum):
    """Yes, or why not."""

    YES = "yes"
    HIDDEN = "hidden"  # as if the room did not exist
    OUTSIDE = "outside"  # they can see it, and have to join first
    NOT_OWNER = "not_owner"
    DIRECT = "direct"  # nobody joins or leaves a direct room
    LOBBY = "lobby"  # everybody is in the lobby


YES, HIDDEN, OUTSIDE = Verdict.YES, Verdict.HIDDEN, Verdict.OUTSIDE

Row: TypeAlias = tuple[Verdict, Verdict, Verdict]
"""The verdicts for a stranger, a member, and the owner."""

_INSIDE_ONLY: Mapping[Kind, Row] = {
    Kind.DIRECT: (HIDDEN, YES, YES),
    Kind.GROUP: (HIDDEN, YES, YES),
    Kind.CHANNEL: (OUTSIDE, YES, YES),
    Kind.LOBBY: (YES, YES, YES),
}
_IF_PUBLIC: Mapping[Kind, Row] = {**_INSIDE_ONLY, Kind.CHANNEL: (YES, YES, YES)}

MATRIX: Mapping[Right, Mapping[Kind, Row]] = {
    Right.SEE: _IF_PUBLIC,
    Right.JOIN: _IF_PUBLIC,
    Right.READ: _INSIDE_ONLY,
    Right.SPEAK: _INSIDE_ONLY,
    Right.LEAVE: {**_INSIDE_ONLY, Kind.DIRECT: (HIDDEN, Verdict.DIRECT, Verdict.DIRECT)},
    Right.MANAGE: {
        Kind.DIRECT: (HIDDEN, Verdict.DIRECT, Verdict.DIRECT),
        Kind.GROUP: (HIDDEN, Verdict.NOT_OWNER, YES),
        Kind.CHANNEL: (OUTSIDE, Verdict.NOT_OWNER, YES),
        Kind.LOBBY: (Verdict.LOBBY, Verdict.LOBBY, Verdict.LOBBY),
    },
}


def judge(right: Right, room: Room, member: Member | None) -> Verdict:
    """Look a right up; `member` is None for an account that is not in the room."""
    column = 0 if member is None else 2 if member.role is Role.OWNER else 1
    return MATRIX[right][room.kind][column]


def check_access(right: Right, room: Room | None, member: Member | None) -> Room:
    """Return the room, or raise the ChatError that says why not. A room that does not exist is not found."""
    if room is None:
        raise ChatError(Code.NOT_FOUND, "No such room.", what="room")
    if (verdict := judge(right, room, member)) is not YES:
        raise _refusal(right, verdict, room)
    return room


_OWNER_ONLY = "Only the owner of a room may do this."


def _refusal(right: Right, verdict: Verdict, room: Room) -> ChatError:
    match verdict:
        case Verdict.OUTSIDE:
            return ChatError(Code.NOT_MEMBER, "You are not in this room.", room_id=room.id)
        case Verdict.NOT_OWNER:
            return ChatError(Code.FORBIDDEN, _OWNER_ONLY)
        case Verdict.DIRECT:
            sentence = "A direct room cannot be left." if right is Right.LEAVE else _OWNER_ONLY
            return ChatError(Code.FORBIDDEN, sentence, kind="direct")
        case Verdict.LOBBY:
            return ChatError(Code.FORBIDDEN, "Everybody is in the lobby.")
    return ChatError(Code.NOT_FOUND, "No such room.", what="room", private=True)
