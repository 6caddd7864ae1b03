"""Who is writing: the command and what is pushed (docs/native.md, Typing)."""

from veche.core import typing as core
from veche.core.errors import ChatError, Code
from veche.core.values import Person
from veche.dialects.native.feature import Feature, Id, InstantCommand, InstantFields
from veche.dialects.native.out import Outgoing, RoomRef
from veche.gateway.client import Client


class TypingFields(InstantFields):
    """Says that you are writing a message in a room. Say it again every few seconds, as long as you write."""

    room_id: Id


class TypingAnswer(Outgoing):
    """It was heard."""

    id: int
    typing: RoomRef


class TypingPerson(Outgoing):
    """The account is writing a message in the room. Show it for some seconds, or until its message comes."""

    room_id: int
    account: Person


class TypingPush(Outgoing):
    """Somebody is writing. It is in no log, and has no `seq`."""

    typing: TypingPerson


def _act(id: int, fields: TypingFields, client: Client) -> TypingAnswer:
    if not client.is_subscribed(fields.room_id):
        raise ChatError(Code.NOT_FOUND, "You do not hear this room.", what="room")
    client.type_in(fields.room_id)
    return TypingAnswer(id, RoomRef(fields.room_id))


def _push(typing: core.Typing) -> TypingPush:
    return TypingPush(TypingPerson(typing.log_id, typing.person))


FEATURE = Feature(instant={"typing": InstantCommand(TypingFields, _act)}, ephemeral={core.Typing: _push})
