"""What the server sends to one socket alone: an answer to each command, and pushes that are no events."""

from typing import Literal

from msgspec import UNSET, UnsetType

from veche.core.errors import Code
from veche.core.values import Person
from veche.dialects.native.out import Account, Empty, Outgoing, Room, RoomRef, RoomSeq

# Answers have the id of their command.


class Me(Account):
    """Your own account, and the head of its log."""

    seq: int


class HelloResult(Outgoing):
    """Where the logs stand. The rooms that `hello` did not list begin at their `head_seq`."""

    epoch: str
    me: Me
    rooms: list[Room]


class HelloAnswer(Outgoing):
    """The token was good, and the socket hears your rooms now."""

    id: int
    hello: HelloResult


class SendResult(Outgoing):
    """The message as it is stored. `duplicate`: it was stored before, by an earlier try."""

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
    """The room's head, which counts your own `joined` event."""

    room_id: int
    head_seq: int


class JoinAnswer(Outgoing):
    """You are in the room."""

    id: int
    join: JoinResult


class LeaveAnswer(Outgoing):
    """You are not in the room any more."""

    id: int
    leave: RoomRef


class ReadAnswer(Outgoing):
    """Your read pointer is at `seq` or above."""

    id: int
    read: RoomSeq


class SyncResult(Outgoing):
    """The heads of the rooms that are replayed, by room id, and of your own log."""

    rooms: dict[int, int]
    me: int


class SyncAnswer(Outgoing):
    """What was asked for is replayed now."""

    id: int
    sync: SyncResult


class WhoResult(Outgoing):
    """Who has a socket open here."""

    room_id: int
    online: list[Person]


class WhoAnswer(Outgoing):
    """Who is online in a room."""

    id: int
    who: WhoResult


class Error(Outgoing):
    """Why a command was refused. `temporary`: the same command may pass later."""

    code: Code
    message: str
    temporary: bool
    field: str | UnsetType = UNSET
    retry_after_ms: int | UnsetType = UNSET


class ErrorAnswer(Outgoing, kw_only=True):
    """A command was refused; without an `id`, a frame could not be read."""

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
    ErrorAnswer,
)


# Pushes.


class CaughtUpPush(Outgoing):
    """All that a `hello` or `sync` asked for was sent."""

    caught_up: Empty


Reason = Literal["epoch", "ahead", "too_far"]


class Reset(Outgoing, kw_only=True):
    """A log cannot be continued where you asked: fetch it anew, events follow after `seq`.

    It is the log of `room_id`, or your own where `me` is true. `reason`: another epoch, a seq ahead of the head, or
    too many events are missing.
    """

    room_id: int | UnsetType = UNSET
    me: bool | UnsetType = UNSET
    seq: int
    reason: Reason


class ResetPush(Outgoing):
    """What you hold of a log is not to be continued."""

    reset: Reset


class GonePush(Outgoing):
    """A room that you listed is not there for you any more."""

    gone: RoomRef


class Bye(Outgoing):
    """The code and the reason of the close frame that follows. `retry_after_ms`: when to come back."""

    code: int
    reason: str
    retry_after_ms: int | UnsetType = UNSET


class ByePush(Outgoing):
    """The server is about to close the socket."""

    bye: Bye


class Heartbeat(Outgoing):
    """Answer it with any frame within 10 s."""


PUSHES: tuple[type[Outgoing], ...] = (CaughtUpPush, ResetPush, GonePush, ByePush, Heartbeat)
