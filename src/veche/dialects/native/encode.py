"""Encodes events as frames of the native dialect."""

import msgspec

from veche.core.event import Ephemeral, LogEvent
from veche.core.membership import MemberJoined, MemberLeft, RoomEntered, RoomExited
from veche.core.messages import Message
from veche.core.ownership import OwnerChanged
from veche.core.profile import AccountChanged
from veche.core.reading import MessageRead, ReadMoved
from veche.core.room_renaming import RoomRenamed
from veche.core.sessions import SessionsEnded
from veche.dialects.native import events, out
from veche.dialects.native.features import ENCODERS, EPHEMERAL
from veche.dialects.native.views import message_out, time_of
from veche.hub.serializer import Serializer
from veche.wire.frames import text_frame

to_json = msgspec.json.Encoder().encode


def event_out(event: LogEvent) -> out.Outgoing | None:
    """Convert an event to its frame. Returns None for an event that native clients do not get."""
    match event:
        case Message():
            return events.MessageEvent(message_out(event))
        case MemberJoined():
            at = time_of(event.at)
            joined = events.Joined(event.log_id, event.seq, event.person, event.by_id, at, event.role)
            return events.JoinedEvent(joined)
        case MemberLeft():
            return events.LeftEvent(events.Left(event.log_id, event.seq, event.person, event.by_id, time_of(event.at)))
        case OwnerChanged():
            return events.OwnerEvent(
                events.Owner(event.log_id, event.seq, event.person, event.by_id, time_of(event.at))
            )
        case RoomRenamed():
            return events.RenamedEvent(
                events.Renamed(event.log_id, event.seq, event.name, event.person, time_of(event.at))
            )
        case RoomEntered():
            return events.MeJoinedEvent(events.MeJoined(event.seq, events.JoinedRoom(_joined_room(event))))
        case RoomExited():
            return events.MeLeftEvent(events.MeLeft(event.seq, out.RoomRef(event.room_id)))
        case ReadMoved():
            return events.MeReadEvent(events.MeRead(event.seq, out.RoomSeq(event.room_id, event.read_seq)))
        case MessageRead():
            read = events.ReadMessage(event.room_id, event.message_id, event.reader_id)
            return events.MeMessageReadEvent(events.MeMessageRead(event.seq, read))
        case SessionsEnded():
            return events.MeSessionsEndedEvent(events.MeSessionsEnded(event.seq, out.Empty()))
        case AccountChanged():
            return events.MeAccountEvent(events.MeAccount(event.seq, event.person))
    encode = ENCODERS.get(type(event))
    return encode(event) if encode is not None else None


def _joined_room(event: RoomEntered) -> out.Room:
    room, peer = event.room, event.peer
    name = room.name or (peer.name if peer else "")
    return out.Room(id=room.id, kind=room.kind, name=name, peer=peer or msgspec.UNSET, head_seq=event.room_seq)


def encode(event: LogEvent) -> bytes | None:
    """Encode an event as the JSON payload of its frame. Returns None for an event that native clients do not get."""
    frame = event_out(event)
    return None if frame is None else to_json(frame)


def encode_ephemeral(shown: Ephemeral) -> bytes | None:
    """Encode what is shown at this moment alone, as `encode` does events."""
    make = EPHEMERAL.get(type(shown))
    return None if make is None else to_json(make(shown))


SERIALIZER = Serializer("native", encode, text_frame, encode_ephemeral)
