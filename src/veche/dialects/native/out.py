"""What the server sends: values, bodies of REST, and a frame for each event; `answers` has the rest of the socket.

Documents and types of other languages are made of these Structs, so their docstrings are written for a client's author.
A field that is UNSET is left out; one that is None is sent as null. The order of the fields is that on the wire.
"""

from msgspec import UNSET, Struct, UnsetType

from veche.core.values import Kind, Person, Role


class Outgoing(Struct, gc=False):
    """A JSON object that the server sends."""


# Values.


class Account(Outgoing):
    """Your own account."""

    id: int
    username: str
    name: str
    email: str | None


class Message(Outgoing):
    """A message as everybody sees it. `kind` is "text" or "notice"; `origin` is the contract it came through."""

    id: int
    room_id: int
    seq: int
    kind: str
    sender: Person
    text: str
    client_message_id: str | None
    origin: str
    at: str


class Room(Outgoing, kw_only=True):
    """A room as you see it. `unread`, `read_seq` and `role` are null when you are not in it.

    REST sends all fields, `hello` leaves out `created_at` and `last_message`, `me.joined` all that depends on you.
    """

    id: int
    kind: Kind
    name: str
    created_at: str | UnsetType = UNSET
    head_seq: int
    unread: int | UnsetType | None = UNSET
    read_seq: int | UnsetType | None = UNSET
    role: Role | UnsetType | None = UNSET
    last_message: Message | UnsetType | None = UNSET


class Member(Outgoing):
    """Somebody who is in a room."""

    id: int
    username: str
    name: str
    role: Role
    joined_at: str


class RoomRef(Outgoing):
    """Names a room."""

    room_id: int


class RoomSeq(Outgoing):
    """A position in a room's log."""

    room_id: int
    seq: int


class Empty(Outgoing):
    """Nothing more to say."""


# The bodies of REST.


class SignedIn(Outgoing):
    """The token is good for `expires_in` seconds."""

    token: str
    expires_in: int
    me: Account


class RoomPage(Outgoing):
    """Rooms by id. A `cursor` that is not null fetches the next page."""

    items: list[Room]
    cursor: str | None


class MemberPage(Outgoing):
    """Members by account id. A `cursor` that is not null fetches the next page."""

    items: list[Member]
    cursor: str | None


class MessagePage(Outgoing):
    """Messages of a room, oldest first."""

    items: list[Message]
    has_more_before: bool
    has_more_after: bool
    head_seq: int


class FieldError(Outgoing):
    """A field that is wrong, and why."""

    field: str
    message: str


class Problem(Outgoing):
    """Why a call was refused (RFC 9457). `temporary`: the same request may pass later."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    temporary: bool
    errors: list[FieldError] | UnsetType = UNSET


BODIES: tuple[type[Outgoing], ...] = (
    SignedIn,
    Account,
    Room,
    RoomPage,
    Member,
    MemberPage,
    Message,
    MessagePage,
    Problem,
)


# Events of a room's log.


class MessageEvent(Outgoing):
    """There is a new message."""

    message: Message


class Joined(Outgoing):
    """An account joined a room, by itself or by another."""

    room_id: int
    seq: int
    account: Person
    by_id: int
    at: str
    role: Role


class JoinedEvent(Outgoing):
    """Somebody is in the room now."""

    joined: Joined


class Left(Outgoing):
    """An account left a room, by itself or by another."""

    room_id: int
    seq: int
    account: Person
    by_id: int
    at: str


class LeftEvent(Outgoing):
    """Somebody is no longer in the room."""

    left: Left


# Events of the account's own log.


class JoinedRoom(Outgoing):
    """The room that you joined; its `head_seq` is the head before your own `joined` event."""

    room: Room


class MeJoined(Outgoing):
    """An entry of your own log."""

    seq: int
    joined: JoinedRoom


class MeJoinedEvent(Outgoing):
    """You are in a room now: its events follow from its next seq on."""

    me: MeJoined


class MeLeft(Outgoing):
    """An entry of your own log."""

    seq: int
    left: RoomRef


class MeLeftEvent(Outgoing):
    """You are no longer in a room: nothing more of it follows."""

    me: MeLeft


class MeRead(Outgoing):
    """An entry of your own log."""

    seq: int
    read: RoomSeq


class MeReadEvent(Outgoing):
    """You read a room up to a seq, here or on another device."""

    me: MeRead


class ReadMessage(Outgoing):
    """A message of yours, and who read it."""

    room_id: int
    message_id: int
    reader_id: int


class MeMessageRead(Outgoing):
    """An entry of your own log."""

    seq: int
    message_read: ReadMessage


class MeMessageReadEvent(Outgoing):
    """Somebody read your message."""

    me: MeMessageRead


class MeSessionsEnded(Outgoing):
    """An entry of your own log."""

    seq: int
    sessions_ended: Empty


class MeSessionsEndedEvent(Outgoing):
    """Some of your sessions were ended."""

    me: MeSessionsEnded


EVENTS: tuple[type[Outgoing], ...] = (
    MessageEvent,
    JoinedEvent,
    LeftEvent,
    MeJoinedEvent,
    MeLeftEvent,
    MeReadEvent,
    MeMessageReadEvent,
    MeSessionsEndedEvent,
)
