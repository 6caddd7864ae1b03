"""Renaming a room."""

from typing import ClassVar

from msgspec.structs import replace

from veche.core.access import Right
from veche.core.accounts import ACCOUNTS, account_of
from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.facts import Needs, Rows
from veche.core.names import check_name
from veche.core.rooms import ROOM_NAMES, ROOMS, ask_room, check_room_access
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


class RenameRoom(Command[Room], frozen=True, gc=False):
    """Change the name of a room. Only its owner may do this. The answer is the room with its new name.

    If the room has that name already, nothing changes. The name of a room that was created with
    `CreateRoom.unique` stays unique.
    """

    room_id: int
    name: str

    def check(self) -> None:
        check_name(self.name)

    def needs(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        needs.ask(ACCOUNTS, actor.account_id)
        needs.ask(ROOM_NAMES, self.name)

    def decide(self, actor: Actor, state: State) -> Room:
        room, _ = check_room_access(state, Right.RENAME, self.room_id, actor.account_id)
        account = account_of(state, actor.account_id)
        if self.name == room.name:
            return room
        if room.unique_name is not None and state.get(ROOM_NAMES, self.name) is not None:
            raise ChatError(Code.TAKEN, "A room has this name.", field="name")
        state.record(RoomRenamed(room.id, state.next_seq(room.id), state.now, account.person, self.name))
        return _renamed(room, self.name)


def _renamed(room: Room, name: str) -> Room:
    return replace(room, name=name, unique_name=None if room.unique_name is None else name)
