"""Editing: an author changes the text of a message. The texts before are kept as its revisions."""

from typing import ClassVar

from msgspec.structs import replace

from veche.core.access import Right
from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.event import SMALL, Event, LogEvent
from veche.core.facts import Needs, Rows
from veche.core.mentions import Mentions, ask_mentioned, mentions_in
from veche.core.messages import (
    MESSAGES,
    NOTHING,
    SENT,
    Message,
    ask_message_to_change,
    keep_first_use,
    of_room,
    references_with,
)
from veche.core.once import Done, OnceCommand
from veche.core.rooms import ask_room, check_room_access
from veche.core.state import State
from veche.core.text import check_text, size_of
from veche.core.values import MICROSECONDS, RESERVED_IDS, Room


class RevisionKept(Event, frozen=True, gc=False):
    """A message got another text. `revision` had the text `text` since `at`, in microseconds since 1970."""

    message_id: int
    revision: int
    text: str
    at: int


class MessageEdited(LogEvent, frozen=True, gc=False):
    """A message got another text. The event is in the room's log.

    `revision` is that of the new text. The log keeps the id of the message, and no text. When the entry is read again,
    `message` is as it is then, and may have a later revision.
    """

    kind: ClassVar[str] = "edited"
    message: Message
    revision: int

    def apply(self, rows: Rows) -> None:
        put_message(rows, self.message)

    @property
    def size(self) -> int:
        return SMALL + size_of(self.message.text)


class MentionsChanged(Event, frozen=True, gc=False):
    """An edited message mentions others than before. `seq` is that of the message."""

    room_id: int
    seq: int
    message_id: int
    mentions: Mentions


class Changed(Done, frozen=True, gc=False):
    """The answer to a command that changes a message.

    The entries of the room's log up to `seq` show the result. `revision` is that of the message.
    """

    room_id: int
    seq: int
    message_id: int
    revision: int


class EditMessage(OnceCommand[Changed], frozen=True, gc=False):
    """Change the text of the actor's own message. If it has that text already, nothing changes."""

    name: ClassVar[str] = "edit"
    answer: ClassVar[type[Done]] = Changed
    room_id: int
    message_id: int
    text: str

    def check(self) -> None:
        super().check()
        check_text(self.text)

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        ask_message_to_change(needs, self.message_id)
        ask_mentioned(needs, self.text)

    def change(self, actor: Actor, state: State) -> Changed:
        room, _ = check_room_access(state, Right.SPEAK, self.room_id, actor.account_id)
        message = message_in(state, room, self.message_id)
        if not is_by(message, actor):
            raise ChatError(Code.FORBIDDEN, "Only its author may edit a message.")
        check_not_too_old(message, state, state.rules.edit_seconds)
        if self.text == message.text:
            return Changed(room.id, state.head(room.id).last_seq, message.id, message.revision)
        keep_first_use(state, message)
        since = message.at if message.edited_at is None else message.edited_at
        state.record(RevisionKept(message.id, message.revision, message.text, since))
        mentions = mentions_in(self.text, actor, room, state)
        edited = replace(message, text=self.text, revision=message.revision + 1, edited_at=state.now)
        if mentions != (message.references or NOTHING).mentions:
            edited = replace(edited, references=references_with(message, mentions=mentions))
            state.record(MentionsChanged(room.id, message.seq, message.id, mentions))
        event = MessageEdited(room.id, state.next_seq(room.id), state.now, edited, edited.revision)
        state.record(event)
        return Changed(room.id, event.seq, message.id, event.revision)

    @property
    def size(self) -> int:
        return len(self.text)


def message_in(state: State, room: Room, message_id: int) -> Message:
    """Return a message of a room that is not deleted. Raises ChatError (NOT_FOUND)."""
    message = of_room(state.get(MESSAGES, message_id), room.id)
    if message.deleted_by is not None:
        raise ChatError(Code.NOT_FOUND, "The message is deleted.", what="message")
    return message


def is_by(message: Message, actor: Actor) -> bool:
    """Return whether the actor is the author of a message. Nobody is the author of what was sent without an account."""
    return message.sender.id == actor.account_id < RESERVED_IDS and message.type == "text"


def check_not_too_old(message: Message, state: State, seconds: int) -> None:
    """Raise ChatError if a message was sent more than `seconds` ago. 0 seconds: it is never too old."""
    if seconds and state.now - message.at > seconds * MICROSECONDS:
        raise ChatError(Code.FORBIDDEN, f"A message can be changed for {seconds} seconds after it was sent.")


def put_message(rows: Rows, message: Message) -> None:
    """Set the rows of a message that has changed."""
    rows.put(MESSAGES, message.id, message)
    if message.client_message_id is not None:
        rows.put(SENT, (message.sender.id, message.client_message_id), message)
