"""Renaming a room. The command is `room_settings.UpdateRoom`."""

from typing import ClassVar

from msgspec.structs import replace

from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.facts import Rows
from veche.core.rooms import ROOM_NAMES, ROOMS
from veche.core.state import State
from veche.core.values import Person, Room


class RoomRenamed(LogEvent, frozen=True, gc=False):
    """The room got another name. The event is in the room's log. `person` is the account that renamed it."""

    kind: ClassVar[str] = "renamed"
    person: Person
    name: str

    def apply(self, rows: Rows) -> None:
        if (room := rows.peek(ROOMS, self.log_id)) is None:
            return
        if room.unique_name is not None:
            rows.remove(ROOM_NAMES, room.unique_name)
            rows.put(ROOM_NAMES, self.name, room.id)
        rows.put(ROOMS, room.id, _renamed(room, self.name))


def check_is_free(state: State, room: Room, name: str) -> None:
    """Raise ChatError (TAKEN) if a room whose name is unique cannot have this name."""
    if room.unique_name is not None and name != room.name and state.get(ROOM_NAMES, name) is not None:
        raise ChatError(Code.TAKEN, "A room has this name.", field="name")


def record_rename(state: State, room: Room, person: Person, name: str) -> Room:
    """Record that a room has another name. Return the room as it is then.

    The name of a room that was created with `CreateRoom.unique` stays unique.
    """
    if name == room.name:
        return room
    state.record(RoomRenamed(room.id, state.next_seq(room.id), state.now, person, name))
    return _renamed(room, name)


def _renamed(room: Room, name: str) -> Room:
    return replace(room, name=name, unique_name=None if room.unique_name is None else name)
