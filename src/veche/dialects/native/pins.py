"""Pinned messages: the commands, the event and the routes (docs/native.md, Pins)."""

from fastapi import Response

from veche.core import pins as core
from veche.core.values import Person
from veche.core.views import PinView
from veche.dialects.native import out
from veche.dialects.native.feature import Feature, Id, Incoming, SocketCommand
from veche.dialects.native.limits import DEFAULT_PAGE
from veche.dialects.native.out import Outgoing
from veche.dialects.native.routing import Cursor, IdempotencyKey, Limit, LoginOf, PathId, id_after, new_router
from veche.dialects.native.views import message_out, pages_end, time_of
from veche.gateway.http import ChatOf, reply
from veche.gateway.openapi_answers import returns

# The socket.


class Pin(Incoming):
    """Pins a message."""

    room_id: Id
    message_id: Id
    client_id: str | None = None

    def command(self) -> core.PinMessage:
        return core.PinMessage(self.room_id, self.message_id, client_id=self.client_id)


class Unpin(Pin):
    """Takes the pin of a message away."""

    def command(self) -> core.PinMessage:
        return core.PinMessage(self.room_id, self.message_id, pinned=False, client_id=self.client_id)


class PinResult(Outgoing):
    """The room's events up to `seq` show the result. `duplicate` is true if an earlier attempt was carried out."""

    room_id: int
    seq: int
    message_id: int
    duplicate: bool


class PinAnswer(Outgoing):
    """The message is pinned."""

    id: int
    pin: PinResult


class UnpinAnswer(Outgoing):
    """The message is not pinned."""

    id: int
    unpin: PinResult


class Pinned(Outgoing):
    """An account pinned a message, or took its pin away if `pinned` is false."""

    room_id: int
    seq: int
    message_id: int
    account: Person
    pinned: bool
    at: str


class PinnedEvent(Outgoing):
    """An account pinned a message, or took its pin away."""

    pinned: Pinned


def _result(done: core.Pinned) -> PinResult:
    return PinResult(done.room_id, done.seq, done.message_id, done.duplicate)


def _pinned(id: int, done: core.Pinned) -> PinAnswer:
    return PinAnswer(id, _result(done))


def _unpinned(id: int, done: core.Pinned) -> UnpinAnswer:
    return UnpinAnswer(id, _result(done))


def _event(event: core.MessagePinned) -> PinnedEvent:
    at = time_of(event.at)
    return PinnedEvent(Pinned(event.log_id, event.seq, event.message_id, event.person, event.pinned, at))


# REST.


class PinOut(Outgoing):
    """A pinned message. `seq` is that of the event that pinned it, `account` who did it, and `at` when."""

    message: out.Message
    seq: int
    account: Person
    at: str


class PinPage(Outgoing):
    """Pins of a room, the newest first, as of its `head_seq`. `cursor` fetches the next page; null on the last one."""

    items: list[PinOut]
    cursor: str | None
    head_seq: int


router = new_router()


@router.put("/rooms/{room_id}/pins/{message_id}", status_code=204)
async def pin(
    room_id: PathId, message_id: PathId, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """Pin a message."""
    await chat.do(login.actor, core.PinMessage(room_id, message_id, client_id=idempotency_key))
    return Response(status_code=204)


@router.delete("/rooms/{room_id}/pins/{message_id}", status_code=204)
async def unpin(
    room_id: PathId, message_id: PathId, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """Take the pin of a message away."""
    await chat.do(login.actor, core.PinMessage(room_id, message_id, pinned=False, client_id=idempotency_key))
    return Response(status_code=204)


@router.get("/rooms/{room_id}/pins", responses=returns(PinPage))
async def pins(
    room_id: PathId, login: LoginOf, chat: ChatOf, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE
) -> Response:
    """List the pinned messages of a room, the newest pin first."""
    before = id_after(cursor) if cursor is not None else 2**63 - 1
    found, head_seq = await chat.pins(login.account.id, room_id, before, limit + 1)
    end = pages_end([view.message for view in found[:limit]])
    items = [_pin(view) for view in found[:end]]
    return reply(PinPage(items, str(items[-1].seq) if len(found) > len(items) else None, head_seq))


def _pin(view: PinView) -> PinOut:
    return PinOut(message_out(view.message), view.seq, view.by, time_of(view.at))


FEATURE = Feature(
    commands={"pin": SocketCommand(Pin, _pinned), "unpin": SocketCommand(Unpin, _unpinned)},
    events={core.MessagePinned: _event},
    router=router,
    bodies=(PinPage,),
)
