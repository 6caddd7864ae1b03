"""Deletion: a message loses its text, files, revisions, reactions and pin. Its seq, its id and its place stay."""

from collections.abc import Mapping
from typing import ClassVar

from msgspec.structs import replace

from veche.core.access import Right, Verdict, verdict_for
from veche.core.actor import Actor
from veche.core.editing import Changed, check_not_too_old, is_by, put_message
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.facts import Needs, Rows
from veche.core.mentions import NO_MENTIONS
from veche.core.messages import MESSAGES, Message, ask_message_to_change, keep_first_use, of_room, references_with
from veche.core.once import Done, OnceCommand
from veche.core.pins import PINS, unpin
from veche.core.rooms import ask_room, check_room_access
from veche.core.state import State


class MessageDeleted(LogEvent, frozen=True, gc=False):
    """A message was deleted. The event is in the room's log.

    `message_seq` is the seq of the message, and `revision` that of the message without text. `by_id` is the account
    that deleted it: the author, or somebody who moderates the room.
    """

    kind: ClassVar[str] = "deleted"
    stored_as: ClassVar[Mapping[str, str]] = {"message_id": "message", "by_id": "by"}
    message_id: int
    message_seq: int
    revision: int
    by_id: int

    def apply(self, rows: Rows) -> None:
        unpin(rows, self.log_id, self.message_id)
        if (message := rows.peek(MESSAGES, self.message_id)) is not None:
            put_message(rows, without_text(message, self.revision, self.by_id))


def without_text(message: Message, revision: int, by_id: int) -> Message:
    """Return what is left of a message that an account deletes."""
    references = references_with(message, mentions=NO_MENTIONS, files=())
    return replace(message, text="", revision=revision, deleted_by=by_id, references=references)


class DeleteMessage(OnceCommand[Changed], frozen=True, gc=False):
    """Delete a message: an own one, or any message of a room that the actor moderates.

    If it is deleted already, nothing changes.
    """

    name: ClassVar[str] = "delete"
    answer: ClassVar[type[Done]] = Changed
    room_id: int
    message_id: int

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        ask_message_to_change(needs, self.message_id)
        needs.ask(PINS, self.room_id)

    def change(self, actor: Actor, state: State) -> Changed:
        room, member = check_room_access(state, Right.READ, self.room_id, actor.account_id)
        message = of_room(state.get(MESSAGES, self.message_id), room.id)
        if message.type != "text":
            raise ChatError(Code.FORBIDDEN, "A notice of the server cannot be deleted.")
        if not is_by(message, actor):
            check_room_access(state, Right.MODERATE, room.id, actor.account_id)
        elif verdict_for(Right.MODERATE, room, member) is not Verdict.YES:
            check_room_access(state, Right.SPEAK, room.id, actor.account_id)
            check_not_too_old(message, state, state.rules.delete_seconds)
        if message.deleted_by is not None:
            return Changed(room.id, state.head(room.id).last_seq, message.id, message.revision)
        keep_first_use(state, message)
        seq, revision = state.next_seq(room.id), message.revision + 1
        state.record(MessageDeleted(room.id, seq, state.now, message.id, message.seq, revision, actor.account_id))
        return Changed(room.id, seq, message.id, revision)
