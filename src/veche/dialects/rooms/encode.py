"""Encodes values and events as the JSON of the rooms dialect, with the key order and the escapes of Go's encoder."""

import time
from datetime import UTC, datetime

import msgspec

from veche.core.event import LogEvent
from veche.core.messages import Message
from veche.core.values import Account, Kind, Room
from veche.gateway.lines import text_with_files
from veche.hub.serializer import Serializer
from veche.wire.frames import text_frame

_encode = msgspec.json.Encoder().encode
_ESCAPED = [(char.encode(), f"\\u{ord(char):04x}".encode()) for char in "&<>\u2028\u2029"]


def to_json(value: object) -> bytes:
    r"""Encode a value as JSON with a line feed after it. `<`, `>` and `&` become \u003c, \u003e and \u0026."""
    written = _encode(value)
    for char, escape in _ESCAPED:
        written = written.replace(char, escape)
    return written + b"\n"


def time_of(at: int) -> str:
    """Format microseconds since 1970 as RFC 3339 without trailing zeros, `2026-11-20T20:35:04.6161Z`."""
    fraction = f".{at % 1_000_000:06d}".rstrip("0").rstrip(".")
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


class Profile(msgspec.Struct):
    """The signed-in account. `email` is empty if the account was made through another dialect without one."""

    id: int
    username: str
    email: str
    created_at: str = msgspec.field(name="created-at")


class SignedIn(msgspec.Struct):
    """The response body of /login."""

    token: str


class Done(msgspec.Struct):
    """The response body of /change-name, /join and /invite."""

    message: str


class CreatedRoom(msgspec.Struct):
    """The response body of /create-room."""

    id: int
    name: str
    is_private: bool
    creator_id: int


class Line(msgspec.Struct, gc=False):
    """A frame to the client: a message, a notice or an error."""

    username: str
    text: str
    timestamp: str


def profile(account: Account) -> Profile:
    """Convert an account to the JSON value of /profile."""
    return Profile(account.id, account.username, account.email or "", time_of(account.created_at))


def created_room(room: Room) -> CreatedRoom:
    """Convert a room to the JSON value of /create-room."""
    return CreatedRoom(room.id, room.name, room.kind is not Kind.CHANNEL, room.creator_id)


def line(username: str, text: str) -> bytes:
    """Encode a frame for one client, with the current time."""
    return to_json(Line(username, text, time_of(time.time_ns() // 1000)))


def serializer_of(system_name: str) -> Serializer:
    """Make the serializer of a room. Notices have `system_name` as their username."""

    def encode(event: LogEvent) -> bytes | None:
        if not isinstance(event, Message) or event.deleted_by is not None:
            return None
        username = event.sender.username if event.type == "text" else system_name
        return to_json(Line(username, text_with_files(event), time_of(event.at)))

    return Serializer("rooms", encode, text_frame)
