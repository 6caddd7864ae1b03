"""Reactions: members of a room put emoji to a message. Each member has each emoji at most once there."""

from collections.abc import Mapping
from typing import ClassVar

from veche.core.access import Right
from veche.core.accounts import ACCOUNTS, account_of
from veche.core.actor import Actor
from veche.core.editing import message_in
from veche.core.emoji import check_emoji
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.facts import Fact, Needs, Rows
from veche.core.messages import MESSAGES
from veche.core.once import Done, OnceCommand
from veche.core.rooms import ask_room, check_room_access
from veche.core.state import State
from veche.core.values import Person

MAX_EMOJI_OF_MESSAGE = 20  # different ones

REACTIONS: Fact[tuple[int, int, str], bool] = Fact("reactions")  # by (message, account, emoji)
TALLIES: Fact[int, Mapping[str, int]] = Fact("tallies")  # by message: how many accounts reacted, by emoji


class MessageReacted(LogEvent, frozen=True, gc=False):
    """An account put an emoji to a message, or took it back. The event is in the room's log.

    `count` is how many accounts have the emoji there from then on. So whoever has the entries up to some seq has the
    right count, also if they began with one of a later seq.
    """

    kind: ClassVar[str] = "reacted"
    person: Person
    message_id: int
    emoji: str
    added: bool
    count: int

    def apply(self, rows: Rows) -> None:
        key = (self.message_id, self.person.id, self.emoji)
        if self.added:
            rows.put(REACTIONS, key, True)
        else:
            rows.remove(REACTIONS, key)
        others = {emoji: n for emoji, n in (rows.peek(TALLIES, self.message_id) or {}).items() if emoji != self.emoji}
        rows.put(TALLIES, self.message_id, others | ({self.emoji: self.count} if self.count else {}))


class Reacted(Done, frozen=True, gc=False):
    """The answer to React. The entries of the room's log up to `seq` show the result."""

    room_id: int
    seq: int
    message_id: int
    emoji: str


class React(OnceCommand[Reacted], frozen=True, gc=False):
    """Put an emoji to a message, or take one's own back. If it is so already, nothing changes."""

    name: ClassVar[str] = "react"
    answer: ClassVar[type[Done]] = Reacted
    room_id: int
    message_id: int
    emoji: str
    added: bool = True

    def check(self) -> None:
        super().check()
        check_emoji(self.emoji)

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        needs.ask(ACCOUNTS, actor.account_id)
        needs.ask(MESSAGES, self.message_id)
        needs.ask(REACTIONS, (self.message_id, actor.account_id, self.emoji))
        needs.ask(TALLIES, self.message_id)

    def change(self, actor: Actor, state: State) -> Reacted:
        room, _ = check_room_access(state, Right.SPEAK, self.room_id, actor.account_id)
        message = message_in(state, room, self.message_id)
        has = state.get(REACTIONS, (message.id, actor.account_id, self.emoji)) is not None
        if has == self.added:
            return Reacted(room.id, state.head(room.id).last_seq, message.id, self.emoji)
        tallies = state.get(TALLIES, message.id) or {}
        if self.added and self.emoji not in tallies and len(tallies) >= MAX_EMOJI_OF_MESSAGE:
            raise ChatError(Code.FORBIDDEN, f"A message has at most {MAX_EMOJI_OF_MESSAGE} different emoji.")
        person, count = account_of(state, actor.account_id).person, tallies.get(self.emoji, 0)
        count += 1 if self.added else -1
        seq = state.next_seq(room.id)
        state.record(MessageReacted(room.id, seq, state.now, person, message.id, self.emoji, self.added, count))
        return Reacted(room.id, seq, message.id, self.emoji)
