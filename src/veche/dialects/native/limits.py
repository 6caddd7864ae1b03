"""The limits of the native dialect and their checks (docs/native.md, Limits). GET /v1/limits shows them."""

import re
import unicodedata
from typing import Any

from veche.core.errors import ChatError, Code
from veche.core.files import MAX_FILES
from veche.core.names import MAX_EMAIL, normal_form
from veche.core.names import check_username as check_common_rule
from veche.core.pins import MAX_PINS
from veche.core.reactions import MAX_EMOJI_OF_MESSAGE
from veche.core.room_creation import MAX_FIRST_MEMBERS
from veche.core.room_settings import MAX_TOPIC
from veche.core.slow_mode import MAX_SLOW
from veche.core.text import MAX_CLIENT_ID, check_text
from veche.dialects.native.out import Limits, Range
from veche.service.shares import MAX_WAITING
from veche.wire.heartbeat import Heartbeats

MAX_TEXT_BYTES = 16_384
MAX_FRAME_BYTES = 65_536
MAX_ROOM_NAME = 100
MAX_PERSON_NAME = 50
MIN_USERNAME = 2
MAX_USERNAME = 32
MAX_DEVICE = 64
MAX_REPLAY = 500  # entries of one log; a client that has missed more must fetch everything again over REST
MAX_PAGE = 200
DEFAULT_PAGE = 50
PAGE_BYTES = 131_072  # a page of rooms ends once its last messages have more bytes of text than this
MAX_SYNC = 1000  # rooms of one `sync`
HELLO_WITHIN = 5.0  # seconds between the 101 response and the hello of the client
MIN_PASSWORD, MAX_PASSWORD_BYTES = 8, 1024

EMAIL_PATTERN = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"

LIMITS: dict[str, Any] = {
    "text_bytes": MAX_TEXT_BYTES,
    "frame_bytes": MAX_FRAME_BYTES,
    "client_message_id_length": MAX_CLIENT_ID,
    "room_name_length": MAX_ROOM_NAME,
    "topic_length": MAX_TOPIC,
    "slow_seconds": MAX_SLOW,
    "name_length": MAX_PERSON_NAME,
    "username_length": Range(MIN_USERNAME, MAX_USERNAME),
    "password_bytes": Range(MIN_PASSWORD, MAX_PASSWORD_BYTES),
    "device_length": MAX_DEVICE,
    "first_members": MAX_FIRST_MEMBERS,
    "page": MAX_PAGE,
    "hello_rooms": MAX_PAGE,
    "sync_rooms": MAX_SYNC,
    "reactions": MAX_EMOJI_OF_MESSAGE,
    "pins": MAX_PINS,
    "files": MAX_FILES,
    "replay_events": MAX_REPLAY,
    "waiting_commands": MAX_WAITING,
    "hello_within_ms": round(HELLO_WITHIN * 1000),
}


def limits_of(heartbeats: Heartbeats, file_bytes: int) -> Limits:
    """Return the body of GET /v1/limits: the fixed limits, and the heartbeat times and the file size of this server."""
    interval, timeout = _milliseconds(heartbeats.interval), _milliseconds(heartbeats.timeout)
    return Limits(**LIMITS, file_bytes=file_bytes, ping_interval_ms=interval, pong_timeout_ms=timeout)


def _milliseconds(seconds: float) -> int:
    """Convert to milliseconds, at most 2**53 - 1.

    The time is `inf` if the operator has switched pings off, and JSON has no `inf`.
    """
    return round(min(seconds * 1000, 2**53 - 1))


def check_text_size(text: str, *, may_be_empty: bool = False) -> None:
    """Check the text of a message: 1 to 16,384 bytes of UTF-8. A message with files needs none. Raises ChatError."""
    if not text and not may_be_empty:
        raise ChatError(Code.INVALID, "A message needs a text.", field="text")
    check_text(text)
    if len(text) * 4 > MAX_TEXT_BYTES and len(text.encode()) > MAX_TEXT_BYTES:
        raise ChatError(Code.INVALID, f"Text may have {MAX_TEXT_BYTES} bytes of UTF-8.", field="text")


def check_username(username: str) -> None:
    """Check a username: 2 to 32 letters with their marks, digits, `_`, `.` and `-`. Raises ChatError.

    The rule of all dialects (`core.names`) is on top of this. The username is checked and counted in its normal form.
    """
    username = normal_form(username)
    allowed = all(c.isalnum() or c in "_.-" or unicodedata.category(c)[0] == "M" for c in username)
    if not MIN_USERNAME <= len(username) <= MAX_USERNAME or not allowed:
        sentence = f"A username has {MIN_USERNAME} to {MAX_USERNAME} letters, digits, '_', '.' or '-'."
        raise ChatError(Code.INVALID, sentence, field="username")
    check_common_rule(username)


def check_person_name(name: str) -> None:
    """Check the name of an account: 1 to 50 characters, not all blank. Raises ChatError."""
    if not 1 <= len(name) <= MAX_PERSON_NAME or not name.strip():
        raise ChatError(Code.INVALID, f"A name has 1 to {MAX_PERSON_NAME} characters.", field="name")


def check_email(email: str) -> None:
    """Check an e-mail: at most 254 characters, with an @ and a dot after it. Raises ChatError."""
    if len(email) > MAX_EMAIL or not re.fullmatch(EMAIL_PATTERN, email):
        raise ChatError(Code.INVALID, "An e-mail looks like ann@example.com.", field="email")


def check_device(name: str) -> None:
    """Check the name of a device: 1 to 64 characters, not all blank. Raises ChatError."""
    if not 1 <= len(name) <= MAX_DEVICE or not name.strip():
        raise ChatError(Code.INVALID, f"A device's name has 1 to {MAX_DEVICE} characters.", field="device")
    check_text(name, "device")


def check_room_name(name: str) -> None:
    """Check the name of a room: 1 to 100 characters, not all blank. Raises ChatError."""
    if not 1 <= len(name) <= MAX_ROOM_NAME or not name.strip():
        raise ChatError(Code.INVALID, f"A room's name has 1 to {MAX_ROOM_NAME} characters.", field="name")
