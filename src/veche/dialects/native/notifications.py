"""Notification levels: the command, the event and the route (docs/native.md, Notification levels)."""

from fastapi import Response
from pydantic import Field

from veche.core.notifications import LevelChanged, LevelSet, SetLevel
from veche.core.values import Level
from veche.dialects.native.feature import Feature, Id, Incoming, SocketCommand
from veche.dialects.native.out import Outgoing
from veche.dialects.native.routing import Body, ClientId, IdempotencyKey, LoginOf, PathId, client_id_of, new_router
from veche.gateway.http import ChatOf


class Notify(Incoming):
    """Sets of which messages of a room you want to be told."""

    room_id: Id
    level: Level
    client_id: str | None = None

    def command(self) -> SetLevel:
        return SetLevel(self.room_id, self.level, client_id=self.client_id)


class NotifyResult(Outgoing):
    """The level is set. `duplicate` is true if an earlier attempt was carried out."""

    room_id: int
    level: Level
    duplicate: bool


class NotifyAnswer(Outgoing):
    """The level is set."""

    id: int
    notify: NotifyResult


class RoomLevel(Outgoing):
    """A room, and your level there."""

    room_id: int
    level: Level


class MeNotify(Outgoing):
    """An entry of your own log."""

    seq: int
    notify: RoomLevel


class MeNotifyEvent(Outgoing):
    """You want to be told of other messages of a room than before, as set here or on another device."""

    me: MeNotify


def _answer(id: int, done: LevelSet) -> NotifyAnswer:
    return NotifyAnswer(id, NotifyResult(done.room_id, done.level, done.duplicate))


def _event(event: LevelChanged) -> MeNotifyEvent:
    return MeNotifyEvent(MeNotify(event.seq, RoomLevel(event.room_id, event.level)))


class LevelBody(Body):
    """Of which messages you want to be told. A retry with the same `client_id` changes nothing."""

    level: Level = Field(strict=False)
    client_id: ClientId | None = None


router = new_router()


@router.put("/rooms/{room_id}/notify", status_code=204)
async def set_level(
    room_id: PathId, body: LevelBody, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """Set of which messages of a room you want to be told."""
    client_id = client_id_of(body.client_id, idempotency_key)
    await chat.do(login.actor, SetLevel(room_id, body.level, client_id=client_id))
    return Response(status_code=204)


FEATURE = Feature(
    commands={"notify": SocketCommand(Notify, _answer)},
    events={LevelChanged: _event},
    router=router,
)
