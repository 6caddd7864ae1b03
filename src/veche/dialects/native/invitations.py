"""Invitations into rooms: the commands, the events and the routes (docs/native.md, Invitations)."""

from fastapi import Response
from msgspec import UNSET, UnsetType
from pydantic import Field

from veche.core.invitations import (
    EndInvitation,
    InvitationCame,
    InvitationEnded,
    InvitationGone,
    Invited,
    InviteMember,
    MemberInvited,
)
from veche.core.values import Kind, Person, Room
from veche.core.views import InvitationView, InvitedView
from veche.dialects.native.feature import Feature, Id, Incoming, SocketCommand
from veche.dialects.native.limits import DEFAULT_PAGE
from veche.dialects.native.out import Message, Outgoing, RoomRef
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
from veche.dialects.native.views import message_out, time_of
from veche.gateway.http import ChatOf, reply
from veche.gateway.openapi_answers import returns
from veche.service.accounts import Login
from veche.service.chat import Chat
from veche.service.invitations import invitations_of, invited_into

# The socket.


class InviteFields(Incoming):
    """Invites an account into a room."""

    room_id: Id
    account_id: Id
    client_id: str | None = None

    def command(self) -> InviteMember:
        return InviteMember(self.room_id, self.account_id, client_id=self.client_id)


class UninviteFields(Incoming):
    """Takes back an invitation. With your own account, it refuses an invitation."""

    room_id: Id
    account_id: Id
    client_id: str | None = None

    def command(self) -> EndInvitation:
        return EndInvitation(self.room_id, self.account_id, client_id=self.client_id)


class InviteResult(Outgoing):
    """The room's events up to `seq` show the result. `duplicate` is true if an earlier attempt was carried out."""

    room_id: int
    seq: int
    account_id: int
    duplicate: bool


class InviteAnswer(Outgoing):
    """The account is invited."""

    id: int
    invite: InviteResult


class UninviteAnswer(Outgoing):
    """The account is not invited."""

    id: int
    uninvite: InviteResult


class InvitedPerson(Outgoing):
    """`by_id` invited an account into the room."""

    room_id: int
    seq: int
    account: Person
    by_id: int
    at: str


class InvitedEvent(Outgoing):
    """An account was invited into the room."""

    invited: InvitedPerson


class UninvitedEvent(Outgoing):
    """An account refused its invitation into the room (`by_id` is its own id), or somebody took it back."""

    uninvited: InvitedPerson


class InvitedRoom(Outgoing):
    """A room that you are invited into."""

    id: int
    kind: Kind
    name: str
    topic: str


class InvitationBy(Outgoing):
    """The room, and who invited you."""

    room: InvitedRoom
    by: Person
    at: str


class InvitationItem(InvitationBy):
    """The room, who invited you, and the first message of a direct room (null if there is none yet)."""

    message: Message | UnsetType | None = UNSET


class MeInvited(Outgoing):
    """An entry of your own log."""

    seq: int
    invited: InvitationBy


class MeInvitedEvent(Outgoing):
    """You were invited into a room. `join` accepts, `uninvite` refuses."""

    me: MeInvited


class MeUninvited(Outgoing):
    """An entry of your own log."""

    seq: int
    uninvited: RoomRef


class MeUninvitedEvent(Outgoing):
    """You refused an invitation, here or on another device, or it was taken back."""

    me: MeUninvited


def room_shown(room: Room) -> InvitedRoom:
    """Convert a room as those see it who may join it, and are not in it."""
    return InvitedRoom(room.id, room.kind, room.name, room.topic)


def _result(done: Invited) -> InviteResult:
    return InviteResult(done.room_id, done.seq, done.account_id, done.duplicate)


def _answer(id: int, done: Invited) -> InviteAnswer:
    return InviteAnswer(id, _result(done))


def _end_answer(id: int, done: Invited) -> UninviteAnswer:
    return UninviteAnswer(id, _result(done))


def _person(event: MemberInvited | InvitationEnded) -> InvitedPerson:
    return InvitedPerson(event.log_id, event.seq, event.person, event.by_id, time_of(event.at))


def _event(event: MemberInvited) -> InvitedEvent:
    return InvitedEvent(_person(event))


def _end_event(event: InvitationEnded) -> UninvitedEvent:
    return UninvitedEvent(_person(event))


def _own_event(event: InvitationCame) -> MeInvitedEvent:
    return MeInvitedEvent(MeInvited(event.seq, InvitationBy(room_shown(event.room), event.person, time_of(event.at))))


def _own_end_event(event: InvitationGone) -> MeUninvitedEvent:
    return MeUninvitedEvent(MeUninvited(event.seq, RoomRef(event.room_id)))


# REST.


class InvitationBody(Body):
    """The account to invite. A retry with the same `client_id` changes nothing."""

    account_id: int = Field(ge=1, lt=2**63)
    client_id: ClientId | None = None


class InvitedOne(Outgoing):
    """The account is invited, and not in the room before it joins."""

    invited: bool


class InvitedOut(Outgoing):
    """An account that is invited into a room. `by_id` is who invited it."""

    id: int
    username: str
    name: str
    by_id: int
    at: str


class InvitedPage(Outgoing):
    """Invited accounts in order of id. `cursor` fetches the next page. If it is null, this page is the last one."""

    items: list[InvitedOut]
    cursor: str | None


class InvitationPage(Outgoing):
    """Your invitations in order of room id. `cursor` fetches the next page. It is null on the last one."""

    items: list[InvitationItem]
    cursor: str | None


router = new_router()


@router.get("/invitations", responses=returns(InvitationPage))
async def invitations(login: LoginOf, chat: ChatOf, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """List the rooms that you are invited into."""
    found = await invitations_of(chat, login.account.id, id_after(cursor), limit + 1)
    items = [_invitation(one) for one in found[:limit]]
    return reply(InvitationPage(items, cursor_after([one.room for one in items], found)))


def _invitation(view: InvitationView) -> InvitationItem:
    item = InvitationItem(room_shown(view.room), view.by, time_of(view.at))
    if view.room.kind is Kind.DIRECT:
        item.message = None if view.first is None else message_out(view.first)
    return item


@router.delete("/invitations/{room_id}", status_code=204)
async def refuse(room_id: PathId, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None) -> Response:
    """Refuse an invitation into a room. To accept it, join the room."""
    await chat.do(login.actor, EndInvitation(room_id, login.account.id, client_id=idempotency_key))
    return Response(status_code=204)


@router.get("/rooms/{room_id}/invitations", responses=returns(InvitedPage))
async def invited(
    room_id: PathId, login: LoginOf, chat: ChatOf, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE
) -> Response:
    """List who is invited into a room that you own or moderate."""
    found = await invited_into(chat, login.account.id, room_id, id_after(cursor), limit + 1)
    items = [_invited(one) for one in found[:limit]]
    return reply(InvitedPage(items, cursor_after(items, found)))


def _invited(view: InvitedView) -> InvitedOut:
    person = view.person
    return InvitedOut(person.id, person.username, person.name, view.by_id, time_of(view.at))


@router.post("/rooms/{room_id}/invitations", responses=returns(InviteResult))
async def invite(
    room_id: PathId, body: InvitationBody, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """Invite an account into a room that you own or moderate. It is in the room when it joins."""
    return reply(_result(await _invite(room_id, body, login, chat, idempotency_key)))


@router.post("/rooms/{room_id}/members", status_code=202, responses=returns(InvitedOne, 202))
async def add_member(
    room_id: PathId, body: InvitationBody, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """Invite an account, as `POST /v1/rooms/{room_id}/invitations` does. Nobody is put into a room."""
    await _invite(room_id, body, login, chat, idempotency_key)
    return reply(InvitedOne(invited=True), 202)


async def _invite(room_id: int, body: InvitationBody, login: Login, chat: Chat, key: str | None) -> Invited:
    client_id = client_id_of(body.client_id, key)
    return await chat.do_limited(login.actor, InviteMember(room_id, body.account_id, client_id=client_id))


@router.delete("/rooms/{room_id}/invitations/{account_id}", status_code=204)
async def uninvite(
    room_id: PathId, account_id: PathId, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """Take back an invitation."""
    await chat.do(login.actor, EndInvitation(room_id, account_id, client_id=idempotency_key))
    return Response(status_code=204)


FEATURE = Feature(
    commands={"invite": SocketCommand(InviteFields, _answer), "uninvite": SocketCommand(UninviteFields, _end_answer)},
    events={
        MemberInvited: _event,
        InvitationEnded: _end_event,
        InvitationCame: _own_event,
        InvitationGone: _own_end_event,
    },
    router=router,
    bodies=(InviteResult, InvitedOne, InvitedPage, InvitationPage),
)
