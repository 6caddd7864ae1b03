"""JSON that the server sends: values, REST bodies, and a frame for each event. `answers.py` has the other frames.

Schemas for other languages can be generated from these Structs, so the docstrings address authors of clients.
A field that is UNSET is left out; a field that is None is sent as null. Fields are sent in the order given here.
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
    """A message. `kind` is "text" or "notice". `origin` is the dialect through which the message was sent."""

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
    """A room as your account sees it. `unread`, `read_seq` and `role` are null when you are not a member.

    REST sends all fields. `hello` leaves out `created_at` and `last_message`. `me.joined` sends only `id`, `kind`,
    `name` and `head_seq`.
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
    """A member of a room."""

    id: int
    username: str
    name: str
    role: Role
    joined_at: str


class RoomRef(Outgoing):
    """The id of a room."""

    room_id: int


class RoomSeq(Outgoing):
    """A position in a room's log."""

    room_id: int
    seq: int


class Empty(Outgoing):
    """An empty object: the event has no fields."""


# REST bodies.


class SignedIn(Outgoing):
    """A new token. It is valid for `expires_in` seconds."""

    token: str
    expires_in: int
    me: Account


class RoomPage(Outgoing):
    """Rooms in order of id. `cursor` fetches the next page. If it is null, this page is the last one."""

    items: list[Room]
    cursor: str | None


class Range(Outgoing):
    """The least and the most."""

    min: int
    max: int


class Limits(Outgoing):
    """The limits of this server. A name ends with what is counted, unless that is plain."""

    text_bytes: int
    frame_bytes: int
    client_message_id_length: int
    room_name_length: int
    name_length: int
    username_length: Range
    password_bytes: Range
    first_members: int
    page: int
    hello_rooms: int
    sync_rooms: int
    replay_events: int
    waiting_commands: int
    hello_within_ms: int
    ping_interval_ms: int
    pong_timeout_ms: int


class PersonPage(Outgoing):
    """The people who fit the query: one or none. `cursor` is null."""

    items: list[Person]
    cursor: str | None


class MemberPage(Outgoing):
    """Members in order of account id. `cursor` fetches the next page. If it is null, this page is the last one."""

    items: list[Member]
    cursor: str | None


class MessagePage(Outgoing):
    """Messages of a room, oldest first."""

    items: list[Message]
    has_more_before: bool
    has_more_after: bool
    head_seq: int


class FieldError(Outgoing):
    """An invalid field, and the reason."""

    field: str
    message: str


class Problem(Outgoing):
    """Why a request was refused (RFC 9457). If `temporary` is true, the same request may succeed later.

    `request_id` finds a bug in the server's log.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    temporary: bool
    errors: list[FieldError] | UnsetType = UNSET
    request_id: str | UnsetType = UNSET


BODIES: tuple[type[Outgoing], ...] = (
    SignedIn,
    Account,
    Room,
    RoomPage,
    PersonPage,
    Member,
    MemberPage,
    Message,
    MessagePage,
    Limits,
    Problem,
)


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
