"""Values and events to the JSON of the rooms contract, key by key in its order, as Go's encoder writes it."""

import time
from datetime import UTC, datetime

import msgspec

from veche.core.event import LogEvent
from veche.core.messages import Message
from veche.core.values import Account, Kind, Room
from veche.hub.serializer import Serializer
from veche.wire.frames import text_frame

_encode = msgspec.json.Encoder().encode
_ESCAPED = [(sign.encode(), f"\\u{ord(sign):04x}".encode()) for sign in "&<>\u2028\u2029"]


def to_json(value: object) -> bytes:
    r"""Write a value, `<`, `>` and `&` as \u003c, \u003e and \u0026, and a line feed behind."""
    written = _encode(value)
    for sign, escape in _ESCAPED:
        written = written.replace(sign, escape)
    return written + b"\n"


def time_of(at: int) -> str:
    """Write microseconds since 1970 as RFC 3339 without trailing zeros, `2026-11-20T20:35:04.6161Z`."""
    fraction = f".{at % 1_000_000:06d}".rstrip("0").rstrip(".")
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


class Profile(msgspec.Struct):
    """One's own account. Who came through another dialect may have no e-mail: then it is empty."""

    id: int
    username: str
    email: str
    created_at: str = msgspec.field(name="created-at")


class Made(msgspec.Struct):
    """A room as it was made."""

    id: int
    name: str
    is_private: bool
    creator_id: int


class Line(msgspec.Struct, gc=False):
    """What is said on the socket, by whomever."""

    username: str
    text: str
    timestamp: str


def profile(account: Account) -> Profile:
    """Make the JSON value of one's own account."""
    return Profile(account.id, account.username, account.email or "", time_of(account.created_at))


def made(room: Room) -> Made:
    """Make the JSON value of a room."""
    return Made(room.id, room.name, room.kind is not Kind.CHANNEL, room.creator_id)


def line(username: str, text: str) -> bytes:
    """Write what the server says now, to one socket alone."""
    return to_json(Line(username, text, time_of(time.time_ns() // 1000)))


def serializer_of(system_name: str) -> Serializer:
    """Make the serializer of a room: what is said there, notices in the name of the system."""

    def encode(event: LogEvent) -> bytes | None:
        if not isinstance(event, Message):
            return None
        username = event.sender.username if event.type == "text" else system_name
        return to_json(Line(username, event.text, time_of(event.at)))

    return Serializer("rooms", encode, text_frame)
