"""Decodes the frames of native clients: one JSON object with an `id` and one command. Unknown fields are refused."""

import json
import re
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from veche.core.errors import ChatError, Code
from veche.core.files import MAX_FILES, SendFiles
from veche.core.messages import SendMessage
from veche.core.threads import SendReply
from veche.dialects.native.feature import Id, Seq
from veche.dialects.native.features import COMMANDS, INSTANT
from veche.dialects.native.limits import MAX_SYNC

CommandId = Annotated[int, Meta(ge=0, lt=2**53)]
Positions = dict[Id, Seq]
Token = Annotated[str, Meta(max_length=4096)]


class Hello(Struct, forbid_unknown_fields=True):
    """Authenticates the client. `rooms` and `me` are its positions in the logs of epoch `epoch`."""

    token: Token | None = None
    epoch: Annotated[str, Meta(max_length=64)] | None = None
    rooms: Positions | None = None
    me: Seq | None = None


class Refresh(Struct, forbid_unknown_fields=True):
    """Gives the connection a newer token of its session. It lives as long as this token."""

    token: Token


class Send(Struct, forbid_unknown_fields=True, gc=False):
    """Sends a message to a room."""

    room_id: Id
    text: str
    client_message_id: str | None = None
    reply_to_id: Id | None = None
    thread_id: Id | None = None
    files: Annotated[tuple[str, ...], Meta(max_length=MAX_FILES)] = ()

    def command(self) -> SendMessage:
        """Make the command that is submitted."""
        if self.reply_to_id is None and self.thread_id is None and not self.files:
            return SendMessage(self.room_id, self.text, self.client_message_id)
        reply, thread = self.reply_to_id, self.thread_id
        if not self.files:
            return SendReply(self.room_id, self.text, self.client_message_id, reply_to_id=reply, thread_id=thread)
        return SendFiles(
            self.room_id,
            self.text,
            self.client_message_id,
            reply_to_id=reply,
            thread_id=thread,
            file_ids=self.files,
        )


class InRoom(Struct, forbid_unknown_fields=True, gc=False):
    """The fields of join and leave."""

    room_id: Id


class Who(Struct, forbid_unknown_fields=True):
    """Asks who is online in a room. `cursor` is that of the page before."""

    room_id: Id
    cursor: Annotated[str, Meta(pattern="^[0-9]{1,18}$")] | None = None


class Read(Struct, forbid_unknown_fields=True, gc=False):
    """Moves the read pointer in a room to `seq`."""

    room_id: Id
    seq: Seq


class Sync(Struct, forbid_unknown_fields=True):
    """Asks for a replay of the entries after these positions."""

    rooms: Annotated[Positions, Meta(max_length=MAX_SYNC)] | None = None
    me: Seq | None = None


STRUCTS: dict[str, type[Struct]] = {
    "send": Send,
    "hello": Hello,
    "join": InRoom,
    "leave": InRoom,
    "read": Read,
    "sync": Sync,
    "who": Who,
    "refresh": Refresh,
    **{name: command.fields for name, command in (COMMANDS | INSTANT).items()},
}
"""The types of the fields of all commands, by the names of the commands."""
NAMES = tuple(STRUCTS)
Frame: Any = msgspec.defstruct(
    "Frame",
    [("id", CommandId | None, None), *((name, fields | None, None) for name, fields in STRUCTS.items())],
    forbid_unknown_fields=True,
)
"""One frame of a client: an `id`, and the fields of one command. An empty object answers a heartbeat."""
_given = attrgetter(*NAMES)


class BadFrame(ChatError):
    """A frame is invalid. `id` is the id of its command, or None if the id is missing or invalid.

    If one field of the command is wrong, the code is INVALID, and the data has the field. Else it is BAD_REQUEST.
    """

    def __init__(self, message: str, id: int | None = None, field: str | None = None) -> None:
        super().__init__(Code.BAD_REQUEST if field is None else Code.INVALID, message)
        self.id = id
        if field is not None:
            self.data["field"] = field


_decode = msgspec.json.Decoder(Frame).decode


def decode(text: str) -> tuple[int, str, Any] | None:
    """Decode a frame to (command id, command name, fields). Returns None for `{}`. Raises BadFrame."""
    try:
        frame = _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError) as error:
        raise _bad_frame(text, error) from None
    commands = [command for command in zip(NAMES, _given(frame), strict=True) if command[1] is not None]
    if not commands and frame.id is None:
        return None
    if len(commands) != 1 or frame.id is None:
        raise BadFrame("A frame has an 'id' and one command.", frame.id)
    return frame.id, *commands[0]


def _bad_frame(text: str, error: Exception) -> BadFrame:
    """Say what is wrong, as exactly as it can be known. `json` also reads what msgspec refuses: half a character."""
    if isinstance(error, RecursionError):
        return BadFrame("Nested too deeply.")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return BadFrame("This is not JSON that can be read.")
    id = _id_of(found)
    if isinstance(error, msgspec.ValidationError):
        return BadFrame(str(error), id, _field_in(str(error)) if id is not None else None)
    half = _half_field(found)
    sentence = "This is not JSON that can be read." if half is None else "Text may not hold a lone surrogate."
    return BadFrame(sentence, id, half)


def _id_of(found: object) -> int | None:
    id = found.get("id") if isinstance(found, dict) else None
    return id if type(id) is int and 0 <= id < 2**53 else None


def _field_in(reason: str) -> str | None:
    """Find the field of a command in a sentence of msgspec: `... - at `$.send.text``."""
    within = re.search(rf"`\$\.(?:{'|'.join(NAMES)})(?:\.(\w+)[^`]*)?`$", reason)
    if within is None:
        return None
    missing = re.search(r"field `(\w+)` - at", reason)
    return within[1] or (missing[1] if missing else None)


def _half_field(found: Any) -> str | None:
    """Find the field of a command that has a lone surrogate."""
    commands = [found[name] for name in NAMES if isinstance(found.get(name), dict)] if isinstance(found, dict) else []
    for command in commands:
        for name, value in command.items():
            if isinstance(value, str) and not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
                return str(name) if name.isidentifier() else None
    return None
