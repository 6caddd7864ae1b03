"""Values and events to the JSON of the messenger contract, key by key in its order."""

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from veche.core.event import LogEvent
from veche.core.messages import Message
from veche.core.reading import MessageRead
from veche.core.values import Account, Kind
from veche.core.views import RoomView
from veche.dialects.messenger.rules import ChatType
from veche.hub.serializer import Serializer
from veche.wire.frames import text_frame

to_json = msgspec.json.Encoder().encode


def naive_time(at: int) -> str:
    """Write microseconds since 1970 as UTC that does not say so, `2026-11-20T20:21:51.745308`."""
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%dT%H:%M:%S}.{at % 1_000_000:06d}"


def aware_time(at: int) -> str:
    """Write microseconds since 1970 as `2026-11-20T20:21:51.745308+00:00`."""
    return f"{naive_time(at)}+00:00"


class Profile(msgspec.Struct):
    """One's own account. Who came through another dialect may have no e-mail."""

    email: str | None
    name: str
    id: int


class Chat(msgspec.Struct):
    """A chat as one of its members sees it."""

    name: str
    chat_type: ChatType
    id: int


class StoredMessage(msgspec.Struct, gc=False):
    """A message on REST. The original had no `timestamp` here, although its page reads it."""

    text: str
    chat_id: int
    client_message_id: str | None
    id: int
    sender_id: int
    created_at: str
    timestamp: str


class MessageFrame(msgspec.Struct, gc=False, tag_field="type", tag="message"):
    """A message on the socket."""

    id: int
    chat_id: int
    sender_id: int
    text: str
    timestamp: str


class ReadFrame(msgspec.Struct, gc=False, tag_field="type", tag="read"):
    """Tells an author that a message was read for the first time."""

    message_id: int
    reader_id: int


def profile(account: Account) -> Profile:
    """Make the JSON value of one's own account."""
    return Profile(account.email, account.name, account.id)


def chat(view: RoomView) -> Chat:
    """Make the JSON value of a chat."""
    return Chat(view.name, ChatType.PRIVATE if view.room.kind is Kind.DIRECT else ChatType.GROUP, view.room.id)


def stored(message: Message) -> StoredMessage:
    """Make the JSON value of a message on REST."""
    return StoredMessage(
        message.text,
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
    return to_json(MessageFrame(event.id, event.log_id, event.sender.id, event.text, aware_time(event.at)))


MESSAGES = Serializer("messenger", _message, text_frame)
"""What is said in a chat; the contract does not tell who comes and goes."""


@lru_cache(1024)
def reads_of(chat_id: int) -> Serializer:
    """Make the serializer of an author's own log that shows which messages of one chat were read."""

    def encode(event: LogEvent) -> bytes | None:
        if not isinstance(event, MessageRead) or event.room_id != chat_id:
            return None
        return to_json(ReadFrame(event.message_id, event.reader_id))

    return Serializer("messenger", encode, text_frame)
