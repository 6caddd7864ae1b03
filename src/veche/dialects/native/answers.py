"""Frames that the server sends to one connection: the answers to its commands, and pushes that are not events."""

from typing import Literal

from msgspec import UNSET, UnsetType

from veche.core.errors import Code
from veche.core.values import Person
from veche.dialects.native.out import Account, Empty, Outgoing, Room, RoomRef, RoomSeq

# Answers. `id` is the id of the command.


class Me(Account, kw_only=True):
    """Your own account, and the head of its log."""

    seq: int


class HelloResult(Outgoing):
    """The heads of your logs. Rooms that `hello` did not list start at their `head_seq`.

    `rooms` has at most 200 rooms, those whose last messages are the newest. If you have more, `rooms_cursor` is there:
    GET /v1/rooms with this cursor lists all.
    """

    epoch: str
    me: Me
    rooms: list[Room]
    rooms_cursor: str | UnsetType = UNSET


class HelloAnswer(Outgoing):
    """The token is valid. The connection is now subscribed to your rooms."""

    id: int
    hello: HelloResult


class RefreshResult(Outgoing):
    """How many seconds the token is still valid: so long does the connection live now."""

    expires_in: int


class RefreshAnswer(Outgoing):
    """The connection lives as long as the token that it got."""

    id: int
    refresh: RefreshResult


class SendResult(Outgoing):
    """The stored message. `duplicate` is true if an earlier attempt stored it."""

    room_id: int
    seq: int
    message_id: int
    client_message_id: str | None
    at: str
    duplicate: bool


class SendAnswer(Outgoing):
    """The message is stored."""

    id: int
    send: SendResult


class JoinResult(Outgoing):
    """The room's head. Your own `joined` event is included."""

    room_id: int
    head_seq: int


class JoinAnswer(Outgoing):
    """You are a member of the room."""

    id: int
    join: JoinResult


class LeaveAnswer(Outgoing):
    """You are no longer a member of the room."""

    id: int
    leave: RoomRef


class ReadAnswer(Outgoing):
    """The command was stored. `seq` is the one that the command had.

    The read pointer never moves back, and never beyond the head, so it may be at another seq.
    """

    id: int
    read: RoomSeq


class SyncResult(Outgoing):
    """The heads of the replayed rooms by room id, and the head of your own log."""

    rooms: dict[int, int]
    me: int


class SyncAnswer(Outgoing):
    """The replay starts."""

    id: int
    sync: SyncResult


class WhoResult(Outgoing):
    """The accounts that receive the room on an open socket, by id. `cursor` fetches the next page; null on the last."""

    room_id: int
    online: list[Person]
    cursor: str | None


class WhoAnswer(Outgoing):
    """The accounts that are online in a room."""

    id: int
    who: WhoResult


class Error(Outgoing):
    """Why a command was refused. If `temporary` is true, the same command may succeed after `retry_after_ms`.

    `request_id` finds a bug in the server's log.
    """

    code: Code
    message: str
    temporary: bool
    field: str | UnsetType = UNSET
    retry_after_ms: int | UnsetType = UNSET
    request_id: str | UnsetType = UNSET


class ErrorAnswer(Outgoing, kw_only=True):
    """A command was refused. `id` is left out if it could not be read."""

    id: int | UnsetType = UNSET
    error: Error


ANSWERS: tuple[type[Outgoing], ...] = (
    HelloAnswer,
    SendAnswer,
    JoinAnswer,
    LeaveAnswer,
    ReadAnswer,
    SyncAnswer,
    WhoAnswer,
    RefreshAnswer,
    ErrorAnswer,
)


# Pushes. They have no `id`.


class CaughtUpPush(Outgoing):
    """Everything that a `hello` or `sync` asked for has been sent."""

    caught_up: Empty


Reason = Literal["epoch", "ahead", "too_far"]


class Reset(Outgoing, kw_only=True):
    """A log cannot continue from your position: fetch it again. Events after `seq` will follow.

    The log is that of the room `room_id`, or your own log if `me` is true. `reason` is "epoch" (your position is of
    another epoch), "ahead" (your position is above the head) or "too_far" (too many events are missing).
    """

    room_id: int | UnsetType = UNSET
    me: bool | UnsetType = UNSET
    seq: int
    reason: Reason


class ResetPush(Outgoing):
    """A log cannot continue from your position."""

    reset: Reset


class Gone(Outgoing):
    """Rooms that do not exist, or that you are not a member of. `room_id` is the first of them, for older clients."""

    room_id: int
    room_ids: list[int]


class GonePush(Outgoing):
    """You listed rooms that do not exist, or that you are not a member of."""

    gone: Gone


class Bye(Outgoing):
    """The code and the reason of the close frame that follows. Reconnect after `retry_after_ms` milliseconds."""

    code: int
    reason: str
    retry_after_ms: int | UnsetType = UNSET


class ByePush(Outgoing):
    """The server is about to close the connection."""

    bye: Bye


class Heartbeat(Outgoing):
    """An empty frame. Answer it with any frame within `pong_timeout_ms` of GET /v1/limits."""


PUSHES: tuple[type[Outgoing], ...] = (CaughtUpPush, ResetPush, GonePush, ByePush, Heartbeat)
