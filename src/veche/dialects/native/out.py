"""JSON that the server sends: values, REST bodies, and a frame for each event. `answers.py` has the other frames.

Schemas for other languages can be generated from these Structs, so the docstrings address authors of clients.
A field that is UNSET is left out; a field that is None is sent as null. Fields are sent in the order given here.
"""

from msgspec import UNSET, Struct, UnsetType

from veche.core.values import Kind, Level, Person, Role


class Outgoing(Struct, gc=False):
    """A JSON object that the server sends."""


# Values.


class Account(Outgoing):
    """Your own account. `hides_reading` is left out unless it is true."""

    id: int
    username: str
    name: str
    email: str | None
    hides_reading: bool | UnsetType = UNSET


class MessageRef(Outgoing):
    """A message of the same room, by its id and its seq."""

    id: int
    seq: int


class File(Outgoing):
    """A file. `size` is in bytes. `type` is the media type that its bytes have, whatever its name says.

    `width` and `height` in pixels are there for images.
    """

    id: str
    name: str
    size: int
    type: str
    width: int | UnsetType = UNSET
    height: int | UnsetType = UNSET


class Reaction(Outgoing):
    """An emoji of a message: how many people put it there, and whether you did."""

    emoji: str
    count: int
    mine: bool


class Message(Outgoing):
    """A message. `kind` is "text" or "notice". `origin` is the dialect through which the message was sent.

    `revision` is how often the message was changed; it is left out if that is 0. `edited_at` is when its author changed
    the text for the last time. `deleted_by_id` is the account that deleted it: then `text` is empty.

    `reply_to` is the message that it answers. `thread_id` is the message that begins its thread, and `thread_seq` its
    number there. A message that begins a thread has `replies`, how many follow, and `last_reply_seq`. `mentions` has
    the ids of those whom it mentions, and `mentions_room` is true if it mentions everybody. `files` are the files that
    it has. Without that, the fields are left out.

    `reactions` has the most frequent emoji first. Only what you fetch has them; events never do.
    """

    id: int
    room_id: int
    seq: int
    kind: str
    sender: Person
    text: str
    client_message_id: str | None
    origin: str
    at: str
    revision: int | UnsetType = UNSET
    edited_at: str | UnsetType = UNSET
    deleted_by_id: int | UnsetType = UNSET
    reply_to: MessageRef | UnsetType = UNSET
    thread_id: int | UnsetType = UNSET
    thread_seq: int | UnsetType = UNSET
    replies: int | UnsetType = UNSET
    last_reply_seq: int | UnsetType = UNSET
    mentions: list[int] | UnsetType = UNSET
    mentions_room: bool | UnsetType = UNSET
    files: list[File] | UnsetType = UNSET
    reactions: list[Reaction] | UnsetType = UNSET


class Room(Outgoing, kw_only=True):
    """A room as your account sees it. `unread`, `mentions`, `read_seq` and `role` are null when you are not a member.

    REST sends all fields. `hello` leaves out `created_at` and `last_message`. `me.joined` sends only `id`, `kind`,
    `name`, `head_seq` and `peer`.

    `peer` is the other person of a direct room; other rooms have none.
    `topic` is left out if there is none, `archived` if the room is not, and `slow_seconds` if the room is not slow.
    `notify` is your notification level; it is left out if it is "all".
    """

    id: int
    kind: Kind
    name: str
    peer: Person | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    slow_seconds: int | UnsetType = UNSET
    notify: Level | UnsetType = UNSET
    created_at: str | UnsetType = UNSET
    head_seq: int
    unread: int | UnsetType | None = UNSET
    mentions: int | UnsetType | None = UNSET
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
    """A new token. It is valid for `expires_in` seconds. A refresh token is there if it was asked for."""

    token: str
    expires_in: int
    me: Account
    refresh_token: str | UnsetType = UNSET
    refresh_expires_in: int | UnsetType = UNSET


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
    topic_length: int
    slow_seconds: int
    name_length: int
    username_length: Range
    password_bytes: Range
    device_length: int
    first_members: int
    page: int
    hello_rooms: int
    sync_rooms: int
    reactions: int
    pins: int
    files: int
    replay_events: int
    waiting_commands: int
    hello_within_ms: int
    file_bytes: int
    ping_interval_ms: int
    pong_timeout_ms: int


class PersonPage(Outgoing):
    """People. `cursor` fetches the next page; it is null on the last one."""

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
    File,
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
