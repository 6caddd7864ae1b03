"""Decodes the frames of native clients: one JSON object with an `id` and one command. Unknown fields are refused."""

import json
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from veche.core.errors import ChatError, Code

CommandId = Annotated[int, Meta(ge=0, lt=2**53)]
Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Seq = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Positions = dict[Id, Seq]


class Hello(Struct, forbid_unknown_fields=True):
    """Authenticates the client. `rooms` and `me` are its positions in the logs of epoch `epoch`."""

    token: Annotated[str, Meta(max_length=4096)] | None = None
    epoch: Annotated[str, Meta(max_length=64)] | None = None
    rooms: Positions | None = None
    me: Seq | None = None


class Send(Struct, forbid_unknown_fields=True, gc=False):
    """Sends a message to a room."""

    room_id: Id
    text: str
    client_message_id: str | None = None


class InRoom(Struct, forbid_unknown_fields=True, gc=False):
    """The fields of join, leave and who."""

    room_id: Id


class Read(Struct, forbid_unknown_fields=True, gc=False):
    """Moves the read pointer in a room to `seq`."""

    room_id: Id
    seq: Seq


class Sync(Struct, forbid_unknown_fields=True):
    """Asks for a replay of the entries after these positions."""

    rooms: Positions | None = None
    me: Seq | None = None


class Frame(Struct, forbid_unknown_fields=True):
    """One frame of a client. An empty object answers a heartbeat."""

    id: CommandId | None = None
    send: Send | None = None
    hello: Hello | None = None
    join: InRoom | None = None
    leave: InRoom | None = None
    read: Read | None = None
    sync: Sync | None = None
    who: InRoom | None = None


Command = Send | Hello | InRoom | Read | Sync
NAMES = ("send", "hello", "join", "leave", "read", "sync", "who")


class BadFrame(ChatError):
    """A frame is invalid. `id` is the id of its command, or None if the id is missing or invalid."""

    def __init__(self, message: str, id: int | None = None) -> None:
        super().__init__(Code.BAD_REQUEST, message)
        self.id = id


_decode = msgspec.json.Decoder(Frame).decode


def decode(text: str) -> tuple[int, str, Command] | None:
    """Decode a frame to (command id, command name, fields). Returns None for `{}`. Raises BadFrame."""
    try:
        frame = _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError) as error:
        raise BadFrame(_reason(error), _id_of(text)) from None
    commands = [(name, command) for name in NAMES if (command := getattr(frame, name)) is not None]
    if not commands and frame.id is None:
        return None
    if len(commands) != 1 or frame.id is None:
        raise BadFrame("A frame has an 'id' and one command.", frame.id)
    return frame.id, *commands[0]


def _reason(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        return str(error)
    return "This is not JSON that can be read." if not isinstance(error, RecursionError) else "Nested too deeply."


def _id_of(text: str) -> int | None:
    """Find the id of a frame that is refused. `json` also reads what msgspec refuses, such as half of a character."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    id = found.get("id") if isinstance(found, dict) else None
    return id if type(id) is int and 0 <= id < 2**53 else None
