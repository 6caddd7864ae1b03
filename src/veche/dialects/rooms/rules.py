"""What a request and a frame of the rooms contract may hold, and in which order its rules are asked."""

import re
from typing import Annotated, Any, TypeVar

import msgspec

from veche.core.errors import ChatError, Code
from veche.core.values import LOBBY_ID, RESERVED_IDS

T = TypeVar("T")
Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
_ROOM_ID = re.compile(r"[+-]?[0-9]{1,19}")
_object = msgspec.json.Decoder(dict[str, Any]).decode


class Registration(msgspec.Struct):
    """A new account."""

    username: str = ""
    email: str = ""
    password: str = ""


class Credentials(msgspec.Struct):
    """Who signs in: by e-mail, or by handle."""

    email: str = ""
    password: str = ""


class NewName(msgspec.Struct):
    """Another name."""

    username: str = ""


class NewRoom(msgspec.Struct):
    """A new room; into a private one people are invited."""

    name: str = ""
    is_private: bool = False


class Entry(msgspec.Struct):
    """Which room to enter."""

    room_id: Number = 0


class Invitation(msgspec.Struct):
    """Whom to bring into which room."""

    room_id: Number = 0
    user_id: Number = 0


class Frame(msgspec.Struct):
    """What comes by the socket. A number is taken for the room's id too."""

    type: str = ""
    content: str | Number = ""


def decode(kind: type[T], data: bytes | str) -> T:
    """Read a JSON object as Go does: keys without regard to case, the last one counts, null is absent."""
    try:
        found = {key.casefold(): value for key, value in _object(data).items() if value is not None}
        return msgspec.convert(found, kind)
    except (ValueError, RecursionError):
        raise ChatError(Code.BAD_REQUEST, "This cannot be read.") from None


def known_person(id: int) -> int:
    """Make 0, which is never an id, of a number that no person's id can be."""
    return id if 0 < id < RESERVED_IDS else 0


def known_room(id: int) -> int:
    """Make 0, which is never an id, of a number that no room's id can be."""
    return id if 0 < id < RESERVED_IDS or id == LOBBY_ID else 0


def room_number(content: str | int) -> int | None:
    """Read the number of a room, or None."""
    if isinstance(content, str):
        content = int(content) if _ROOM_ID.fullmatch(content) else 2**63
    return content if -(2**63) <= content < 2**63 else None


def check_registration(body: Registration) -> None:
    """Refuse what breaks a rule, by the first that it breaks."""
    check_present(body.username, body.email, body.password)
    if not _EMAIL.fullmatch(body.email):
        raise ChatError(Code.INVALID, "This is no e-mail address.", field="email")
    check_name(body.username)
    if not 8 <= len(body.password.encode()) <= 128:
        raise ChatError(Code.INVALID, "A password has 8 to 128 bytes.", field="password")


def check_present(*fields: str) -> None:
    """Refuse a body in which something is missing."""
    if "" in fields:
        raise ChatError(Code.INVALID, "Something is missing.", reason="missing")


def check_name(name: str) -> None:
    """Refuse what is no name, of a person or a room: 3 to 20 bytes of letters, digits and underscores."""
    plain = all(char.isalpha() or char.isdecimal() or char == "_" for char in name)
    if not plain or not 3 <= len(name.encode()) <= 20:
        raise ChatError(Code.INVALID, "A name has 3 to 20 bytes of letters, digits and underscores.", field="name")
