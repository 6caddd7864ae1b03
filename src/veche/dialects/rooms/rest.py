"""The REST routes of the rooms dialect. Each route checks the token before it reads the body."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import APIKeyHeader

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.membership import AddMember, Entered, JoinRoom
from veche.core.names import normal_form
from veche.core.room_creation import CreateRoom
from veche.core.values import PUBLIC, Kind, valid_person_id
from veche.dialects.rooms import encode
from veche.dialects.rooms.errors import HEADERS, invalid, plain, problem
from veche.dialects.rooms.rules import (
    Credentials,
    Invitation,
    JoinRequest,
    NewName,
    NewRoom,
    Registration,
    T,
    check_name,
    check_present,
    check_registration,
    decode,
    valid_room_id,
)
from veche.gateway.http import AccountsOf, ChatOf, authenticate, guest_of, response, route_class
from veche.gateway.openapi_answers import returns
from veche.gateway.openapi_bodies import request_body
from veche.service.accounts import Login

router = APIRouter(tags=["rooms"], route_class=route_class(problem, invalid))

_header = APIKeyHeader(name="Authorization", auto_error=False, description="The bare token of `login`, no Bearer.")
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


GuestOf = Annotated[Actor, Depends(guest_of("rooms"))]


async def _login(request: Request, token: Annotated[str | None, Depends(_header)]) -> Login:
    return await authenticate(request, "rooms", token or "")


def _body(model: type[T]) -> Callable[[Request], Awaitable[T]]:
    async def read(request: Request) -> T:
        return decode(model, await request.body())

    return read


LoginOf = Annotated[Login, Depends(_login)]
RegistrationOf = Annotated[Registration, Depends(_body(Registration))]
CredentialsOf = Annotated[Credentials, Depends(_body(Credentials))]
NewNameOf = Annotated[NewName, Depends(_body(NewName))]
NewRoomOf = Annotated[NewRoom, Depends(_body(NewRoom))]
JoinRequestOf = Annotated[JoinRequest, Depends(_body(JoinRequest))]
InvitationOf = Annotated[Invitation, Depends(_body(Invitation))]


def _reply(value: object, status: int = 200) -> Response:
    return Response(encode.to_json(value), status, HEADERS, "application/json; charset=utf-8")


@router.post(
    "/register",
    status_code=201,
    openapi_extra=request_body(Registration),
    responses=returns(encode.Profile, 201),
)
async def register(body: RegistrationOf, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Create an account."""
    check_registration(body)
    verified = await accounts.register(guest, body.password, username=body.username, email=body.email)
    return _reply(encode.profile(verified.account), 201)


@router.put("/login", openapi_extra=request_body(Credentials), responses=returns(encode.SignedIn))
async def login(body: CredentialsOf, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Sign in by e-mail, or by username if the value has no @."""
    check_present(body.email, body.password)
    identifier = {"email" if "@" in body.email else "username": body.email}
    verified = await accounts.check_password(guest, body.password, **identifier)
    signed = await accounts.open_session(guest, verified)
    return _reply(encode.SignedIn(signed.token))


@router.get("/profile", responses=returns(encode.Profile))
async def profile(login: LoginOf) -> Response:
    """Get your own account."""
    return _reply(encode.profile(login.account))


@router.put("/change-name", openapi_extra=request_body(NewName), responses=returns(encode.Done))
async def change_name(login: LoginOf, body: NewNameOf, accounts: AccountsOf) -> Response:
    """Change your username."""
    check_present(body.username)
    username = normal_form(body.username)
    check_name(username)
    if username == login.account.username:
        raise ChatError(Code.INVALID, "The new name is the current one.", reason="same")
    try:
        await accounts.rename(login, username)
    except ChatError as refusal:
        if refusal.code is Code.TAKEN:
            refusal.data["reason"] = "rename"
        raise
    return _reply(encode.Done("name change succeed"))


@router.post(
    "/create-room",
    status_code=201,
    openapi_extra=request_body(NewRoom),
    responses=returns(encode.CreatedRoom, 201),
)
async def create_room(login: LoginOf, body: NewRoomOf, chat: ChatOf) -> Response:
    """Create a room, with yourself as its owner."""
    check_name(body.name)
    kind = Kind.GROUP if body.is_private else Kind.CHANNEL
    entered = await chat.do_limited(login.actor, CreateRoom(kind, body.name, unique=True))
    return _reply(encode.created_room(entered.room), 201)


@router.put("/join", openapi_extra=request_body(JoinRequest), responses=returns(encode.Done))
async def join(login: LoginOf, body: JoinRequestOf, chat: ChatOf) -> Response:
    """Join a room that is not private, or that you are invited into."""
    entered = await chat.do(login.actor, JoinRoom(valid_room_id(body.room_id)))
    if not entered.new and entered.room.kind not in PUBLIC:
        raise _private_room()
    return _success("join", entered)


@router.put("/invite", openapi_extra=request_body(Invitation), responses=returns(encode.Done))
async def invite(login: LoginOf, body: InvitationOf, chat: ChatOf) -> Response:
    """Add an account to a room that you own."""
    try:
        entered = await chat.do_limited(
            login.actor, AddMember(valid_room_id(body.room_id), valid_person_id(body.user_id))
        )
    except ChatError as refusal:
        raise _invite_refusal(refusal) from None
    return _success("invite", entered)


def _invite_refusal(refusal: ChatError) -> ChatError:
    """Convert a refusal of the core to the original's refusal.

    Anybody who may not invite gets `only creator can invite to room`. A direct room is `room is private`. Whoever is
    banned from the room is not found.
    """
    if refusal.code is Code.NOT_MEMBER or refusal.data.get("private"):
        return ChatError(Code.FORBIDDEN, "Only the creator may invite.")
    if refusal.data.get("reason") == "banned":
        return ChatError(Code.NOT_FOUND, "No such account.", what="account")
    return _private_room() if refusal.data.get("kind") == "direct" else refusal


def _private_room() -> ChatError:
    return ChatError(Code.NOT_FOUND, "The room is private.", what="room", private=True)


def _success(action: str, entered: Entered) -> Response:
    if not entered.new:
        raise ChatError(Code.TAKEN, "The account is a member already.", reason="member")
    return _reply(encode.Done(f"{action} succeed"))


@router.api_route("/ws", methods=_METHODS, include_in_schema=False)
async def no_upgrade(request: Request) -> Response:
    """Refuse a request for the socket that is not an upgrade: 401 for a bad token, otherwise 400."""
    try:
        await authenticate(request, "rooms", request.query_params.get("token", ""))
    except ChatError as refusal:
        refusal.data["reason"] = "socket"
        raise
    return response(plain(400, "Bad Request"))
