"""Roles of members: the command, the event and the route (docs/native.md, Roles)."""

from fastapi import Response
from pydantic import Field

from veche.core.errors import ChatError, Code
from veche.core.roles import ChangeRole, RoleChanged, RoleGiven
from veche.core.values import Person, Role
from veche.dialects.native import out
from veche.dialects.native.feature import Feature, Id, Incoming, SocketCommand
from veche.dialects.native.out import Outgoing
from veche.dialects.native.routing import Body, ClientId, IdempotencyKey, LoginOf, PathId, client_id_of, new_router
from veche.dialects.native.views import member_out, time_of
from veche.gateway.http import ChatOf, reply
from veche.gateway.openapi_answers import returns


class GiveRole(Incoming):
    """Gives a member of a room of yours another role. With the role `owner`, the room is handed over."""

    room_id: Id
    account_id: Id
    role: Role
    client_id: str | None = None

    def command(self) -> ChangeRole:
        return ChangeRole(self.room_id, self.account_id, self.role, client_id=self.client_id)


class RoleResult(Outgoing):
    """The member has the role. The room's events up to `seq` show it.

    `duplicate` is true if an earlier attempt was carried out: the rest is as it was then.
    """

    room_id: int
    seq: int
    account_id: int
    role: Role
    duplicate: bool


class RoleAnswer(Outgoing):
    """The member has the role."""

    id: int
    role: RoleResult


class RoleOfMember(Outgoing):
    """A member has another role, which `by_id` gave. A new owner has the event `owner` instead."""

    room_id: int
    seq: int
    account: Person
    role: Role
    by_id: int
    at: str


class RoleEvent(Outgoing):
    """A member has another role."""

    role: RoleOfMember


def _answer(id: int, given: RoleGiven) -> RoleAnswer:
    return RoleAnswer(id, RoleResult(given.room_id, given.seq, given.account_id, given.role, given.duplicate))


def _event(event: RoleChanged) -> RoleEvent:
    return RoleEvent(RoleOfMember(event.log_id, event.seq, event.person, event.role, event.by_id, time_of(event.at)))


class RoleBody(Body):
    """The new role of a member. A retry with the same `client_id` changes nothing."""

    role: Role = Field(strict=False)
    client_id: ClientId | None = None


router = new_router()


@router.patch("/rooms/{room_id}/members/{account_id}", responses=returns(out.Member))
async def change_role(
    room_id: PathId,
    account_id: PathId,
    body: RoleBody,
    login: LoginOf,
    chat: ChatOf,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Give a member of a room of yours another role. With the role `owner`, the room is handed over."""
    client_id = client_id_of(body.client_id, idempotency_key)
    await chat.do(login.actor, ChangeRole(room_id, account_id, body.role, client_id=client_id))
    found = await chat.members(login.account.id, room_id, account_id - 1, 1)
    if not found or found[0].person.id != account_id:
        raise ChatError(Code.NOT_FOUND, "No such member.", what="account")
    return reply(member_out(found[0]))


FEATURE = Feature(
    commands={"role": SocketCommand(GiveRole, _answer)},
    events={RoleChanged: _event},
    router=router,
)
