"""Messages: sending a message exactly once, and posting notices of the server."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from veche.core.access import Right, archived
from veche.core.accounts import ACCOUNTS, sender_of
from veche.core.actor import Actor
from veche.core.client_ids import FIRST_USES, ClientIdUsed, FirstUse, Request
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.event import Event, LogEvent
from veche.core.facts import Fact, Needs, Rows
from veche.core.mentions import NO_MENTIONS, Mentions, ask_mentioned, mentions_in
from veche.core.names import check_name
from veche.core.rooms import MEMBERS, ROOMS, ask_room, check_room_access
from veche.core.slow_mode import check_turn
from veche.core.state import HEADS, State
from veche.core.text import check_client_id, check_text, size_of
from veche.core.values import RESERVED_IDS, SYSTEM_ID, FileInfo, Head, Person, Reaction, Room, account_log


class References(msgspec.Struct, frozen=True, gc=False):
    """What a message refers to.

    `to_id` and `to_seq` are of the message that it answers. `thread_id` is the id of the first message of its thread,
    and `thread_seq` its number in the thread, from 1 (`core.threads`). `mentions` has whom it mentions. `files` are
    those that it has (`core.files`).
    """

    to_id: int | None = None
    to_seq: int | None = None
    thread_id: int | None = None
    thread_seq: int | None = None
    mentions: Mentions = NO_MENTIONS
    files: tuple[FileInfo, ...] = ()


NOTHING = References()


class Message(LogEvent, frozen=True, gc=False):
    """A message of a room.

    `number` is how many messages the room has up to and including this one. Notices are not counted. `dialect` is the
    dialect through which the message was sent.

    A message that begins a thread has `replies`, how many follow it there, and `last_reply_seq`, the seq of the last.

    A message that is read again is as it is now: `revision` is how often it has been changed, `edited_at` when its
    author changed its text for the last time, and `deleted_by` the account that deleted it. Then it has no text.

    `reactions` has the most frequent emoji first. They are there only if the message was read for one account.
    """

    kind: ClassVar[str] = "message"
    id: int
    sender: Person
    text: str
    client_message_id: str | None
    dialect: str
    number: int
    type: str = "text"  # or "notice", which does not count as unread
    revision: int = 0
    edited_at: int | None = None
    deleted_by: int | None = None
    references: References | None = None
    replies: int = 0
    last_reply_seq: int | None = None
    reactions: tuple[Reaction, ...] = ()

    def apply(self, rows: Rows) -> None:
        rows.put(MESSAGES, self.id, self)
        if self.client_message_id is not None:
            rows.put(SENT, (self.sender.id, self.client_message_id), self)
        key = (self.log_id, self.sender.id)
        if (member := rows.peek(MEMBERS, key)) is not None:
            rows.put(MEMBERS, key, replace(member, read_seq=self.seq, read_count=self.number, spoke_at=self.at))

    @property
    def is_line(self) -> bool:
        """Whether this is what somebody said, and is not deleted. Most of the older dialects show nothing else."""
        return self.type == "text" and self.deleted_by is None

    @property
    def size(self) -> int:
        return size_of(self.text)

    def next_head(self, head: Head) -> Head:
        return Head(self.seq, self.number, self.id)


class MessageRefers(Event, frozen=True, gc=False):
    """A message of a room refers to something. `seq` is that of the message."""

    room_id: int
    seq: int
    message_id: int
    references: References

    def apply(self, rows: Rows) -> None:
        id, number = self.references.thread_id, self.references.thread_seq
        if id is not None and number is not None and (root := rows.peek(MESSAGES, id)) is not None:
            rows.put(MESSAGES, id, replace(root, replies=number, last_reply_seq=self.seq))


def ask_author(needs: Needs, message_id: int, message: Message) -> None:
    """Ask for the author's log, and whether the author is a member. Not for a message of a room not asked for."""
    if message.sender.id < RESERVED_IDS and (HEADS, message.log_id) in needs.pairs():
        needs.ask(HEADS, account_log(message.sender.id))
        needs.ask(MEMBERS, (message.log_id, message.sender.id))


def _ask_first_use(needs: Needs, message_id: int, message: Message) -> None:
    """Ask whether the first use of the client id is kept. Not for a message of a room not asked for."""
    if message.client_message_id is not None and (HEADS, message.log_id) in needs.pairs():
        needs.ask(FIRST_USES, (message.sender.id, message.client_message_id))


MESSAGES: Fact[int, Message] = Fact("messages")
AUTHORS: Fact[int, Message] = Fact("authors", ask_author, of=MESSAGES, asks_for_actor=True)
"""Asks for a message, and for what a command needs to tell its author something."""
_TO_CHANGE: Fact[int, Message] = Fact("messages to change", _ask_first_use, of=MESSAGES)
SENT: Fact[tuple[int, str], Message] = Fact("sent")  # by (account, client_message_id): the stored message

MESSAGE_IDS = "messages"
_ONE_ID = (MESSAGE_IDS,)


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

    room_id: int
    text: str
    client_message_id: str | None = None
    author: str | None = None

    def check(self) -> None:
        check_text(self.text)
        check_client_id(self.client_message_id, "client_message_id")
        if self.author is not None:
            check_name(self.author, "author")

    def needs(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        needs.ask(ACCOUNTS, actor.account_id)
        if self.client_message_id is not None:
            needs.ask(SENT, (actor.account_id, self.client_message_id))
            needs.ask(FIRST_USES, (actor.account_id, self.client_message_id))
        if "@" in self.text:
            ask_mentioned(needs, self.text)

    def decide(self, actor: Actor, state: State) -> Sent:
        client_id = self.client_message_id
        if client_id is not None and (sent := self._sent_before(state, (actor.account_id, client_id))) is not None:
            return sent
        room, member = check_room_access(state, Right.SPEAK, self.room_id, actor.account_id)
        if room.slow_seconds:
            check_turn(state, room, member)
        references = self.references_in(room, actor, state)
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
            references=references,
        )
        state.record(message)
        if references is not None:
            state.record(MessageRefers(room.id, message.seq, message.id, references))
        return Sent(message, duplicate=False)

    def references_in(self, room: Room, actor: Actor, state: State) -> References | None:
        """Return what the message refers to, or None. Raises ChatError."""
        if "@" not in self.text:
            return None
        mentions = mentions_in(self.text, actor, room, state)
        return None if mentions == NO_MENTIONS else References(mentions=mentions)

    @property
    def request(self) -> Request:
        """What is asked for, without the client id."""
        return request_of(self.room_id, self.text)

    def _sent_before(self, state: State, key: tuple[int, str]) -> Sent | None:
        """Return the message that an earlier attempt stored, as it is now. Raises ChatError if it was another one."""
        first, use = state.get(SENT, key), state.get(FIRST_USES, key)
        return None if first is None and use is None else self._answer_duplicate(state, first, use)

    def _answer_duplicate(self, state: State, first: Message | None, use: FirstUse | None) -> Sent:
        asked = self.request
        if first is None or not (asked.is_that_of(use, state.rules) if use is not None else asked == _asked(first)):
            raise ChatError(Code.IDEMPOTENCY_MISMATCH, "This client_message_id was used for another message.")
        return Sent(first, duplicate=True)

    @property
    def takes_ids(self) -> Sequence[str]:
        return _ONE_ID

    @property
    def size(self) -> int:
        return len(self.text)


def request_of(
    room_id: int, text: str, reply_to_id: int | None = None, thread_id: int | None = None, files: Sequence[str] = ()
) -> Request:
    fields = {"room_id": room_id, "text": text, "reply_to_id": reply_to_id, "thread_id": thread_id}
    return Request("send", {**fields, "files": list(files)} if files else fields)


def _asked(message: Message) -> Request:
    """Return the request that sent a message. The message must be as it was sent."""
    references = message.references or NOTHING
    files = [file.id for file in references.files]
    return request_of(message.log_id, message.text, references.to_id, references.thread_id, files)


def references_with(message: Message, **changes: Any) -> References | None:
    """Return what a message refers to after these changes. None: to nothing."""
    changed = replace(message.references or NOTHING, **changes)
    return None if changed == NOTHING else changed


def of_room(message: Message | None, room_id: int, **data: str) -> Message:
    """Return a message that is of a room. Raises ChatError (NOT_FOUND) with `data`, such as the `field` with its id."""
    if message is None or message.log_id != room_id:
        raise ChatError(Code.NOT_FOUND, "No such message.", what="message", **data)
    return message


def ask_message_to_change(needs: Needs, message_id: int) -> None:
    """Ask for a message, and for what `keep_first_use` reads."""
    needs.ask(_TO_CHANGE, message_id)


def keep_first_use(state: State, message: Message) -> None:
    """Keep what was asked when a message was sent. Call it before each change: afterwards the message shows it no more.

    The command must have called `ask_message_to_change`.
    """
    if (client_id := message.client_message_id) is not None:
        key = (message.sender.id, client_id)
        if state.get(FIRST_USES, key) is None:
            digest = _asked(message).digest(state.rules.keys[0])
            use = FirstUse(digest, str(message.id))
            state.record(ClientIdUsed(*key, use, message.at))


class PostNotice(Command[Sent], frozen=True, gc=False):
    """Post a notice of the server to a room. A notice does not count as unread.

    No permission is checked: the server writes the notice. But an archived room takes none. The actor is the client
    that caused it, who may have left the room already, or whose session may have ended.
    """

    needs_session: ClassVar[bool] = False

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
        if room.archived_at is not None:
            raise archived()
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

    @property
    def takes_ids(self) -> Sequence[str]:
        return _ONE_ID


class MessagePage(msgspec.Struct, frozen=True):
    """Messages of a room, oldest first, and whether there are more on either side."""

    items: list[Message]
    more_before: bool
    more_after: bool
    head_seq: int
