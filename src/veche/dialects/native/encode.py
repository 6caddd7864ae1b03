"""Encodes events as frames of the native dialect."""

import msgspec

from veche.core.event import LogEvent
from veche.core.membership import MemberJoined, MemberLeft, RoomEntered, RoomExited
from veche.core.messages import Message
from veche.core.ownership import OwnerChanged
from veche.core.profile import AccountChanged
from veche.core.reading import MessageRead, ReadMoved
from veche.core.room_renaming import RoomRenamed
from veche.core.sessions import SessionsEnded
from veche.dialects.native import out
from veche.dialects.native.views import message_out, time_of
from veche.hub.serializer import Serializer
from veche.wire.frames import text_frame

to_json = msgspec.json.Encoder().encode


def event_out(event: LogEvent) -> out.Outgoing | None:
    """Convert an event to its frame. Returns None for an event that native clients do not get."""
    match event:
        case Message():
            return out.MessageEvent(message_out(event))
        case MemberJoined():
            at = time_of(event.at)
            return out.JoinedEvent(out.Joined(event.log_id, event.seq, event.person, event.by_id, at, event.role))
        case MemberLeft():
            return out.LeftEvent(out.Left(event.log_id, event.seq, event.person, event.by_id, time_of(event.at)))
        case OwnerChanged():
            return out.OwnerEvent(out.Owner(event.log_id, event.seq, event.person, event.by_id, time_of(event.at)))
        case RoomRenamed():
            return out.RenamedEvent(out.Renamed(event.log_id, event.seq, event.name, event.person, time_of(event.at)))
        case RoomEntered():
            return out.MeJoinedEvent(out.MeJoined(event.seq, out.JoinedRoom(_joined_room(event))))
        case RoomExited():
            return out.MeLeftEvent(out.MeLeft(event.seq, out.RoomRef(event.room_id)))
        case ReadMoved():
            return out.MeReadEvent(out.MeRead(event.seq, out.RoomSeq(event.room_id, event.read_seq)))
        case MessageRead():
            read = out.ReadMessage(event.room_id, event.message_id, event.reader_id)
            return out.MeMessageReadEvent(out.MeMessageRead(event.seq, read))
        case SessionsEnded():
            return out.MeSessionsEndedEvent(out.MeSessionsEnded(event.seq, out.Empty()))
        case AccountChanged():
            return out.MeAccountEvent(out.MeAccount(event.seq, event.person))
    return None


def _joined_room(event: RoomEntered) -> out.Room:
    room = event.room
    name = room.name or (event.peer.name if event.peer else "")
    return out.Room(id=room.id, kind=room.kind, name=name, head_seq=event.room_seq)


def encode(event: LogEvent) -> bytes | None:
    """Encode an event as the JSON payload of its frame. Returns None for an event that native clients do not get."""
    frame = event_out(event)
    return None if frame is None else to_json(frame)


SERIALIZER = Serializer("native", encode, text_frame)
