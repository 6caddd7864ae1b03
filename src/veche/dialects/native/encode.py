"""Events to the JSON of the native contract; `views` has what is asked for by REST."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from veche.core.accounts import Person
from veche.core.events import (
    LogEvent,
    MemberJoined,
    MemberLeft,
    Message,
    MessageRead,
    ReadMoved,
    RoomEntered,
    RoomExited,
    SessionsEnded,
)
from veche.hub.subscriber import Serializer
from veche.wire.frames import text_frame

to_json = msgspec.json.Encoder().encode
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # all is UTC here: without a zone it is faster


def time_of(at: int) -> str:
    """Write microseconds since 1970 as RFC 3339, `2026-11-20T20:21:51.745308Z`."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="microseconds") + "Z"


class MessageOut(msgspec.Struct, gc=False):
    """A message as everybody sees it."""

    id: int
    room_id: int
    seq: int
    kind: str
    sender: Person
    text: str
    client_message_id: str | None
    origin: str
    at: str


def message_out(message: Message) -> MessageOut:
    """Make the JSON value of a message."""
    return MessageOut(
        message.id,
        message.log_id,
        message.seq,
        message.kind,
        message.sender,
        message.text,
        message.client_message_id,
        message.origin,
        time_of(message.at),
    )


def _room_entered(event: RoomEntered) -> dict[str, Any]:
    room = event.room
    name = room.name or (event.peer.name if event.peer else "")
    return {"id": room.id, "kind": room.kind, "name": name, "head_seq": event.room_seq}


def event_out(event: LogEvent) -> dict[str, Any]:
    """Make the JSON value of an entry of a log."""
    match event:
        case Message():
            return {"message": message_out(event)}
        case MemberJoined():
            return {"joined": _change(event) | {"role": event.role}}
        case MemberLeft():
            return {"left": _change(event)}
        case RoomEntered():
            return _me(event, "joined", {"room": _room_entered(event)})
        case RoomExited():
            return _me(event, "left", {"room_id": event.room_id})
        case ReadMoved():
            return _me(event, "read", {"room_id": event.room_id, "seq": event.read_seq})
        case MessageRead():
            read = {"room_id": event.room_id, "message_id": event.message_id, "reader_id": event.reader_id}
            return _me(event, "message_read", read)
        case SessionsEnded():
            return _me(event, "sessions_ended", {})


def _change(event: MemberJoined | MemberLeft) -> dict[str, Any]:
    return {
        "room_id": event.log_id,
        "seq": event.seq,
        "account": event.person,
        "by_id": event.by_id,
        "at": time_of(event.at),
    }


def _me(event: LogEvent, name: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"me": {"seq": event.seq, name: data}}


def encode(event: LogEvent) -> bytes:
    """Write an entry of a log as a frame's payload."""
    return to_json(event_out(event))


SERIALIZER = Serializer("native", encode, text_frame)
