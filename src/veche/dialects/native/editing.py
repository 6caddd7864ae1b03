"""Editing messages: the command, the event and the routes (docs/native.md, Changing messages)."""

from fastapi import Response

from veche.core.editing import Changed, EditMessage, MessageEdited
from veche.core.views import Revision
from veche.dialects.native import out
from veche.dialects.native.feature import Feature, Id, Incoming, SocketCommand
from veche.dialects.native.limits import DEFAULT_PAGE, check_text_size
from veche.dialects.native.out import Outgoing
from veche.dialects.native.routing import (
    Body,
    ClientId,
    Cursor,
    IdempotencyKey,
    Limit,
    LoginOf,
    PathId,
    Text,
    client_id_of,
    id_after,
    new_router,
)
from veche.dialects.native.views import message_out, time_of
from veche.gateway.http import ChatOf, reply
from veche.gateway.openapi_answers import returns

# The socket.


class Edit(Incoming):
    """Changes the text of a message of yours."""

    room_id: Id
    message_id: Id
    text: str
    client_id: str | None = None

    def command(self) -> EditMessage:
        check_text_size(self.text)
        return EditMessage(self.room_id, self.message_id, self.text, client_id=self.client_id)


class ChangeResult(Outgoing):
    """The room's events up to `seq` show the result. `revision` is that of the message.

    `duplicate` is true if an earlier attempt was carried out: the rest is as it was then.
    """

    room_id: int
    seq: int
    message_id: int
    revision: int
    duplicate: bool


class EditAnswer(Outgoing):
    """The message has the text."""

    id: int
    edit: ChangeResult


class Edited(Outgoing):
    """A message has another text. `revision` is that of the text.

    `message` is the message as it is now. If it was changed again, it has a later revision, and more events follow.
    """

    room_id: int
    seq: int
    revision: int
    message: out.Message
    at: str


class EditedEvent(Outgoing):
    """A message has another text."""

    edited: Edited


def change_result(changed: Changed) -> ChangeResult:
    """Convert the answer to a change of a message."""
    return ChangeResult(changed.room_id, changed.seq, changed.message_id, changed.revision, changed.duplicate)


def _answer(id: int, changed: Changed) -> EditAnswer:
    return EditAnswer(id, change_result(changed))


def _event(event: MessageEdited) -> EditedEvent:
    message = message_out(event.message)
    return EditedEvent(Edited(event.log_id, event.seq, event.revision, message, time_of(event.at)))


# REST.


class TextBody(Body):
    """The new text of a message. A retry with the same `client_id` changes nothing."""

    text: Text
    client_id: ClientId | None = None


class RevisionOut(Outgoing):
    """An earlier text of a message. `at` is when the author wrote it."""

    revision: int
    text: str
    at: str


class RevisionPage(Outgoing):
    """Earlier texts of a message, the newest first. `cursor` fetches the next page; null on the last."""

    items: list[RevisionOut]
    cursor: str | None


router = new_router()


@router.get("/rooms/{room_id}/messages/{message_id}", responses=returns(out.Message))
async def message(room_id: PathId, message_id: PathId, login: LoginOf, chat: ChatOf) -> Response:
    """Get one message as it is now."""
    return reply(message_out(await chat.message(login.account.id, room_id, message_id)))


@router.patch("/rooms/{room_id}/messages/{message_id}", responses=returns(out.Message))
async def edit(
    room_id: PathId,
    message_id: PathId,
    body: TextBody,
    login: LoginOf,
    chat: ChatOf,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Change the text of a message of yours. The answer is the message as it is now."""
    check_text_size(body.text)
    client_id = client_id_of(body.client_id, idempotency_key)
    await chat.do(login.actor, EditMessage(room_id, message_id, body.text, client_id=client_id))
    return reply(message_out(await chat.message(login.account.id, room_id, message_id)))


@router.get("/rooms/{room_id}/messages/{message_id}/revisions", responses=returns(RevisionPage))
async def revisions(
    room_id: PathId,
    message_id: PathId,
    login: LoginOf,
    chat: ChatOf,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """List the earlier texts of a message. Only its author and those who moderate the room may see them."""
    before = id_after(cursor) if cursor is not None else 2**63 - 1
    items = [_revision(one) for one in await chat.revisions(login.account.id, room_id, message_id, before, limit)]
    return reply(RevisionPage(items, str(items[-1].revision) if items and items[-1].revision else None))


def _revision(one: Revision) -> RevisionOut:
    return RevisionOut(one.revision, one.text, time_of(one.at))


FEATURE = Feature(
    commands={"edit": SocketCommand(Edit, _answer)},
    events={MessageEdited: _event},
    router=router,
    bodies=(RevisionPage,),
)
