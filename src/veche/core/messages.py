"""Messages: sending a message exactly once, and posting notices of the server."""

from typing import ClassVar

import msgspec
from msgspec.structs import replace

from veche.core.access import Right
from veche.core.accounts import ACCOUNTS, sender_of
from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.facts import Fact, Needs, Rows
from veche.core.names import check_name
from veche.core.rooms import MEMBERS, ROOMS, ask_room, check_room_access
from veche.core.state import HEADS, State
from veche.core.text import MAX_CLIENT_MESSAGE_ID, check_text, size_of
from veche.core.values import SYSTEM_ID, Head, Person, account_log


class Message(LogEvent, frozen=True, gc=False):
    """A message of a room.

    `number` is how many messages the room has up to and including this one. Notices are not counted. `dialect` is the
    dialect through which the message was sent.
    """

    kind: ClassVar[str] = "message"
    id: int
    sender: Person
    text: str
    client_message_id: str | None
    dialect: str
    number: int
    type: str = "text"  # or "notice", which does not count as unread

    def apply(self, rows: Rows) -> None:
        rows.put(MESSAGES, self.id, self)
        if self.client_message_id is not None:
            rows.put(SENT, (self.sender.id, self.client_message_id), self)
        key = (self.log_id, self.sender.id)
        if (member := rows.peek(MEMBERS, key)) is not None:
            rows.put(MEMBERS, key, replace(member, read_seq=self.seq, read_count=self.number))

    @property
    def size(self) -> int:
        return size_of(self.text)

    def next_head(self, head: Head) -> Head:
        return Head(self.seq, self.number, self.id)


def _ask_author(needs: Needs, message_id: int, message: Message) -> None:
    needs.ask(HEADS, account_log(message.sender.id))
    needs.ask(HEADS, message.log_id)
    needs.ask(MEMBERS, (message.log_id, message.sender.id))


MESSAGES: Fact[int, Message] = Fact("messages", then=_ask_author)
SENT: Fact[tuple[int, str], Message] = Fact("sent")  # by (account, client_message_id): the stored message

MESSAGE_IDS = "messages"


class Sent(msgspec.Struct, frozen=True, gc=False):
    """The answer to SendMessage and PostNotice: the stored message.

    `duplicate` is true if an earlier attempt stored it.
    """

    message: Message
    duplicate: bool


class SendMessage(Command[Sent], frozen=True, gc=False):
    """Send a message to a room.

    If a message with the same `client_message_id` was stored before, that message is the answer, and nothing is stored.
    `author` is the name that a sender without an account gives. It is shown instead of the anonymous account's name.
    """

    takes_id: ClassVar[str] = MESSAGE_IDS

    room_id: int
    text: str
    client_message_id: str | None = None
    author: str | None = None

    def check(self) -> None:
        check_text(self.text)
        client_id = self.client_message_id
        if client_id is not None and not (client_id.isprintable() and 1 <= len(client_id) <= MAX_CLIENT_MESSAGE_ID):
            sentence = f"A client_message_id has 1 to {MAX_CLIENT_MESSAGE_ID} printable characters."
            raise ChatError(Code.INVALID, sentence, field="client_message_id")
        if self.author is not None:
            check_name(self.author, "author")

    def needs(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        needs.ask(ACCOUNTS, actor.account_id)
        if self.client_message_id is not None:
            needs.ask(SENT, (actor.account_id, self.client_message_id))

    def decide(self, actor: Actor, state: State) -> Sent:
        client_id = self.client_message_id
        if client_id is not None and (first := state.get(SENT, (actor.account_id, client_id))) is not None:
            return self._answer_duplicate(first)
        room, _ = check_room_access(state, Right.SPEAK, self.room_id, actor.account_id)
        sender, head = sender_of(state, actor.account_id), state.head(room.id)
        message = Message(
            room.id,
            head.last_seq + 1,
            state.now,
            id=state.new_id(MESSAGE_IDS),
            sender=sender.person if self.author is None else Person(sender.id, self.author, self.author),
            text=self.text,
            client_message_id=client_id,
            dialect=actor.dialect,
            number=head.message_count + 1,
        )
        state.record(message)
        return Sent(message, duplicate=False)

    def _answer_duplicate(self, first: Message) -> Sent:
        if (first.log_id, first.text) != (self.room_id, self.text):
            raise ChatError(Code.IDEMPOTENCY_MISMATCH, "This client_message_id was used for another message.")
        return Sent(first, duplicate=True)

    @property
    def size(self) -> int:
        return len(self.text)


class PostNotice(Command[Sent], frozen=True, gc=False):
    """Post a notice of the server to a room. A notice does not count as unread.

    No permission is checked: the server writes the notice. The actor is the client that caused it, who may have left
    the room already, or whose session may have ended.
    """

    needs_session: ClassVar[bool] = False
    takes_id: ClassVar[str] = MESSAGE_IDS

    room_id: int
    text: str

    def check(self) -> None:
        check_text(self.text)

    def needs(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id)
        needs.ask(ACCOUNTS, SYSTEM_ID)

    def decide(self, actor: Actor, state: State) -> Sent:
        room = state.get(ROOMS, self.room_id)
        if room is None:
            raise ChatError(Code.NOT_FOUND, "No such room.", what="room")
        head = state.head(room.id)
        notice = Message(
            room.id,
            head.last_seq + 1,
            state.now,
            id=state.new_id(MESSAGE_IDS),
            sender=sender_of(state, SYSTEM_ID).person,
            text=self.text,
            client_message_id=None,
            dialect=actor.dialect,
            number=head.message_count,
            type="notice",
        )
        state.record(notice)
        return Sent(notice, duplicate=False)


class MessagePage(msgspec.Struct, frozen=True):
    """Messages of a room, oldest first, and whether there are more on either side."""

    items: list[Message]
    more_before: bool
    more_after: bool
    head_seq: int
