"""What an event of the socketio contract may hold, and what of it is stored beside the text.

The same client id with the same body is one message, with another body a new one that bears the id too. So what is
stored as a message's client id is a hash of the body, and behind it the id as JSON: `JSqZ0rWYoBXn7Rkq:"a-1"`. A line
that came as a plain string, and leaves as one, bears `string:` and a number of its own.
"""

import json
import secrets
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Any, NamedTuple

from veche.core.messages import Message
from veche.core.text import MAX_CLIENT_MESSAGE_ID

DIALECT = "socketio"
_STRING = "string:"


class Line(NamedTuple):
    """What somebody says: the text, who they say to be, and what is stored as the client id."""

    text: str
    author: str | None
    stored_id: str | None


def line_of(payload: object, scope: str) -> Line | None:
    """Read what came with a `message`; None where there is no text in it. `scope`: within which ids mean the same."""
    if isinstance(payload, str):
        return Line(payload, None, f"{_STRING}{secrets.token_hex(12)}")
    if not isinstance(payload, dict):
        return None
    text, author = payload["text"] if "text" in payload else payload.get("content"), payload.get("author")
    if not isinstance(text, str):
        return None
    author = author if isinstance(author, str) and author else None
    return Line(text, author, _stored(payload.get("id"), (scope, author or "", text) if scope else ("", text)))


def _stored(id: Any, body: tuple[str, ...]) -> str | None:
    """None where there is no id, or one that is too long to be kept (45 characters fit)."""
    if id is None:
        return None
    try:
        written = json.dumps(id, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):  # an attachment
        return None
    hashed = blake2b("\0".join(body).encode("utf-8", "surrogatepass"), digest_size=12).digest()
    stored = f"{urlsafe_b64encode(hashed).decode()}:{written}"
    return stored if len(stored) <= MAX_CLIENT_MESSAGE_ID else None


def client_id(message: Message) -> bytes | None:
    """Find the id that the client gave a message, as JSON."""
    if message.dialect != DIALECT or message.client_message_id is None or was_string(message):
        return None
    return message.client_message_id.partition(":")[2].encode()


def was_string(message: Message) -> bool:
    """Tell whether a message came as a plain string."""
    return message.dialect == DIALECT and (message.client_message_id or "").startswith(_STRING)
