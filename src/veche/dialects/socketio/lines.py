"""Decodes `message` events of the socketio dialect, and makes the client message ids to store with the messages.

Two messages with the same id and body are one message. The same id with another body is a new message with that id.
So the stored client message id is a hash of the body, a colon, and the client's id as JSON: `JSqZ0rWYoBXn7Rkq:"a-1"`.
A message that arrived as a plain string is sent as a plain string. To mark it, its stored id is `string:` and a random
number.
"""

import json
import secrets
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Any, NamedTuple

from veche.core.messages import Message
from veche.core.text import MAX_CLIENT_ID

DIALECT = "socketio"
MAX_INTEGER_BITS = 160
_PLAIN_STRING = "string:"


class Line(NamedTuple):
    """A message to store. `author` is the name that the client gave, `stored_id` the client message id to store."""

    text: str
    author: str | None
    stored_id: str | None


def line_of(payload: object, scope: str) -> Line | None:
    """Decode the argument of a `message` event. Returns None if it has no text.

    Equal ids mean the same message only within one `scope`. An empty scope is that of the account.
    """
    if isinstance(payload, str):
        return Line(payload, None, f"{_PLAIN_STRING}{secrets.token_hex(12)}")
    if not isinstance(payload, dict):
        return None
    text, author = payload["text"] if "text" in payload else payload.get("content"), payload.get("author")
    if not isinstance(text, str):
        return None
    author = author if isinstance(author, str) and author else None
    return Line(text, author, _stored_id(payload.get("id"), (scope, author or "", text) if scope else ("", text)))


def _stored_id(id: Any, body: tuple[str, ...]) -> str | None:
    """Make the id to store. Returns None if the client gave no id, or one over 47 characters of JSON."""
    if id is None or _has_long_integer(id):
        return None
    try:
        written = json.dumps(id, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):  # TypeError: an attachment; ValueError: not a finite number
        return None
    hashed = blake2b("\0".join(body).encode("utf-8", "surrogatepass"), digest_size=12).digest()
    stored = f"{urlsafe_b64encode(hashed).decode()}:{written}"
    return stored if len(stored) <= MAX_CLIENT_ID else None


def _has_long_integer(value: Any) -> bool:
    """Return whether a value holds an integer of more than 47 digits. To write thousands of digits takes long."""
    if isinstance(value, int):
        return value.bit_length() > MAX_INTEGER_BITS
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_has_long_integer, inner))


def client_id(message: Message) -> bytes | None:
    """Return the id that the client gave the message, as JSON, or None."""
    if message.dialect != DIALECT or message.client_message_id is None or was_plain_string(message):
        return None
    return message.client_message_id.partition(":")[2].encode()


def was_plain_string(message: Message) -> bool:
    """Return whether the client sent the message as a plain string."""
    return message.dialect == DIALECT and (message.client_message_id or "").startswith(_PLAIN_STRING)
