"""What may be asked of the chat: every command as a frozen value, and what an answer holds.

`by` is always the account that asks, as its token says. `core.decide` has a function of the same name for each.
"""

from typing import NamedTuple, TypeAlias

import msgspec

from veche.core.accounts import Account
from veche.core.events import Message
from veche.core.rooms import Kind, Member, Room


class Register(msgspec.Struct, frozen=True, gc=False):
    """Make an account. Without a username the handle is made from the e-mail's local part."""

    password_hash: str
    username: str | None = None
    email: str | None = None
    name: str | None = None


class RenameAccount(msgspec.Struct, frozen=True, gc=False):
    """Take another username."""

    by: int
    username: str


class SetPassword(msgspec.Struct, frozen=True, gc=False):
    """Store another password and end all sessions but the one named."""

    by: int
    password_hash: str
    keep_session: str | None = None


class OpenSession(msgspec.Struct, frozen=True, gc=False):
    """Remember a login, so that it can be ended. `lifetime` is in seconds."""

    by: int
    session_id: str
    origin: str
    lifetime: int


class EndSession(msgspec.Struct, frozen=True, gc=False):
    """Log out: end one session."""

    by: int
    session_id: str


class CreateRoom(msgspec.Struct, frozen=True):
    """Make a room with its first members. A direct room has one other member and is made once.

    `unique`: no other room that was made so may have its name.
    """

    by: int
    kind: Kind
    name: str
    member_ids: tuple[int, ...] = ()
    unique: bool = False


class JoinRoom(msgspec.Struct, frozen=True, gc=False):
    """Enter a public room."""

    by: int
    room_id: int


class LeaveRoom(msgspec.Struct, frozen=True, gc=False):
    """Leave a room."""

    by: int
    room_id: int


class AddMember(msgspec.Struct, frozen=True, gc=False):
    """Bring somebody into one's room."""

    by: int
    room_id: int
    account_id: int


class RemoveMember(msgspec.Struct, frozen=True, gc=False):
    """Put somebody out of one's room."""

    by: int
    room_id: int
    account_id: int


class SendMessage(msgspec.Struct, frozen=True, gc=False):
    """Say something in a room. `client_message_id` makes a retry harmless.

    `author` is who somebody without an account says to be.
    """

    by: int
    room_id: int
    text: str
    origin: str
    client_message_id: str | None = None
    author: str | None = None


class PostNotice(msgspec.Struct, frozen=True, gc=False):
    """Let the server say something in a room; it does not count as unread."""

    room_id: int
    text: str
    origin: str


class ReadUpTo(msgspec.Struct, frozen=True, gc=False):
    """Move one's read pointer of a room forward."""

    by: int
    room_id: int
    seq: int


class MarkRead(msgspec.Struct, frozen=True, gc=False):
    """Mark one message as read, once, and tell its author."""

    by: int
    room_id: int
    message_id: int


class OpenEcho(msgspec.Struct, frozen=True, gc=False):
    """Begin a conversation with the echo."""

    by: int


class SpeakEcho(msgspec.Struct, frozen=True):
    """Write lines of a conversation with the echo down, each a source ("client" or "server") and a text."""

    echo_id: int
    lines: tuple[tuple[str, str], ...]


class CloseEcho(msgspec.Struct, frozen=True, gc=False):
    """End a conversation with the echo: its history shows it from now on."""

    echo_id: int


Command: TypeAlias = (
    Register
    | RenameAccount
    | PostNotice
    | OpenEcho
    | SpeakEcho
    | CloseEcho
    | SetPassword
    | OpenSession
    | EndSession
    | CreateRoom
    | JoinRoom
    | LeaveRoom
    | AddMember
    | RemoveMember
    | SendMessage
    | ReadUpTo
    | MarkRead
)


class Sent(NamedTuple):
    """The answer to SendMessage: the stored message, and whether it had been stored before."""

    message: Message
    duplicate: bool


class EchoBegun(NamedTuple):
    """The answer to OpenEcho: the conversation's id."""

    echo_id: int


class Entered(NamedTuple):
    """The answer to CreateRoom, JoinRoom and AddMember: the room, the member, and whether that is new."""

    room: Room
    member: Member | None  # None in the lobby
    head_seq: int
    new: bool


Answer: TypeAlias = Sent | Entered | EchoBegun | Account | None
