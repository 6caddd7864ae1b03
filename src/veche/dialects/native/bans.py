"""Bans from rooms: the commands, the events and the routes (docs/native.md, Bans)."""

from fastapi import Response
from pydantic import Field

from veche.core.bans import MAX_BAN, BanMember, Banned, MemberBanned, MemberUnbanned, UnbanMember, Unbanned
from veche.core.values import Person
from veche.core.views import BanView
from veche.dialects.native.feature import Feature, Id, Incoming, SocketCommand
from veche.dialects.native.limits import DEFAULT_PAGE
from veche.dialects.native.out import Outgoing
from veche.dialects.native.routing import (
    Body,
    ClientId,
    Cursor,
    IdempotencyKey,
    Limit,
    LoginOf,
    PathId,
    client_id_of,
    cursor_after,
    id_after,
    new_router,
)
from veche.dialects.native.views import time_of, time_or_none
from veche.gateway.http import ChatOf, reply
from veche.gateway.openapi_answers import returns

# The socket.


class BanFields(Incoming):
    """Bans an account from a room, for some seconds or without an end."""

    room_id: Id
    account_id: Id
    seconds: int | None = None
    client_id: str | None = None

    def command(self) -> BanMember:
        return BanMember(self.room_id, self.account_id, self.seconds, client_id=self.client_id)


class BanResult(Outgoing):
    """The account is banned, until `until` if that is not null. The room's events up to `seq` show it.

    `duplicate` is true if an earlier attempt was carried out: the rest is as it was then.
    """

    room_id: int
    seq: int
    account_id: int
    until: str | None
    duplicate: bool


class BanAnswer(Outgoing):
    """The account is banned."""

    id: int
    ban: BanResult


class BannedPerson(Outgoing):
    """`by_id` banned an account from the room, until `until` if that is not null."""

    room_id: int
    seq: int
    account: Person
    by_id: int
    until: str | None
    at: str


class BannedEvent(Outgoing):
    """An account was banned from the room."""

    banned: BannedPerson


class UnbanFields(Incoming):
    """Takes back a ban."""

    room_id: Id
    account_id: Id
    client_id: str | None = None

    def command(self) -> UnbanMember:
        return UnbanMember(self.room_id, self.account_id, client_id=self.client_id)


class UnbanResult(Outgoing):
    """The account is not banned. The room's events up to `seq` show it."""

    room_id: int
    seq: int
    account_id: int
    duplicate: bool


class UnbanAnswer(Outgoing):
    """The account is not banned."""

    id: int
    unban: UnbanResult


class UnbannedPerson(Outgoing):
    """`by_id` took back the ban of an account."""

    room_id: int
    seq: int
    account: Person
    by_id: int
    at: str


class UnbannedEvent(Outgoing):
    """An account may be in the room again."""

    unbanned: UnbannedPerson


def _result(banned: Banned) -> BanResult:
    return BanResult(banned.room_id, banned.seq, banned.account_id, time_or_none(banned.until), banned.duplicate)


def _answer(id: int, banned: Banned) -> BanAnswer:
    return BanAnswer(id, _result(banned))


def _event(event: MemberBanned) -> BannedEvent:
    until, at = time_or_none(event.until), time_of(event.at)
    return BannedEvent(BannedPerson(event.log_id, event.seq, event.person, event.by_id, until, at))


def _unban_answer(id: int, unbanned: Unbanned) -> UnbanAnswer:
    return UnbanAnswer(id, UnbanResult(unbanned.room_id, unbanned.seq, unbanned.account_id, unbanned.duplicate))


def _unban_event(event: MemberUnbanned) -> UnbannedEvent:
    return UnbannedEvent(UnbannedPerson(event.log_id, event.seq, event.person, event.by_id, time_of(event.at)))


# REST.


class BanBody(Body):
    """The account to ban, and for how long. A retry with the same `client_id` changes nothing."""

    account_id: int = Field(ge=1, lt=2**63)
    seconds: int | None = Field(None, ge=1, le=MAX_BAN)
    client_id: ClientId | None = None


class BanOut(Outgoing):
    """A ban. `by_id` is who banned the account. `until` is null if the ban has no end."""

    id: int
    username: str
    name: str
    by_id: int
    at: str
    until: str | None


class BanPage(Outgoing):
    """Bans in order of account id. `cursor` fetches the next page. If it is null, this page is the last one."""

    items: list[BanOut]
    cursor: str | None


router = new_router()


@router.get("/rooms/{room_id}/bans", responses=returns(BanPage))
async def bans(
    room_id: PathId, login: LoginOf, chat: ChatOf, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE
) -> Response:
    """List who is banned from a room that you own or moderate."""
    found = await chat.bans(login.account.id, room_id, id_after(cursor), limit + 1)
    items = [_ban(one) for one in found[:limit]]
    return reply(BanPage(items, cursor_after(items, found)))


def _ban(view: BanView) -> BanOut:
    person = view.person
    return BanOut(person.id, person.username, person.name, view.by_id, time_of(view.at), time_or_none(view.until))


@router.post("/rooms/{room_id}/bans", responses=returns(BanResult))
async def ban(
    room_id: PathId, body: BanBody, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """Ban an account from a room that you own or moderate. A member is removed."""
    client_id = client_id_of(body.client_id, idempotency_key)
    command = BanMember(room_id, body.account_id, body.seconds, client_id=client_id)
    return reply(_result(await chat.do(login.actor, command)))


@router.delete("/rooms/{room_id}/bans/{account_id}", status_code=204)
async def unban(
    room_id: PathId, account_id: PathId, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """Take back a ban. The account may join again, or be added."""
    await chat.do(login.actor, UnbanMember(room_id, account_id, client_id=idempotency_key))
    return Response(status_code=204)


FEATURE = Feature(
    commands={"ban": SocketCommand(BanFields, _answer), "unban": SocketCommand(UnbanFields, _unban_answer)},
    events={MemberBanned: _event, MemberUnbanned: _unban_event},
    router=router,
    bodies=(BanResult, BanPage),
)
