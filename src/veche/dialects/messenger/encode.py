"""Encodes values and events as the JSON of the messenger dialect, with the original's key order."""

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from veche.core.event import LogEvent
from veche.core.messages import Message
from veche.core.reading import MessageRead
from veche.core.values import Account, Kind
from veche.core.views import RoomView
from veche.dialects.messenger.rules import ChatType
from veche.gateway.lines import text_with_files
from veche.hub.serializer import Serializer
from veche.wire.frames import text_frame

DELETED = "Сообщение удалено"
to_json = msgspec.json.Encoder().encode


def naive_time(at: int) -> str:
    """Format microseconds since 1970 as UTC without an offset, `2026-11-20T20:21:51.745308`."""
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%dT%H:%M:%S}.{at % 1_000_000:06d}"


def aware_time(at: int) -> str:
    """Format microseconds since 1970 as UTC with an offset, `2026-11-20T20:21:51.745308+00:00`."""
    return f"{naive_time(at)}+00:00"


class Profile(msgspec.Struct):
    """The signed-in account. `email` is None if the account was made through another dialect without one."""

    email: str | None
    name: str
    id: int


class SignedIn(msgspec.Struct):
    """The response body of /login."""

    access_token: str
    token_type: str


class Health(msgspec.Struct):
    """The response body of /health."""

    status: str = "все ок👌"


class Chat(msgspec.Struct):
    """A chat as one of its members sees it."""

    name: str
    chat_type: ChatType
    id: int


class StoredMessage(msgspec.Struct, gc=False):
    """A message on REST.

    The original does not send `timestamp`, but its page reads it.
    """

    text: str
    chat_id: int
    client_message_id: str | None
    id: int
    sender_id: int
    created_at: str
    timestamp: str


class Page(msgspec.Struct):
    """The messages of a chat from `offset` on, oldest first. `total` is how many the chat has."""

    items: list[StoredMessage]
    total: int
    offset: int
    limit: int


class MessageFrame(msgspec.Struct, gc=False, tag_field="type", tag="message"):
    """A message on the socket."""

    id: int
    chat_id: int
    sender_id: int
    text: str
    timestamp: str


class ReadFrame(msgspec.Struct, gc=False, tag_field="type", tag="read"):
    """A frame to an author: the message was read for the first time."""

    message_id: int
    reader_id: int


def profile(account: Account) -> Profile:
    """Convert the signed-in account to its JSON value."""
    return Profile(account.email, account.name, account.id)


def chat(view: RoomView) -> Chat:
    """Convert a room to its JSON value."""
    return Chat(view.name, ChatType.PRIVATE if view.room.kind is Kind.DIRECT else ChatType.GROUP, view.room.id)


def text_of(message: Message) -> str:
    """Return the text that clients get. A deleted message keeps its place, so they get a text for it, too."""
    return text_with_files(message) if message.deleted_by is None else DELETED


def stored_message(message: Message) -> StoredMessage:
    """Convert a message to its JSON value on REST."""
    return StoredMessage(
        text_of(message),
        message.log_id,
        message.client_message_id,
        message.id,
        message.sender.id,
        naive_time(message.at),
        aware_time(message.at),
    )


def _message(event: LogEvent) -> bytes | None:
    if not isinstance(event, Message):
        return None
    return to_json(MessageFrame(event.id, event.log_id, event.sender.id, text_of(event), aware_time(event.at)))


SERIALIZER = Serializer("messenger", _message, text_frame)
"""Encodes messages and notices. The contract has no frame for joins and leaves."""


@lru_cache(1024)
def read_serializer_of(chat_id: int) -> Serializer:
    """Make the serializer of an author's own log. It encodes that a message of the author in this chat was read."""

    def encode(event: LogEvent) -> bytes | None:
        if not isinstance(event, MessageRead) or event.room_id != chat_id:
            return None
        return to_json(ReadFrame(event.message_id, event.reader_id))

    return Serializer("messenger", encode, text_frame)
