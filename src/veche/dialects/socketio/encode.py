"""Values and events to the JSON of the socketio contract, key by key in its order."""

from datetime import UTC, datetime

import msgspec

from veche.core.event import LogEvent
from veche.core.messages import Message
from veche.core.values import Account
from veche.dialects.socketio.lines import client_id, was_string
from veche.gateway.socketio import Serializers
from veche.wire.socketio.packets import event as to_event


class User(msgspec.Struct, gc=False):
    """Somebody, as everybody sees them."""

    id: int
    username: str


class Signed(msgspec.Struct):
    """A token, and whose it is."""

    token: str
    user: User


class MessageOut(msgspec.Struct, gc=False):
    """A line, for both the document's readers and its front end's. The `id` is the client's own where it gave one."""

    id: int | msgspec.Raw
    author: str
    text: str
    user_id: int = msgspec.field(name="userId")
    content: str
    timestamp: str


def user(account: Account) -> User:
    """Make the JSON value of somebody."""
    return User(account.id, account.username)


def time_of(at: int) -> str:
    """Write microseconds since 1970 as JavaScript does, `2026-11-20T20:21:51.745Z`."""
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%dT%H:%M:%S}.{at // 1000 % 1000:03d}Z"


def line(event: LogEvent) -> bytes | None:
    """Make the event of what somebody said; the contract shows no notices, and not who comes and goes."""
    if type(event) is not Message or event.type != "text":
        return None
    if was_string(event):
        return to_event("message", event.text)
    given, sender, text = client_id(event), event.sender, event.text
    id = event.id if given is None else msgspec.Raw(given)
    return to_event("message", MessageOut(id, sender.username, text, sender.id, text, time_of(event.at)))


LINES = Serializers.of("socketio", line)
"""What is said in the lobby, through whichever dialect."""
