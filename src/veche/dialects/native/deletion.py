"""Deleting messages: the command, the event and the route (docs/native.md, Changing messages)."""

from fastapi import Response

from veche.core.deletion import DeleteMessage, MessageDeleted
from veche.core.editing import Changed
from veche.dialects.native.editing import ChangeResult, change_result
from veche.dialects.native.feature import Feature, Id, Incoming, SocketCommand
from veche.dialects.native.out import Outgoing
from veche.dialects.native.routing import IdempotencyKey, LoginOf, PathId, new_router
from veche.dialects.native.views import time_of
from veche.gateway.http import ChatOf


class Delete(Incoming):
    """Deletes a message of yours, or any message of a room that you moderate."""

    room_id: Id
    message_id: Id
    client_id: str | None = None

    def command(self) -> DeleteMessage:
        return DeleteMessage(self.room_id, self.message_id, client_id=self.client_id)


class DeleteAnswer(Outgoing):
    """The message is deleted."""

    id: int
    delete: ChangeResult


class Deleted(Outgoing):
    """A message was deleted by `by_id`. `message_seq` is the seq of the message, which has no text from now on."""

    room_id: int
    seq: int
    message_id: int
    message_seq: int
    revision: int
    by_id: int
    at: str


class DeletedEvent(Outgoing):
    """A message was deleted."""

    deleted: Deleted


def _answer(id: int, changed: Changed) -> DeleteAnswer:
    return DeleteAnswer(id, change_result(changed))


def _event(event: MessageDeleted) -> DeletedEvent:
    at = time_of(event.at)
    return DeletedEvent(
        Deleted(event.log_id, event.seq, event.message_id, event.message_seq, event.revision, event.by_id, at)
    )


router = new_router()


@router.delete("/rooms/{room_id}/messages/{message_id}", status_code=204)
async def delete(
    room_id: PathId, message_id: PathId, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """Delete a message of yours, or any message of a room that you moderate."""
    await chat.do(login.actor, DeleteMessage(room_id, message_id, client_id=idempotency_key))
    return Response(status_code=204)


FEATURE = Feature(
    commands={"delete": SocketCommand(Delete, _answer)},
    events={MessageDeleted: _event},
    router=router,
)
