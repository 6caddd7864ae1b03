"""What is set for a whole room: its name, its topic, slow mode, and whether it is archived.

An archived room can be read, searched and left. `core.access` refuses everything else.
"""

from collections.abc import Iterator
from typing import ClassVar

from msgspec.structs import replace

from veche.core.access import Right
from veche.core.accounts import ACCOUNTS, account_of
from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.facts import Needs, Rows
from veche.core.names import check_name
from veche.core.once import Done, OnceCommand
from veche.core.room_renaming import check_is_free, record_rename
from veche.core.rooms import ROOM_NAMES, ROOMS, ask_room, check_room_access
from veche.core.slow_mode import MAX_SLOW
from veche.core.state import State
from veche.core.values import Person, Room

MAX_TOPIC = 250  # characters


class RoomChanged(LogEvent, frozen=True, gc=False):
    """The room has another topic, is archived or brought back, or is slower or faster. The event is in its log.

    `person` is the account that did it. `room` is the room after that. In an entry that is read again, it is the room
    of now. A new name has an event of its own, `RoomRenamed`.
    """

    kind: ClassVar[str] = "room"
    person: Person
    room: Room

    def apply(self, rows: Rows) -> None:
        rows.put(ROOMS, self.room.id, self.room)


class RoomUpdated(Done, frozen=True, gc=False):
    """The answer to UpdateRoom. The entries of the room's log up to `seq` show the result."""

    room_id: int
    seq: int


class UpdateRoom(OnceCommand[RoomUpdated], frozen=True, gc=False):
    """Change what is set for a room. None leaves a thing as it is. What is so already has no event.

    The owner may do this, and moderators may set the topic and `slow_seconds`. A room that is brought back takes no
    other change in the same command.
    """

    name: ClassVar[str] = "update_room"
    answer: ClassVar[type[Done]] = RoomUpdated
    room_id: int
    new_name: str | None = None
    topic: str | None = None
    archived: bool | None = None
    slow_seconds: int | None = None

    def check(self) -> None:
        super().check()
        if not any(self._rights()):
            raise ChatError(Code.INVALID, "Say what to change.", field="name")
        if self.new_name is not None:
            check_name(self.new_name)
        if self.topic is not None:
            check_name(self.topic, "topic", MAX_TOPIC)
        if self.slow_seconds is not None and not 0 <= self.slow_seconds <= MAX_SLOW:
            raise ChatError(Code.INVALID, f"Slow mode has 0 to {MAX_SLOW} seconds.", field="slow_seconds")

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        needs.ask(ACCOUNTS, actor.account_id)
        if self.new_name is not None:
            needs.ask(ROOM_NAMES, self.new_name)

    def change(self, actor: Actor, state: State) -> RoomUpdated:
        found = [check_room_access(state, right, self.room_id, actor.account_id) for right in self._rights()]
        room, _ = found[0]
        person = account_of(state, actor.account_id).person
        if self.new_name is not None:
            check_is_free(state, room, self.new_name)
            room = record_rename(state, room, person, self.new_name)
        if (changed := self._changed(room, state.now)) != room:
            state.record(RoomChanged(room.id, state.next_seq(room.id), state.now, person, changed))
        return RoomUpdated(room.id, state.head(room.id).last_seq)

    def _rights(self) -> Iterator[Right]:
        """Yield the rights that the command needs: one for each thing that it changes."""
        if self.new_name is not None:
            yield Right.RENAME
        if self.topic is not None or self.slow_seconds is not None:
            yield Right.ADJUST
        if self.archived is not None:
            yield Right.ARCHIVE

    def _changed(self, room: Room, now: int) -> Room:
        if self.topic is not None:
            room = replace(room, topic=self.topic)
        if self.slow_seconds is not None:
            room = replace(room, slow_seconds=self.slow_seconds)
        if self.archived is not None and self.archived != (room.archived_at is not None):
            room = replace(room, archived_at=now if self.archived else None)
        return room
