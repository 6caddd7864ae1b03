"""The calls of the rooms contract. Who asks is settled before the body is looked at."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import APIKeyHeader

from veche.core.accounts import RenameAccount
from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.membership import AddMember, Entered, JoinRoom
from veche.core.room_creation import CreateRoom
from veche.core.values import PUBLIC, Kind
from veche.dialects.rooms import encode
from veche.dialects.rooms.errors import HEADERS, invalid, plain, problem
from veche.dialects.rooms.rules import (
    Credentials,
    Entry,
    Invitation,
    NewName,
    NewRoom,
    Registration,
    T,
    check_name,
    check_present,
    check_registration,
    decode,
    known_person,
    known_room,
)
from veche.gateway.http import AccountsOf, ChatOf, authenticate, guest_of, response, route_class
from veche.service.accounts import Login

router = APIRouter(tags=["rooms"], route_class=route_class(problem, invalid))

_header = APIKeyHeader(name="Authorization", auto_error=False, description="The bare token of `login`, no Bearer.")
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


GuestOf = Annotated[Actor, Depends(guest_of("rooms"))]


async def _login(request: Request, token: Annotated[str | None, Depends(_header)]) -> Login:
    return await authenticate(request, "rooms", token or "")


def _body(kind: type[T]) -> Callable[[Request], Awaitable[T]]:
    async def read(request: Request) -> T:
        return decode(kind, await request.body())

    return read


def _takes(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Say in the OpenAPI document what the body is, which FastAPI does not see."""
    _, parts = msgspec.json.schema_components((kind,))
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": parts[kind.__name__]}}}}


LoginOf = Annotated[Login, Depends(_login)]
RegistrationOf = Annotated[Registration, Depends(_body(Registration))]
CredentialsOf = Annotated[Credentials, Depends(_body(Credentials))]
NewNameOf = Annotated[NewName, Depends(_body(NewName))]
NewRoomOf = Annotated[NewRoom, Depends(_body(NewRoom))]
EntryOf = Annotated[Entry, Depends(_body(Entry))]
InvitationOf = Annotated[Invitation, Depends(_body(Invitation))]


def _reply(value: object, status: int = 200) -> Response:
    return Response(encode.to_json(value), status, HEADERS, "application/json; charset=utf-8")


@router.post("/register", status_code=201, openapi_extra=_takes(Registration))
async def register(body: RegistrationOf, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Make an account."""
    check_registration(body)
    account = await accounts.register(guest, body.password, username=body.username, email=body.email)
    return _reply(encode.profile(account), 201)


@router.put("/login", openapi_extra=_takes(Credentials))
async def login(body: CredentialsOf, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Sign in; what has no @ is a handle."""
    check_present(body.email, body.password)
    who = {"email" if "@" in body.email else "username": body.email}
    account = await accounts.check_password(guest, body.password, **who)
    signed = await accounts.open_session(guest, account)
    return _reply({"token": signed.token})


@router.get("/profile")
async def profile(login: LoginOf) -> Response:
    """Look at one's own account."""
    return _reply(encode.profile(login.account))


@router.put("/change-name", openapi_extra=_takes(NewName))
async def change_name(login: LoginOf, body: NewNameOf, chat: ChatOf) -> Response:
    """Take another name."""
    check_present(body.username)
    check_name(body.username)
    if body.username == login.account.username:
        raise ChatError(Code.INVALID, "That is the name already.", reason="same")
    try:
        await chat.do(login.actor, RenameAccount(body.username))
    except ChatError as refusal:
        if refusal.code is Code.TAKEN:
            refusal.data["reason"] = "rename"
        raise
    return _reply({"message": "name change succeed"})


@router.post("/create-room", status_code=201, openapi_extra=_takes(NewRoom))
async def create_room(login: LoginOf, body: NewRoomOf, chat: ChatOf) -> Response:
    """Make a room, of which one is the first member."""
    check_name(body.name)
    kind = Kind.GROUP if body.is_private else Kind.CHANNEL
    entered = await chat.do(login.actor, CreateRoom(kind, body.name, unique=True))
    return _reply(encode.made(entered.room), 201)


@router.put("/join", openapi_extra=_takes(Entry))
async def join(login: LoginOf, body: EntryOf, chat: ChatOf) -> Response:
    """Become a member of a room that is not private."""
    entered = await chat.do(login.actor, JoinRoom(known_room(body.room_id)))
    if entered.room.kind not in PUBLIC:
        raise _private()
    return _succeed("join", entered)


@router.put("/invite", openapi_extra=_takes(Invitation))
async def invite(login: LoginOf, body: InvitationOf, chat: ChatOf) -> Response:
    """Make somebody a member of one's room."""
    try:
        entered = await chat.do(login.actor, AddMember(known_room(body.room_id), known_person(body.user_id)))
    except ChatError as refusal:
        raise _invite_refusal(refusal) from None
    return _succeed("invite", entered)


def _invite_refusal(refusal: ChatError) -> ChatError:
    """To strangers the contract says that only the creator may invite; a room of two is private to everybody."""
    if refusal.code is Code.NOT_MEMBER or refusal.data.get("private"):
        return ChatError(Code.FORBIDDEN, "Only its creator may invite.")
    return _private() if refusal.data.get("kind") == "direct" else refusal


def _private() -> ChatError:
    return ChatError(Code.NOT_FOUND, "Nobody can enter this room.", what="room", private=True)


def _succeed(what: str, entered: Entered) -> Response:
    if not entered.new:
        raise ChatError(Code.TAKEN, "That is a member already.", reason="member")
    return _reply({"message": f"{what} succeed"})


@router.api_route("/ws", methods=_METHODS, include_in_schema=False)
async def no_upgrade(request: Request) -> Response:
    """Say what is wrong with a socket that nobody asks to upgrade."""
    try:
        await authenticate(request, "rooms", request.query_params.get("token", ""))
    except ChatError as refusal:
        refusal.data["reason"] = "socket"
        raise
    return response(plain(400, "Bad Request"))
