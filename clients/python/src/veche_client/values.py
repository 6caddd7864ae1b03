"""The values of the native contract, as they are on the wire. The server may send more keys than these."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

LOBBY = 2147483647
"""The id of the lobby. No answer that lists your rooms has it."""


class Person(TypedDict):
    """Anybody."""

    id: int
    username: str
    name: str


class Account(Person):
    """Your account."""

    email: str | None


class Room(TypedDict):
    """A room as of its `head_seq`. `unread` to `role` are None for who is no member.

    `peer` is the other person of a direct room. What else is not required is there if it is set. `notify` is your
    notification level, if it is not "all".
    """

    id: int
    kind: str
    name: str
    peer: NotRequired[Person]
    head_seq: int
    unread: int | None
    mentions: int | None
    read_seq: int | None
    role: str | None
    topic: NotRequired[str]
    archived: NotRequired[bool]
    slow_seconds: NotRequired[int]
    notify: NotRequired[str]


class File(TypedDict):
    """A file of a message. `size` is in bytes. Images have a size in pixels."""

    id: str
    name: str
    size: int
    type: str
    width: NotRequired[int]
    height: NotRequired[int]


class Reaction(TypedDict):
    """An emoji of a message, how many people put it there, and whether you are among them."""

    emoji: str
    count: int
    mine: bool


class Message(TypedDict):
    """A message, and the event of it. `at` is RFC 3339 in UTC. What is not required is there if it applies.

    `reactions` are in messages that are fetched, and never in events.
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
    revision: NotRequired[int]
    edited_at: NotRequired[str]
    deleted_by_id: NotRequired[int]
    reply_to: NotRequired[dict[str, int]]
    thread_id: NotRequired[int]
    thread_seq: NotRequired[int]
    replies: NotRequired[int]
    last_reply_seq: NotRequired[int]
    mentions: NotRequired[list[int]]
    mentions_room: NotRequired[bool]
    reactions: NotRequired[list[Reaction]]
    files: NotRequired[list[File]]


class FullRoom(Room):
    """A room as REST has it."""

    created_at: str
    last_message: Message | None


class Member(Person):
    """A member of a room."""

    role: str
    joined_at: str


class RoomPage(TypedDict):
    """A page of rooms. `cursor` is for the next one, and None on the last."""

    items: list[FullRoom]
    cursor: str | None


class MemberPage(TypedDict):
    """A page of members. `cursor` is for the next one, and None on the last."""

    items: list[Member]
    cursor: str | None


class Online(TypedDict):
    """A page of the people who receive a room now."""

    room_id: int
    online: list[Person]
    cursor: str | None


class History(TypedDict):
    """Messages of a room, oldest first."""

    items: list[Message]
    has_more_before: bool
    has_more_after: bool
    head_seq: int


class Session(TypedDict):
    """A session that has just begun. `expires_in` is in seconds."""

    token: str
    expires_in: int
    me: Account
    refresh_token: NotRequired[str]
    refresh_expires_in: NotRequired[int]


class Tokens(TypedDict):
    """Tokens that replace those of the session. Store both before you use them. Times are in seconds."""

    token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


class Answered(TypedDict):
    """The answer to a command that is stored. `duplicate`: an earlier attempt has stored it."""

    room_id: int
    duplicate: bool


class Sent(Answered):
    """The answer to `send`."""

    seq: int
    message_id: int
    client_message_id: str
    at: str


class Revised(Answered):
    """The answer to `edit` and `delete`. The events of the room up to `seq` show the result."""

    seq: int
    message_id: int
    revision: int


class Marked(Answered):
    """The answer to `react`, `unreact`, `pin` and `unpin`. The events of the room up to `seq` show the result."""

    seq: int
    message_id: int


class Ruled(Answered):
    """The answer to `role`, `ban`, `unban`, `invite` and `uninvite`. The room's events up to `seq` show the result."""

    seq: int
    account_id: int


class Followed(Answered):
    """The answer to `follow` and `unfollow`. An entry of your own log says it, too, if it changed something."""

    thread_id: int


class Outgoing(TypedDict):
    """A command that is not answered yet, such as "send". `id` is its client id, which is in the fields, too."""

    id: str
    command: str
    fields: dict[str, Any]


class Saved(TypedDict):
    """What to store, together with the data, so that a later client goes on there. It is plain JSON.

    `me` is the position in your own log, and `rooms` has those in the logs of rooms, by the room's id as text.
    """

    epoch: str | None
    me: int | None
    rooms: dict[str, int]
    outbox: list[Outgoing]


class Edited(TypedDict):
    """The text of a message was changed. `message` is as it is now."""

    room_id: int
    seq: int
    revision: int
    message: Message
    at: str


class Deleted(TypedDict):
    """A message was deleted."""

    room_id: int
    seq: int
    message_id: int
    message_seq: int
    revision: int
    by_id: int
    at: str


class Reacted(TypedDict):
    """The account put the emoji to the message (`added`), or took it back. `count` is its count from then on."""

    room_id: int
    seq: int
    message_id: int
    account: Person
    emoji: str
    added: bool
    count: int
    at: str


class Pinned(TypedDict):
    """The account pinned the message (`pinned`), or took its pin away."""

    room_id: int
    seq: int
    message_id: int
    account: Person
    pinned: bool
    at: str


class Changed(TypedDict):
    """An entry that says what one person did to a room, or what was done to them by `by_id`."""

    room_id: int
    seq: int
    account: Person
    by_id: int
    at: str


class Joined(Changed):
    """Somebody joined."""

    role: str


class RoleGiven(Changed):
    """The account has another role, which the owner gave."""

    role: str


class Banned(Changed):
    """The account may not be in the room until then, or never again if `until` is None."""

    until: str | None


class Updated(TypedDict):
    """The account changed what is set for the room."""

    room_id: int
    seq: int
    topic: str
    archived: bool
    slow_seconds: int
    account: Person
    at: str


class Renamed(TypedDict):
    """The account renamed the room."""

    room_id: int
    seq: int
    name: str
    account: Person
    at: str


class JoinedRoom(TypedDict):
    """You joined a room: its events follow, starting after `head_seq`."""

    room: dict[str, Any]


class LeftRoom(TypedDict):
    """You left a room, or are not invited any more."""

    room_id: int


class ReadRoom(TypedDict):
    """You have read a room up to `seq`."""

    room_id: int
    seq: int


class FollowedThread(TypedDict):
    """You follow a thread, or no longer do."""

    room_id: int
    thread_id: int
    follows: bool


class Invitation(TypedDict):
    """You are invited into a room. `room` has its `id`, `kind`, `name` and `topic`."""

    room: dict[str, Any]
    by: Person
    at: str


class Own(TypedDict, total=False):
    """An entry of your own log: its `seq`, and one more key, perhaps one that is not listed here."""

    seq: int
    joined: JoinedRoom
    left: LeftRoom
    read: ReadRoom
    message_read: dict[str, int]
    sessions_ended: dict[str, Any]
    account: Person
    thread: FollowedThread
    invited: Invitation
    uninvited: LeftRoom
