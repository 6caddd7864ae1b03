"""Pins: messages that a room keeps at hand. A deleted message is pinned no more (`core.deletion`)."""

from collections.abc import Mapping
from typing import ClassVar

from veche.core.access import Right
from veche.core.accounts import ACCOUNTS, account_of
from veche.core.actor import Actor
from veche.core.editing import message_in
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.facts import Fact, Needs, Rows
from veche.core.messages import MESSAGES
from veche.core.once import Done, OnceCommand
from veche.core.rooms import ask_room, check_room_access
from veche.core.state import State
from veche.core.values import Person

MAX_PINS = 100  # in one room

PINS: Fact[int, Mapping[int, int]] = Fact("pins")  # by room: for each pinned message, the seq of the entry that did it


class MessagePinned(LogEvent, frozen=True, gc=False):
    """An account pinned a message, or took the pin away. The event is in the room's log."""

    kind: ClassVar[str] = "pinned"
    person: Person
    message_id: int
    pinned: bool

    def apply(self, rows: Rows) -> None:
        unpin(rows, self.log_id, self.message_id)
        if self.pinned:
            pins: Mapping[int, int] = rows.peek(PINS, self.log_id) or {}
            rows.put(PINS, self.log_id, {**pins, self.message_id: self.seq})


def unpin(rows: Rows, room_id: int, message_id: int) -> None:
    """Change the rows so that a message is not pinned."""
    pins = rows.peek(PINS, room_id)
    if pins is not None and message_id in pins:
        rows.put(PINS, room_id, {id: seq for id, seq in pins.items() if id != message_id})


class Pinned(Done, frozen=True, gc=False):
    """The answer to PinMessage. The entries of the room's log up to `seq` show the result."""

    room_id: int
    seq: int
    message_id: int


class PinMessage(OnceCommand[Pinned], frozen=True, gc=False):
    """Pin a message, or take its pin away. If it is so already, nothing changes."""

    name: ClassVar[str] = "pin"
    answer: ClassVar[type[Done]] = Pinned
    room_id: int
    message_id: int
    pinned: bool = True

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        needs.ask(ACCOUNTS, actor.account_id)
        needs.ask(MESSAGES, self.message_id)
        needs.ask(PINS, self.room_id)

    def change(self, actor: Actor, state: State) -> Pinned:
        room, _ = check_room_access(state, Right.PIN, self.room_id, actor.account_id)
        message = message_in(state, room, self.message_id)
        pins = state.get(PINS, room.id) or {}
        if (message.id in pins) == self.pinned:
            return Pinned(room.id, state.head(room.id).last_seq, message.id)
        if self.pinned and len(pins) >= MAX_PINS:
            raise ChatError(Code.FORBIDDEN, f"A room has at most {MAX_PINS} pins.")
        person, seq = account_of(state, actor.account_id).person, state.next_seq(room.id)
        state.record(MessagePinned(room.id, seq, state.now, person, message.id, self.pinned))
        return Pinned(room.id, seq, message.id)
