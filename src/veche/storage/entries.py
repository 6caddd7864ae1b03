"""Entries of the `events` table: an event to its row, and a row back to the event.

People are stored by id and resolved when read, so that a renamed account is seen under its name of today.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from veche.core import events as e
from veche.core.accounts import Person
from veche.core.rooms import Role, Room


def event_row(event: e.Event) -> dict[str, Any] | None:
    """Make the row of an entry; None for what is no entry of the `events` table."""
    if (write := _WRITE.get(type(event))) is None:
        return None
    kind, account_id, room_id, data = write(event)
    return {
        "log_id": event.log_id,  # type: ignore[union-attr]  # all kinds of _WRITE have it
        "seq": event.seq,  # type: ignore[union-attr]
        "kind": kind,
        "created_at": event.at,  # type: ignore[union-attr]
        "account_id": account_id,
        "room_id": room_id,
        "data": msgspec.json.encode(data).decode(),
    }


def event_of(row: Any, person: Person | None, room: Room | None) -> e.LogEvent:
    """Make the event of a row (log_id, seq, kind, created_at, account_id, room_id, data) and whom and what it names."""
    log_id, seq, kind, at, _, room_id, raw = row
    data = msgspec.json.decode(raw)
    match kind:
        case "joined" if person is not None:
            return e.MemberJoined(log_id, seq, person, Role(data["role"]), data["by"], at)
        case "left" if person is not None:
            return e.MemberLeft(log_id, seq, person, data["by"], at)
        case "entered" if room is not None:
            return e.RoomEntered(log_id, seq, room, data["seq"], at)
        case "exited":
            return e.RoomExited(log_id, seq, room_id, at, data.get("seq"))
        case "read":
            return e.ReadMoved(log_id, seq, room_id, data["seq"], data["count"], at)
        case "message_read":
            return e.MessageRead(log_id, seq, room_id, data["message"], data["by"], at)
        case "sessions_ended":
            return e.SessionsEnded(log_id, seq, at, data["session"], data["kept"])
    raise ValueError(f"entry {seq} of log {log_id} has an unknown kind {kind!r} or names what is not there")


_Columns: TypeAlias = tuple[str, int | None, int | None, dict[str, Any]]  # kind, account, room, data

_WRITE: dict[type, Callable[[Any], _Columns]] = {
    e.MemberJoined: lambda event: ("joined", event.person.id, None, {"role": event.role, "by": event.by_id}),
    e.MemberLeft: lambda event: ("left", event.person.id, None, {"by": event.by_id}),
    e.RoomEntered: lambda event: ("entered", None, event.room.id, {"seq": event.room_seq}),
    e.RoomExited: lambda event: ("exited", None, event.room_id, {"seq": event.room_seq}),
    e.ReadMoved: lambda event: ("read", None, event.room_id, {"seq": event.read_seq, "count": event.read_count}),
    e.MessageRead: lambda event: (
        "message_read",
        None,
        event.room_id,
        {"message": event.message_id, "by": event.reader_id},
    ),
    e.SessionsEnded: lambda event: (
        "sessions_ended",
        None,
        None,
        {"session": event.session_id, "kept": event.kept},
    ),
}
