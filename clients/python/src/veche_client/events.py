"""What a client tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from .errors import VecheError
from .values import (
    Answered,
    Banned,
    Changed,
    Deleted,
    Edited,
    Joined,
    Message,
    Outgoing,
    Own,
    Pinned,
    Reacted,
    Renamed,
    RoleGiven,
    Room,
    Updated,
)

Body = TypeVar("Body")
State = Literal["stopped", "waiting", "connecting", "catching_up", "caught_up"]
"""`waiting`: until the next connection. `catching_up`: what was missed is on its way."""


@dataclass(frozen=True, slots=True)
class LogEvent(Generic[Body]):
    """An entry of a log. Each comes once and in order. `room_id` is None if the log is your own."""

    kind: str
    room_id: int | None
    seq: int
    body: Body


class MessageEvent(LogEvent[Message]):
    """A message."""

    __slots__ = ()


class EditedEvent(LogEvent[Edited]):
    """The text of a message was changed."""

    __slots__ = ()


class DeletedEvent(LogEvent[Deleted]):
    """A message was deleted."""

    __slots__ = ()


class ReactedEvent(LogEvent[Reacted]):
    """Somebody put an emoji to a message, or took it back."""

    __slots__ = ()


class PinnedEvent(LogEvent[Pinned]):
    """Somebody pinned a message, or took its pin away."""

    __slots__ = ()


class JoinedEvent(LogEvent[Joined]):
    """Somebody joined a room."""

    __slots__ = ()


class LeftEvent(LogEvent[Changed]):
    """Somebody left a room, or was removed."""

    __slots__ = ()


class RoleEvent(LogEvent[RoleGiven]):
    """Somebody has another role."""

    __slots__ = ()


class BannedEvent(LogEvent[Banned]):
    """Somebody may not be in a room."""

    __slots__ = ()


class UnbannedEvent(LogEvent[Changed]):
    """Somebody may be in a room again."""

    __slots__ = ()


class InvitedEvent(LogEvent[Changed]):
    """Somebody is invited into a room."""

    __slots__ = ()


class UninvitedEvent(LogEvent[Changed]):
    """Somebody is not invited any more: they refused, or it was taken back."""

    __slots__ = ()


class OwnerEvent(LogEvent[Changed]):
    """Somebody owns a room now."""

    __slots__ = ()


class UpdatedEvent(LogEvent[Updated]):
    """What is set for a room was changed."""

    __slots__ = ()


class RenamedEvent(LogEvent[Renamed]):
    """A room has another name."""

    __slots__ = ()


class OtherEvent(LogEvent[dict[str, Any]]):
    """An entry of a kind that this version does not know."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class OwnEvent(LogEvent[Own]):
    """An entry of your own log. `replayed`: it tells what happened; `Rooms` and `Gone` tell what is so now."""

    replayed: bool


@dataclass(frozen=True, slots=True)
class Rooms:
    """Rooms that you are in, as of their `head_seq`: on each connection those of `hello`, then further pages."""

    rooms: list[Room]


@dataclass(frozen=True, slots=True)
class Gone:
    """Discard these rooms: you are not in them, or your copies cannot be continued."""

    room_ids: list[int]


@dataclass(frozen=True, slots=True)
class Reset:
    """Discard your copy of this log, and fetch it again. Events after `seq` follow. None: your own log."""

    room_id: int | None
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Nothing is missing."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the client does now."""

    state: State


@dataclass(frozen=True, slots=True)
class Stored:
    """What you sent or changed is stored. Its event comes too, before this or after it."""

    outgoing: Outgoing
    answer: Answered


@dataclass(frozen=True, slots=True)
class Failed:
    """What you sent or changed was refused for good."""

    outgoing: Outgoing
    error: VecheError


@dataclass(frozen=True, slots=True)
class Push:
    """A frame without a seq, of a kind that this version does not know, or an `error` that answers no command."""

    kind: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stopped:
    """The client has stopped by itself. `sign_in`: the session has ended, so a new token is needed."""

    code: int
    reason: str
    sign_in: bool


ClientEvent = (
    MessageEvent
    | EditedEvent
    | DeletedEvent
    | ReactedEvent
    | PinnedEvent
    | JoinedEvent
    | LeftEvent
    | RoleEvent
    | BannedEvent
    | UnbannedEvent
    | InvitedEvent
    | UninvitedEvent
    | OwnerEvent
    | UpdatedEvent
    | RenamedEvent
    | OtherEvent
    | OwnEvent
    | Rooms
    | Gone
    | Reset
    | CaughtUp
    | Status
    | Stored
    | Failed
    | Push
    | Stopped
)
ROOM_EVENTS: dict[str, type[LogEvent[Any]]] = {
    "message": MessageEvent,
    "edited": EditedEvent,
    "deleted": DeletedEvent,
    "reacted": ReactedEvent,
    "pinned": PinnedEvent,
    "joined": JoinedEvent,
    "left": LeftEvent,
    "role": RoleEvent,
    "banned": BannedEvent,
    "unbanned": UnbannedEvent,
    "invited": InvitedEvent,
    "uninvited": UninvitedEvent,
    "owner": OwnerEvent,
    "updated": UpdatedEvent,
    "renamed": RenamedEvent,
}
