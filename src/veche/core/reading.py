"""Reading: the read pointer of a member, and which account read a message first."""

from collections.abc import Mapping
from typing import ClassVar

from msgspec.structs import replace

from veche.core.access import Right
from veche.core.accounts import ACCOUNTS, account_of
from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.event import LogEvent
from veche.core.facts import Fact, Needs, Rows
from veche.core.messages import MESSAGES, Message, ask_author, of_room
from veche.core.rooms import MEMBERS, ask_accounts, ask_room, check_room_access, hears
from veche.core.state import HEADS, State
from veche.core.values import Kind, Member, Role, account_log


def _ask_whether_told(needs: Needs, message_id: int, message: Message) -> None:
    """Ask for what tells whether the author learns that the message was read."""
    ask_author(needs, message_id, message)
    if (HEADS, message.log_id) in needs.pairs():
        needs.ask(ACCOUNTS, message.sender.id)


_MARKED: Fact[int, Message] = Fact("marked messages", _ask_whether_told, of=MESSAGES, asks_for_actor=True)
READERS: Fact[int, int] = Fact("readers")  # by message id: the account that read the message first
COUNTS: Fact[tuple[int, int], int] = Fact("counts")  # by (room, seq): the number of messages up to this seq


class ReadMoved(LogEvent, frozen=True, gc=False):
    """The account has read a room up to `read_seq`. The event is in the account's own log.

    `read_count` is the number of the room's messages up to there.
    """

    kind: ClassVar[str] = "read"
    stored_as: ClassVar[Mapping[str, str]] = {"read_seq": "seq", "read_count": "count"}
    room_id: int
    read_seq: int
    read_count: int

    def apply(self, rows: Rows) -> None:
        key = (self.room_id, -self.log_id)
        # In the lobby, an account gets its member row when it first moves its read pointer.
        member = rows.peek(MEMBERS, key) or Member(*key, Role.MEMBER, self.at)
        rows.put(MEMBERS, key, replace(member, read_seq=self.read_seq, read_count=self.read_count))


class MessageRead(LogEvent, frozen=True, gc=False):
    """A message was read for the first time. The event is in the own log of the message's author."""

    kind: ClassVar[str] = "message_read"
    stored_as: ClassVar[Mapping[str, str]] = {"message_id": "message", "reader_id": "by"}
    room_id: int
    message_id: int
    reader_id: int

    def apply(self, rows: Rows) -> None:
        rows.put(READERS, self.message_id, self.reader_id)


class ReadUpTo(Command[None], frozen=True, gc=False):
    """Move the actor's read pointer in a room forward. It never moves back, and never beyond the head."""

    room_id: int
    seq: int

    def needs(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        ask_accounts(needs, actor.account_id)
        needs.ask(COUNTS, (self.room_id, self.seq))

    def decide(self, actor: Actor, state: State) -> None:
        room, member = check_room_access(state, Right.READ, self.room_id, actor.account_id)
        account = account_of(state, actor.account_id)
        seq = min(self.seq, state.head(room.id).last_seq)
        if seq > (member.read_seq if member is not None else 0):
            _move_pointer(state, account.id, room.id, seq, _count_up_to(state, room.id, self.seq))


class MarkRead(Command[None], frozen=True, gc=False):
    """Mark one message as read.

    If nobody has marked it before, its author gets a MessageRead event, unless one of the two hides what they read. The
    actor's read pointer moves forward to the message, but not in the lobby.
    """

    room_id: int
    message_id: int

    def needs(self, actor: Actor, needs: Needs) -> None:
        # `decide` does not read the room's head. Asking for it locks the log, so that no concurrent transaction can
        # move the read pointer back.
        ask_room(needs, self.room_id, actor.account_id)
        ask_accounts(needs, actor.account_id)
        needs.ask(_MARKED, self.message_id)
        needs.ask(READERS, self.message_id)

    def decide(self, actor: Actor, state: State) -> None:
        room, member = check_room_access(state, Right.READ, self.room_id, actor.account_id)
        account = account_of(state, actor.account_id)
        message = of_room(state.get(MESSAGES, self.message_id), room.id)
        if member is not None and room.kind is not Kind.LOBBY and message.seq > member.read_seq:
            _move_pointer(state, account.id, room.id, message.seq, message.number)
        told = state.get(READERS, message.id) is None and hears(state, room, message.sender.id)
        if told and not (account.hides_reading or account_of(state, message.sender.id).hides_reading):
            log_id = account_log(message.sender.id)
            state.record(MessageRead(log_id, state.next_seq(log_id), state.now, room.id, message.id, account.id))


def _move_pointer(state: State, account_id: int, room_id: int, seq: int, count: int) -> None:
    log_id = account_log(account_id)
    state.record(ReadMoved(log_id, state.next_seq(log_id), state.now, room_id, seq, count))


def _count_up_to(state: State, room_id: int, seq: int) -> int:
    """Return the number of a room's messages up to a seq.

    Take it from a message recorded in this transaction if there is one, otherwise from the database.
    """
    for event in reversed(state.events):
        if type(event) is Message and event.log_id == room_id and event.seq <= seq:
            return event.number
    return state.get(COUNTS, (room_id, seq)) or 0
