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
    MANAGE = "manage"  # add members, give and take roles
    INVITE = "invite"  # invite people, make links by which they join, and see both
    REMOVE = "remove"  # remove members of a lower role; ban people, and see who is banned
    RENAME = "rename"
    ADJUST = "adjust"  # set the topic and slow mode
    ARCHIVE = "archive"  # archive the room, and bring it back
    MODERATE = "moderate"  # delete what others said
    MENTION_ALL = "mention_all"  # mention everybody in the room
    PIN = "pin"  # pin messages, and take pins away


class Verdict(StrEnum):
    """Whether a right is granted, and if not, the reason."""

    YES = "yes"
    HIDDEN = "hidden"  # the account is not in the room, and must not learn that the room exists
    OUTSIDE = "outside"  # the account can see the room, but has to join it first
    NOT_OWNER = "not_owner"
    NOT_MODERATOR = "not_moderator"  # neither the owner nor a moderator
    READER = "reader"  # readers only read
    DIRECT = "direct"  # nobody can leave a direct room, be added to it or be removed from it; nobody owns it
    LOBBY = "lobby"  # nobody can be added to the lobby or removed from it: every account is in it; nobody owns it
    ARCHIVED = "archived"  # the account could do it if the room were not archived


YES, HIDDEN, OUTSIDE = Verdict.YES, Verdict.HIDDEN, Verdict.OUTSIDE

VerdictsByRole: TypeAlias = tuple[Verdict, Verdict, Verdict, Verdict, Verdict]
"""The verdicts for an account that is not in the room, for a reader, a member, a moderator, and the owner."""

_COLUMNS: Mapping[Role, int] = {Role.READER: 1, Role.MEMBER: 2, Role.MODERATOR: 3, Role.OWNER: 4}

_MEMBERS_ONLY: Mapping[Kind, VerdictsByRole] = {
    Kind.DIRECT: (HIDDEN, YES, YES, YES, YES),
    Kind.GROUP: (HIDDEN, YES, YES, YES, YES),
    Kind.CHANNEL: (OUTSIDE, YES, YES, YES, YES),
    Kind.LOBBY: (YES, YES, YES, YES, YES),
}
_MEMBERS_OR_PUBLIC_ROOM: Mapping[Kind, VerdictsByRole] = {**_MEMBERS_ONLY, Kind.CHANNEL: (YES, YES, YES, YES, YES)}
_NOT_READERS: Mapping[Kind, VerdictsByRole] = {
    **_MEMBERS_ONLY,
    Kind.GROUP: (HIDDEN, Verdict.READER, YES, YES, YES),
    Kind.CHANNEL: (OUTSIDE, Verdict.READER, YES, YES, YES),
}
_NOBODY: Mapping[Kind, VerdictsByRole] = {
    Kind.DIRECT: (HIDDEN, Verdict.DIRECT, Verdict.DIRECT, Verdict.DIRECT, Verdict.DIRECT),
    Kind.LOBBY: (Verdict.LOBBY, Verdict.LOBBY, Verdict.LOBBY, Verdict.LOBBY, Verdict.LOBBY),
}
_MODERATORS: Mapping[Kind, VerdictsByRole] = {
    **_NOBODY,
    Kind.GROUP: (HIDDEN, Verdict.NOT_MODERATOR, Verdict.NOT_MODERATOR, YES, YES),
    Kind.CHANNEL: (OUTSIDE, Verdict.NOT_MODERATOR, Verdict.NOT_MODERATOR, YES, YES),
}
_OWNER_ONLY: Mapping[Kind, VerdictsByRole] = {
    **_NOBODY,
    Kind.GROUP: (HIDDEN, Verdict.NOT_OWNER, Verdict.NOT_OWNER, Verdict.NOT_OWNER, YES),
    Kind.CHANNEL: (OUTSIDE, Verdict.NOT_OWNER, Verdict.NOT_OWNER, Verdict.NOT_OWNER, YES),
}

MATRIX: Mapping[Right, Mapping[Kind, VerdictsByRole]] = {
    Right.SEE: _MEMBERS_OR_PUBLIC_ROOM,
    Right.JOIN: _MEMBERS_OR_PUBLIC_ROOM,
    Right.READ: _MEMBERS_ONLY,
    Right.SPEAK: _NOT_READERS,
    Right.LEAVE: {**_MEMBERS_ONLY, Kind.DIRECT: _NOBODY[Kind.DIRECT]},
    Right.MANAGE: _OWNER_ONLY,
    Right.INVITE: _MODERATORS,
    Right.REMOVE: _MODERATORS,
    Right.RENAME: _OWNER_ONLY,
    Right.ADJUST: _MODERATORS,
    Right.ARCHIVE: _OWNER_ONLY,
    Right.MODERATE: _MODERATORS,
    Right.MENTION_ALL: {**_MODERATORS, Kind.DIRECT: _MEMBERS_ONLY[Kind.DIRECT], Kind.GROUP: _MEMBERS_ONLY[Kind.GROUP]},
    Right.PIN: {**_MODERATORS, Kind.DIRECT: _MEMBERS_ONLY[Kind.DIRECT], Kind.GROUP: _NOT_READERS[Kind.GROUP]},
}

OF_ARCHIVED = frozenset({Right.SEE, Right.READ, Right.LEAVE, Right.ARCHIVE})
"""The rights that an archived room leaves."""


def _when_archived(verdicts: VerdictsByRole) -> VerdictsByRole:
    outside, reader, member, moderator, owner = (Verdict.ARCHIVED if one is YES else one for one in verdicts)
    return outside, reader, member, moderator, owner


_MATRIX_OF_ARCHIVED: Mapping[Right, Mapping[Kind, VerdictsByRole]] = {
    right: kinds if right in OF_ARCHIVED else {kind: _when_archived(kinds[kind]) for kind in kinds}
    for right, kinds in MATRIX.items()
}
_MATRICES = (MATRIX, _MATRIX_OF_ARCHIVED)


def verdict_for(right: Right, room: Room, member: Member | None) -> Verdict:
    """Return the verdict for a right. `member` is None if the account has no member row in the room."""
    return _MATRICES[room.archived_at is not None][right][room.kind][0 if member is None else _COLUMNS[member.role]]


def check_access(right: Right, room: Room | None, member: Member | None) -> Room:
    """Return the room if the account has the right in it.

    Raises ChatError: NOT_FOUND if there is no such room or it is hidden, NOT_MEMBER, or FORBIDDEN.
    """
    if room is None:
        raise ChatError(Code.NOT_FOUND, "No such room.", what="room")
    if (verdict := verdict_for(right, room, member)) is not YES:
        raise _refusal(right, verdict, room)
    return room


def archived() -> ChatError:
    """Make the refusal of what an archived room does not take."""
    return ChatError(Code.FORBIDDEN, "This room is archived.", reason="archived")


def check_is_above(member: Member, other: Member) -> None:
    """Raise ChatError (FORBIDDEN) if the role of a member is not above that of the other."""
    if member.role.place >= other.role.place:
        raise ChatError(Code.FORBIDDEN, "This member has no lower role than you.")


_BY_ROLE = {
    Verdict.NOT_OWNER: "Only the owner of a room may do this.",
    Verdict.NOT_MODERATOR: "Only the owner and the moderators of a room may do this.",
}
_IN_DIRECT = {
    Right.LEAVE: "A direct room cannot be left.",
    Right.MANAGE: "A direct room always has the same two members.",
    Right.INVITE: "A direct room always has the same two members.",
    Right.REMOVE: "A direct room always has the same two members.",
    Right.RENAME: "A direct room cannot be renamed.",
    Right.ADJUST: "A direct room has no settings.",
    Right.ARCHIVE: "A direct room cannot be archived.",
    Right.MODERATE: "In a direct room, only its author may delete a message.",
}
_IN_LOBBY = {
    Right.RENAME: "The lobby cannot be renamed.",
    Right.ADJUST: "The lobby has no settings.",
    Right.ARCHIVE: "The lobby cannot be archived.",
    Right.MODERATE: "In the lobby, only its author may delete a message.",
    Right.PIN: "Nobody may pin a message of the lobby.",
}


def _refusal(right: Right, verdict: Verdict, room: Room) -> ChatError:
    match verdict:
        case Verdict.OUTSIDE:
            return ChatError(Code.NOT_MEMBER, "You are not in this room.", room_id=room.id)
        case Verdict.READER:
            return ChatError(Code.FORBIDDEN, "You may only read in this room.", role="reader")
        case Verdict.NOT_OWNER | Verdict.NOT_MODERATOR:
            return ChatError(Code.FORBIDDEN, _BY_ROLE[verdict])
        case Verdict.DIRECT:
            return ChatError(Code.FORBIDDEN, _IN_DIRECT[right], kind="direct")
        case Verdict.LOBBY:
            return ChatError(Code.FORBIDDEN, _IN_LOBBY.get(right, "Everybody is in the lobby."))
        case Verdict.ARCHIVED:
            return archived()
    return ChatError(Code.NOT_FOUND, "No such room.", what="room", private=True)
