"""Decodes and checks the requests and frames of the rooms dialect. The order of the checks is part of its contract."""

import re
from typing import Annotated, Any, TypeVar

import msgspec

from veche.core.errors import ChatError, Code
from veche.core.names import MAX_EMAIL, normal_form
from veche.core.values import LOBBY_ID, RESERVED_IDS, valid_person_id
from veche.gateway.openapi_bodies import characters, shown_in_struct, utf8_bytes

T = TypeVar("T")
MIN_NAME, MAX_NAME = 3, 20  # bytes
MIN_PASSWORD, MAX_PASSWORD = 8, 128  # bytes
Username = Annotated[str, shown_in_struct(utf8_bytes(MIN_NAME, MAX_NAME))]
Password = Annotated[str, shown_in_struct(utf8_bytes(MIN_PASSWORD, MAX_PASSWORD))]
Email = Annotated[str, shown_in_struct(characters(1, MAX_EMAIL))]
Typed = Annotated[str, shown_in_struct(characters(1))]
"""With which somebody signs in. Whatever it is, a wrong one is answered as a wrong one."""
Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
RoomId = Annotated[Number, shown_in_struct({"minimum": 1, "maximum": LOBBY_ID})]
PersonId = Annotated[Number, shown_in_struct({"minimum": 1, "maximum": RESERVED_IDS - 1})]
"""A number beyond the bounds can be read, but nothing has it as its id."""

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
_ROOM_ID = re.compile(r"[+-]?[0-9]{1,19}")
_object = msgspec.json.Decoder(dict[str, Any]).decode


class Registration(msgspec.Struct):
    """The body of /register."""

    username: Username = ""
    email: Email = ""
    password: Password = ""


class Credentials(msgspec.Struct):
    """The body of /login. `email` holds an e-mail or a username."""

    email: Typed = ""
    password: Typed = ""


class NewName(msgspec.Struct):
    """The body of /change-name."""

    username: Username = ""


class NewRoom(msgspec.Struct):
    """The body of /create-room. A private room can be joined by invitation only."""

    name: Username = ""
    is_private: bool = False


class JoinRequest(msgspec.Struct):
    """The body of /join."""

    room_id: RoomId = 0


class Invitation(msgspec.Struct):
    """The body of /invite."""

    room_id: RoomId = 0
    user_id: PersonId = 0


class Frame(msgspec.Struct):
    """A frame from the client. A room id in `content` may be a string or a number."""

    type: str = ""
    content: str | Number = ""


def decode(model: type[T], data: bytes | str) -> T:
    """Decode a JSON object as Go does. Raises ChatError.

    The case of keys is ignored. Of two equal keys, the last one counts. A null counts as absent.
    """
    try:
        found = {key.casefold(): value for key, value in _object(data).items() if value is not None}
        return msgspec.convert(found, model)
    except (ValueError, RecursionError):
        raise ChatError(Code.BAD_REQUEST, "The JSON does not have the expected form.") from None


def valid_room_id(id: int) -> int:
    """Return the id, or 0 if no room can have this id. Nothing has the id 0."""
    return id if id == LOBBY_ID else valid_person_id(id)  # the ids of rooms have the same range as those of accounts


def room_number(content: str | int) -> int | None:
    """Parse a room id. Returns None if it is not a 64-bit integer."""
    if isinstance(content, str):
        content = int(content) if _ROOM_ID.fullmatch(content) else 2**63
    return content if -(2**63) <= content < 2**63 else None


def check_registration(body: Registration) -> None:
    """Check a new account. Raises ChatError for the first broken rule."""
    check_present(body.username, body.email, body.password)
    if not _EMAIL.fullmatch(body.email):
        raise ChatError(Code.INVALID, "This is not an e-mail address.", field="email")
    check_name(normal_form(body.username))
    if not MIN_PASSWORD <= len(body.password.encode()) <= MAX_PASSWORD:
        sentence = f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} bytes."
        raise ChatError(Code.INVALID, sentence, field="password")


def check_present(*fields: str) -> None:
    """Raise ChatError if a field is empty."""
    if "" in fields:
        raise ChatError(Code.INVALID, "A field is missing.", reason="missing")


def check_name(name: str) -> None:
    """Check the name of an account or a room: 3 to 20 bytes of letters, digits and underscores. Raises ChatError."""
    allowed = all(char.isalpha() or char.isdecimal() or char == "_" for char in name)
    if not allowed or not MIN_NAME <= len(name.encode()) <= MAX_NAME:
        sentence = f"A name has {MIN_NAME} to {MAX_NAME} bytes of letters, digits and underscores."
        raise ChatError(Code.INVALID, sentence, field="name")
