"""Notification levels: of which messages of a room a member wants to be told, on all devices alike."""

from typing import ClassVar

from msgspec.structs import replace

from veche.core.access import Right
from veche.core.actor import Actor
from veche.core.event import LogEvent
from veche.core.facts import Needs, Rows
from veche.core.once import Done, OnceCommand
from veche.core.reading import ReadMoved
from veche.core.rooms import MEMBERS, ask_room, check_room_access
from veche.core.state import HEADS, State
from veche.core.values import Level, account_log


class LevelChanged(LogEvent, frozen=True, gc=False):
    """The account has another notification level in a room. The event is in the account's own log."""

    kind: ClassVar[str] = "level"
    room_id: int
    level: Level

    def apply(self, rows: Rows) -> None:
        key = (self.room_id, -self.log_id)
        if (member := rows.peek(MEMBERS, key)) is not None:
            rows.put(MEMBERS, key, replace(member, level=self.level))


class LevelSet(Done, frozen=True, gc=False):
    """The answer to SetLevel: the level, as asked."""

    room_id: int
    level: Level


class SetLevel(OnceCommand[LevelSet], frozen=True, gc=False):
    """Set the actor's notification level in a room. If it is so already, nothing changes.

    In the lobby, an account without a member row gets one, and its read pointer is at the head.
    """

    name: ClassVar[str] = "notify"
    answer: ClassVar[type[Done]] = LevelSet
    room_id: int
    level: Level

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        needs.ask(HEADS, account_log(actor.account_id))

    def change(self, actor: Actor, state: State) -> LevelSet:
        room, member = check_room_access(state, Right.READ, self.room_id, actor.account_id)
        if self.level is not (member.level if member is not None else Level.ALL):
            own, head = account_log(actor.account_id), state.head(room.id)
            if member is None:
                read = (room.id, head.last_seq, head.message_count)
                state.record(ReadMoved(own, state.next_seq(own), state.now, *read))
            state.record(LevelChanged(own, state.next_seq(own), state.now, room.id, self.level))
        return LevelSet(room.id, self.level)
