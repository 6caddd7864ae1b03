"""Links into rooms: the commands and the routes (docs/native.md, Links)."""

from typing import Annotated

from fastapi import Path, Response
from msgspec import Meta
from pydantic import Field

from veche.core.links import MAX_CODE, MAX_LINK_SECONDS, MAX_USES, JoinByLink, Linked, MakeLink, RevokeLink, Unlinked
from veche.core.membership import Entered
from veche.core.values import Link
from veche.dialects.native import out
from veche.dialects.native.answers import JoinResult
from veche.dialects.native.feature import Feature, Id, Incoming, SocketCommand
from veche.dialects.native.invitations import InvitedRoom, room_shown
from veche.dialects.native.out import Outgoing
from veche.dialects.native.routing import Body, ClientId, IdempotencyKey, LoginOf, PathId, client_id_of, new_router
from veche.dialects.native.views import room_out, time_of, time_or_none
from veche.gateway.http import ChatOf, reply
from veche.gateway.openapi_answers import returns
from veche.service.invitations import links_of, room_of_link

LinkCode = Annotated[str, Meta(max_length=MAX_CODE)]
PathCode = Annotated[str, Path(max_length=MAX_CODE)]

# The socket.


class LinkFields(Incoming):
    """Makes a link into a room, for some seconds and some uses, or without an end."""

    room_id: Id
    seconds: int | None = None
    uses: int | None = None
    client_id: str | None = None

    def command(self) -> MakeLink:
        return MakeLink(self.room_id, self.seconds, self.uses, client_id=self.client_id)


class UnlinkFields(Incoming):
    """Revokes a link."""

    room_id: Id
    code: LinkCode
    client_id: str | None = None

    def command(self) -> RevokeLink:
        return RevokeLink(self.room_id, self.code, client_id=self.client_id)


class JoinLinkFields(Incoming):
    """Joins the room of a link."""

    code: LinkCode

    def command(self) -> JoinByLink:
        return JoinByLink(self.code)


class LinkOut(Outgoing):
    """A link. It ends at `until` and after `uses_left` more people joined by it; null means never."""

    code: str
    room_id: int
    by_id: int
    created_at: str
    until: str | None
    uses_left: int | None


class LinkResult(Outgoing):
    """The link. `duplicate` is true if an earlier attempt was carried out: the rest is as it was then."""

    code: str
    room_id: int
    until: str | None
    uses_left: int | None
    duplicate: bool


class LinkAnswer(Outgoing):
    """The link is made."""

    id: int
    link: LinkResult


class UnlinkResult(Outgoing):
    """The room has no such link."""

    room_id: int
    code: str
    duplicate: bool


class UnlinkAnswer(Outgoing):
    """Nobody joins by the link any more."""

    id: int
    unlink: UnlinkResult


class JoinLinkAnswer(Outgoing):
    """You are in the room of the link."""

    id: int
    join_link: JoinResult


def _result(linked: Linked) -> LinkResult:
    link = linked.link
    return LinkResult(link.code, link.room_id, time_or_none(link.until), link.uses_left, linked.duplicate)


def _answer(id: int, linked: Linked) -> LinkAnswer:
    return LinkAnswer(id, _result(linked))


def _unlink_answer(id: int, unlinked: Unlinked) -> UnlinkAnswer:
    return UnlinkAnswer(id, UnlinkResult(unlinked.room_id, unlinked.code, unlinked.duplicate))


def _join_answer(id: int, entered: Entered) -> JoinLinkAnswer:
    return JoinLinkAnswer(id, JoinResult(entered.room.id, entered.head_seq))


# REST.


class LinkBody(Body):
    """How long the link may be used, and by how many. A retry with the same `client_id` makes no second link."""

    seconds: int | None = Field(None, ge=1, le=MAX_LINK_SECONDS)
    uses: int | None = Field(None, ge=1, le=MAX_USES)
    client_id: ClientId | None = None


class LinkList(Outgoing):
    """The links of a room that are not over, the oldest first."""

    items: list[LinkOut]


class LinkedRoom(Outgoing):
    """Where a link leads."""

    room: InvitedRoom
    until: str | None


router = new_router()


@router.get("/rooms/{room_id}/links", responses=returns(LinkList))
async def links(room_id: PathId, login: LoginOf, chat: ChatOf) -> Response:
    """List the links of a room that you own or moderate."""
    return reply(LinkList([_link(link) for link in await links_of(chat, login.account.id, room_id)]))


def _link(link: Link) -> LinkOut:
    at, until = time_of(link.created_at), time_or_none(link.until)
    return LinkOut(link.code, link.room_id, link.by_id, at, until, link.uses_left)


@router.post("/rooms/{room_id}/links", status_code=201, responses=returns(LinkResult, 200, 201))
async def make_link(
    room_id: PathId, body: LinkBody, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """Make a link into a room that you own or moderate: whoever has its code may join."""
    client_id = client_id_of(body.client_id, idempotency_key)
    linked = await chat.do(login.actor, MakeLink(room_id, body.seconds, body.uses, client_id=client_id))
    return reply(_result(linked), 200 if linked.duplicate else 201)


@router.delete("/rooms/{room_id}/links/{code}", status_code=204)
async def revoke_link(
    room_id: PathId, code: PathCode, login: LoginOf, chat: ChatOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """Revoke a link. Who has joined by it stays."""
    await chat.do(login.actor, RevokeLink(room_id, code, client_id=idempotency_key))
    return Response(status_code=204)


@router.get("/links/{code}", responses=returns(LinkedRoom))
async def link(code: PathCode, login: LoginOf, chat: ChatOf) -> Response:
    """Look where a link leads, before you join."""
    found, room = await room_of_link(chat, login.account.id, code)
    return reply(LinkedRoom(room_shown(room), time_or_none(found.until)))


@router.post("/links/{code}/join", responses=returns(out.Room))
async def join_by_link(code: PathCode, login: LoginOf, chat: ChatOf) -> Response:
    """Join the room of a link."""
    entered = await chat.do(login.actor, JoinByLink(code))
    return reply(room_out(await chat.room(login.account.id, entered.room.id)))


FEATURE = Feature(
    commands={
        "link": SocketCommand(LinkFields, _answer),
        "unlink": SocketCommand(UnlinkFields, _unlink_answer),
        "join_link": SocketCommand(JoinLinkFields, _join_answer),
    },
    router=router,
    bodies=(LinkResult, LinkList, LinkedRoom),
)
