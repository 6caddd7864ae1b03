"""Encodes values and events as the JSON of the socketio dialect, with the original's key order."""

from datetime import UTC, datetime

import msgspec

from veche.core.event import LogEvent
from veche.core.messages import Message
from veche.core.values import Account
from veche.dialects.socketio.lines import client_id, was_plain_string
from veche.gateway.lines import text_with_files
from veche.gateway.socketio import Serializers
from veche.wire.socketio.packets import event as to_event


class User(msgspec.Struct, gc=False):
    """An account in a response."""

    id: int
    username: str


class SignedIn(msgspec.Struct):
    """The response body of login and register."""

    token: str
    user: User


class MessageOut(msgspec.Struct, gc=False):
    """A message, with the keys of the original's document and of its front end. `id` is the client's own id, if any."""

    id: int | msgspec.Raw
    author: str
    text: str
    user_id: int = msgspec.field(name="userId")
    content: str
    timestamp: str


def user(account: Account) -> User:
    """Convert an account to its JSON value."""
    return User(account.id, account.username)


def time_of(at: int) -> str:
    """Format microseconds since 1970 as JavaScript does, `2026-11-20T20:21:51.745Z`."""
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%dT%H:%M:%S}.{at // 1000 % 1000:03d}Z"


def line(event: LogEvent) -> bytes | None:
    """Encode a message of an account as an event. Returns None for all else, as the contract has no event for that."""
    if type(event) is not Message or not event.is_line:
        return None
    if was_plain_string(event):
        return to_event("message", text_with_files(event))
    own_id, sender, text = client_id(event), event.sender, text_with_files(event)
    id = event.id if own_id is None else msgspec.Raw(own_id)
    return to_event("message", MessageOut(id, sender.username, text, sender.id, text, time_of(event.at)))


SERIALIZERS = Serializers.of("socketio", line)
"""The serializers of the lobby, for both transports."""
