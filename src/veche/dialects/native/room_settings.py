"""What is set for a room: the command, the event and the route (docs/native.md, Settings of a room)."""

from fastapi import Response
from pydantic import Field

from veche.core.room_settings import RoomChanged, RoomUpdated, UpdateRoom
from veche.core.slow_mode import MAX_SLOW
from veche.core.values import Person
from veche.dialects.native import out
from veche.dialects.native.feature import Feature, Id, Incoming, SocketCommand
from veche.dialects.native.limits import check_room_name
from veche.dialects.native.out import Outgoing
from veche.dialects.native.routing import (
    Body,
    ClientId,
    IdempotencyKey,
    LoginOf,
    PathId,
    RoomName,
    Topic,
    client_id_of,
    new_router,
)
from veche.dialects.native.views import room_out, time_of
from veche.gateway.http import ChatOf, reply
from veche.gateway.openapi_answers import returns


class UpdateFields(Incoming):
    """Changes what is set for a room. What is left out stays as it is."""

    room_id: Id
    name: str | None = None
    topic: str | None = None
    archived: bool | None = None
    slow_seconds: int | None = None
    client_id: str | None = None

    def command(self) -> UpdateRoom:
        if self.name is not None:
            check_room_name(self.name)
        return UpdateRoom(
            self.room_id, self.name, self.topic, self.archived, self.slow_seconds, client_id=self.client_id
        )


class UpdateResult(Outgoing):
    """The room is as was asked. The room's events up to `seq` show it.

    `duplicate` is true if an earlier attempt was carried out: the rest is as it was then.
    """

    room_id: int
    seq: int
    duplicate: bool


class UpdateAnswer(Outgoing):
    """The room is as was asked."""

    id: int
    update_room: UpdateResult


class Updated(Outgoing):
    """The topic of a room, whether it is archived, and the seconds of its slow mode. A replay shows those of now."""

    room_id: int
    seq: int
    topic: str
    archived: bool
    slow_seconds: int
    account: Person
    at: str


class UpdatedEvent(Outgoing):
    """An account changed the settings of the room. A new name has the event `renamed`."""

    updated: Updated


def _answer(id: int, done: RoomUpdated) -> UpdateAnswer:
    return UpdateAnswer(id, UpdateResult(done.room_id, done.seq, done.duplicate))


def _event(event: RoomChanged) -> UpdatedEvent:
    room, at = event.room, time_of(event.at)
    archived = room.archived_at is not None
    return UpdatedEvent(Updated(room.id, event.seq, room.topic, archived, room.slow_seconds, event.person, at))


class UpdateBody(Body):
    """What to change of a room. A retry with the same `client_id` changes nothing."""

    name: RoomName | None = None
    topic: Topic | None = None
    archived: bool | None = None
    slow_seconds: int | None = Field(None, ge=0, le=MAX_SLOW)
    client_id: ClientId | None = None


router = new_router()


@router.patch("/rooms/{room_id}", responses=returns(out.Room))
async def update_room(
    room_id: PathId, body: UpdateBody, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """Change what is set for a room that you own. A moderator may set the topic and slow mode."""
    client_id = client_id_of(body.client_id, idempotency_key)
    fields = UpdateFields(room_id, body.name, body.topic, body.archived, body.slow_seconds, client_id)
    await chat.do(login.actor, fields.command())
    return reply(room_out(await chat.room(login.account.id, room_id)))


FEATURE = Feature(
    commands={"update_room": SocketCommand(UpdateFields, _answer)},
    events={RoomChanged: _event},
    router=router,
)
