"""The events that native clients get, apart from those of features: a Struct for the frame of each.

Schemas for other languages can be generated from these Structs, so the docstrings address authors of clients.
"""

from veche.core.values import Person, Role
from veche.dialects.native.out import Empty, Message, Outgoing, Room, RoomRef, RoomSeq

# Events of a room's log.


class MessageEvent(Outgoing):
    """A message was stored."""

    message: Message


class Joined(Outgoing):
    """An account joined a room. `by_id` is the id of that account, or of the account that added it."""

    room_id: int
    seq: int
    account: Person
    by_id: int
    at: str
    role: Role


class JoinedEvent(Outgoing):
    """An account joined the room."""

    joined: Joined


class Left(Outgoing):
    """An account left a room. `by_id` is the id of that account, or of the account that removed it."""

    room_id: int
    seq: int
    account: Person
    by_id: int
    at: str


class LeftEvent(Outgoing):
    """An account left the room."""

    left: Left


class Owner(Outgoing):
    """The new owner of a room. `by_id` is the id of the owner before, who is leaving and is a member until then."""

    room_id: int
    seq: int
    account: Person
    by_id: int
    at: str


class OwnerEvent(Outgoing):
    """The room has another owner."""

    owner: Owner


class Renamed(Outgoing):
    """The new name of a room. `account` is the account that renamed it."""

    room_id: int
    seq: int
    name: str
    account: Person
    at: str


class RenamedEvent(Outgoing):
    """The room has another name."""

    renamed: Renamed


# Events of the account's own log.


class JoinedRoom(Outgoing):
    """The room that you joined. Its `head_seq` is the head before your own `joined` event."""

    room: Room


class MeJoined(Outgoing):
    """An entry of your own log."""

    seq: int
    joined: JoinedRoom


class MeJoinedEvent(Outgoing):
    """You joined a room. Its events follow, from seq `head_seq` + 1 on."""

    me: MeJoined


class MeLeft(Outgoing):
    """An entry of your own log."""

    seq: int
    left: RoomRef


class MeLeftEvent(Outgoing):
    """You left a room. No further events of the room follow."""

    me: MeLeft


class MeRead(Outgoing):
    """An entry of your own log."""

    seq: int
    read: RoomSeq


class MeReadEvent(Outgoing):
    """You read a room up to a seq, here or on another device."""

    me: MeRead


class ReadMessage(Outgoing):
    """A message of yours, and the account that read it."""

    room_id: int
    message_id: int
    reader_id: int


class MeMessageRead(Outgoing):
    """An entry of your own log."""

    seq: int
    message_read: ReadMessage


class MeMessageReadEvent(Outgoing):
    """An account read your message."""

    me: MeMessageRead


class MeSessionsEnded(Outgoing):
    """An entry of your own log."""

    seq: int
    sessions_ended: Empty


class MeSessionsEndedEvent(Outgoing):
    """One or more of your sessions ended."""

    me: MeSessionsEnded


class MeAccount(Outgoing):
    """An entry of your own log."""

    seq: int
    account: Person


class MeAccountEvent(Outgoing):
    """Your account has another username, name or e-mail. GET /v1/me has the e-mail."""

    me: MeAccount


EVENTS: tuple[type[Outgoing], ...] = (
    MessageEvent,
    JoinedEvent,
    LeftEvent,
    OwnerEvent,
    RenamedEvent,
    MeJoinedEvent,
    MeLeftEvent,
    MeReadEvent,
    MeMessageReadEvent,
    MeSessionsEndedEvent,
    MeAccountEvent,
)
