"""What has happened: every durable change as a frozen value.

Those with `log_id` and `seq` are entries of a log and are announced to connections once committed;
the others only change rows. Times are microseconds since 1970 in UTC.
"""

from typing import TypeAlias

import msgspec

from veche.core.accounts import Account, Person, Session
from veche.core.effects import Close, Effect, End, Open
from veche.core.rooms import LogId, Role, Room
from veche.core.text import size_of


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An entry of a log: what those who deliver it need to know of it beside `log_id` and `seq`."""

    @property
    def size(self) -> int:
        """About how many bytes it takes on the wire."""
        return 64

    def effects(self) -> tuple[Effect, ...]:
        """Return what it does to connections."""
        return ()


class Message(Entry, frozen=True, gc=False):
    """A line in a room. `number` counts the room's messages up to it; `origin` is the dialect it came through."""

    log_id: LogId  # the room's id
    seq: int
    id: int
    sender: Person
    text: str
    client_message_id: str | None
    origin: str
    at: int
    number: int
    kind: str = "text"  # or "notice", which does not count as unread

    @property
    def size(self) -> int:
        """The UTF-8 size of its text."""
        return size_of(self.text)


class MemberJoined(Entry, frozen=True, gc=False):
    """Somebody is in the room now (the room's log)."""

    log_id: LogId
    seq: int
    person: Person
    role: Role
    by_id: int
    at: int
    read_count: int = 0


class MemberLeft(Entry, frozen=True, gc=False):
    """Somebody is no longer in the room (the room's log)."""

    log_id: LogId
    seq: int
    person: Person
    by_id: int
    at: int

    def effects(self) -> tuple[Effect, ...]:
        """Return what it does to connections."""
        return (Close(self.person.id, self.log_id, self.seq, self.at),)


class RoomEntered(Entry, frozen=True, gc=False):
    """You are in a room now, whose log goes on after `room_seq` (the account's log)."""

    log_id: LogId
    seq: int
    room: Room
    room_seq: int
    at: int

    def effects(self) -> tuple[Effect, ...]:
        """Return what it does to connections."""
        return (Open(-self.log_id, self.room.id, self.room_seq),)


class RoomExited(Entry, frozen=True, gc=False):
    """You left a room with entry `room_seq` of its log; older entries do not say which (the account's log)."""

    log_id: LogId
    seq: int
    room_id: int
    at: int
    room_seq: int | None = None

    def effects(self) -> tuple[Effect, ...]:
        """Return what it does to connections."""
        return (Close(-self.log_id, self.room_id, self.room_seq, self.at),)


class ReadMoved(Entry, frozen=True, gc=False):
    """You have read a room up to `read_seq`, where `read_count` messages stand (the account's log)."""

    log_id: LogId
    seq: int
    room_id: int
    read_seq: int
    read_count: int
    at: int


class MessageRead(Entry, frozen=True, gc=False):
    """A message of yours was read for the first time (the author's log)."""

    log_id: LogId
    seq: int
    room_id: int
    message_id: int
    reader_id: int
    at: int


class SessionsEnded(Entry, frozen=True, gc=False):
    """Sessions of yours ended: the one named, or all but `kept` (the account's log)."""

    log_id: LogId
    seq: int
    at: int
    session_id: str | None = None
    kept: str | None = None

    def ends(self, session_id: str) -> bool:
        """Tell whether a session is among those that ended."""
        return End(-self.log_id, self.session_id, self.kept).ends(session_id)

    def effects(self) -> tuple[Effect, ...]:
        """Return what it does to connections."""
        return (End(-self.log_id, self.session_id, self.kept),)


LogEvent: TypeAlias = (
    Message | MemberJoined | MemberLeft | RoomEntered | RoomExited | ReadMoved | MessageRead | SessionsEnded
)
LOGGED = (Message, MemberJoined, MemberLeft, RoomEntered, RoomExited, ReadMoved, MessageRead, SessionsEnded)


class AccountRegistered(msgspec.Struct, frozen=True, gc=False):
    """There is a new account."""

    account: Account
    password_hash: str


class PasswordChanged(msgspec.Struct, frozen=True, gc=False):
    """An account has another password."""

    account_id: int
    password_hash: str


class AccountRenamed(msgspec.Struct, frozen=True, gc=False):
    """An account has another username."""

    account: Account


class SessionOpened(msgspec.Struct, frozen=True, gc=False):
    """Somebody signed in."""

    session: Session


class RoomCreated(msgspec.Struct, frozen=True, gc=False):
    """There is a new room."""

    room: Room


class EchoOpened(msgspec.Struct, frozen=True, gc=False):
    """A conversation with the echo begins."""

    id: int
    account_id: int
    at: int


class EchoSpoken(msgspec.Struct, frozen=True, gc=False):
    """A line of a conversation with the echo; `source` is "client" or "server"."""

    id: int
    echo_id: int
    source: str
    text: str
    at: int


class EchoClosed(msgspec.Struct, frozen=True, gc=False):
    """A conversation with the echo is over, and shows in its history."""

    id: int
    at: int


Event: TypeAlias = (
    LogEvent
    | AccountRegistered
    | AccountRenamed
    | PasswordChanged
    | SessionOpened
    | RoomCreated
    | EchoOpened
    | EchoSpoken
    | EchoClosed
)
