"""The REST routes of the native dialect (docs/native.md, REST)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.membership import AddMember, JoinRoom, LeaveRoom, RemoveMember
from veche.core.messages import SendMessage
from veche.core.names import MAX_EMAIL, MAX_NAME
from veche.core.reading import ReadUpTo
from veche.core.room_creation import MAX_FIRST_MEMBERS, CreateRoom
from veche.core.room_renaming import RenameRoom
from veche.core.text import MAX_CLIENT_MESSAGE_ID
from veche.core.values import Kind
from veche.core.views import MemberView
from veche.dialects.native import out
from veche.dialects.native.errors import invalid, problem
from veche.dialects.native.limits import (
    DEFAULT_PAGE,
    EMAIL_PATTERN,
    MAX_PAGE,
    MAX_PASSWORD_BYTES,
    MAX_PERSON_NAME,
    MAX_ROOM_NAME,
    MAX_TEXT_BYTES,
    MAX_USERNAME,
    MIN_PASSWORD,
    MIN_USERNAME,
    check_person_name,
    check_room_name,
    check_text_size,
    check_username,
    limits_of,
)
from veche.dialects.native.passwords import check_password
from veche.dialects.native.views import account_out, member_out, message_out, message_page, room_out, room_page
from veche.gateway.fairness import NATIVE
from veche.gateway.http import AccountsOf, ChatOf, HeartbeatsOf, RawResponse, authenticate, guest_of, reply, route_class
from veche.gateway.openapi_answers import returns
from veche.gateway.openapi_bodies import characters, shown, utf8_bytes
from veche.service.accounts import Accounts, Login, Verified


def _invalid(error: RequestValidationError) -> RawResponse:
    details = error.errors()
    if any(detail["type"] == "json_invalid" for detail in details):
        return problem(ChatError(Code.BAD_REQUEST, "The body is not JSON that can be read."))
    return invalid([out.FieldError(_field(detail["loc"]), str(detail["msg"])) for detail in details])


def _field(loc: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in loc[1:]) or str(loc[0])


router = APIRouter(prefix="/v1", tags=["native"], route_class=route_class(problem, _invalid))

Id = Annotated[int, Path(ge=1, lt=2**63)]
Seq = Annotated[int | None, Query(ge=0, lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Cursor = Annotated[str | None, Query(max_length=32)]
_bearer = HTTPBearer(auto_error=False, description="The token of `register` or `login`.")


GuestOf = Annotated[Actor, Depends(guest_of("native"))]


async def _login(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Login:
    if credentials is None:
        raise ChatError(Code.UNAUTHENTICATED, "Send the header Authorization: Bearer TOKEN.")
    return await authenticate(request, "native", credentials.credentials, NATIVE)


LoginOf = Annotated[Login, Depends(_login)]


class Body(BaseModel):
    """The base of request bodies. Unknown keys are refused, and a string is not accepted as a number."""

    model_config = ConfigDict(extra="forbid", strict=True)


Email = Annotated[str | None, Field(max_length=MAX_EMAIL, pattern=EMAIL_PATTERN)]


# The checks in `limits.py` have better texts than pydantic.
Username = Annotated[str, shown(characters(MIN_USERNAME, MAX_USERNAME))]
NewPassword = Annotated[str, shown(utf8_bytes(MIN_PASSWORD, MAX_PASSWORD_BYTES))]
PersonName = Annotated[str, shown(characters(1, MAX_PERSON_NAME))]
RoomName = Annotated[str, shown(characters(1, MAX_ROOM_NAME))]
Text = Annotated[str, shown(utf8_bytes(1, MAX_TEXT_BYTES))]
ClientMessageId = Annotated[str, shown(characters(1, MAX_CLIENT_MESSAGE_ID))]
Typed = Annotated[str, shown(characters())]
"""With which somebody signs in. Whatever it is, a wrong one is answered as a wrong one."""


class RegisterBody(Body):
    """A new account."""

    username: Username
    password: NewPassword
    name: PersonName | None = None
    email: Email = None


class LoginBody(Body):
    """A login. Exactly one of `username` and `email` is given."""

    username: Typed | None = None
    email: Typed | None = None
    password: Typed


class ProfileBody(Body):
    """A change of your account. `password` is your password. A new e-mail needs it."""

    name: PersonName | None = None
    email: Email = None
    password: Typed | None = None


class PasswordBody(Body):
    """A change of password."""

    old_password: Typed
    new_password: NewPassword


class RoomBody(Body):
    """A new room: a group if no kind is given. A direct room has exactly one other member and no name."""

    kind: Literal["group", "channel", "direct"] | None = None
    name: RoomName | None = None
    member_ids: list[Annotated[int, Field(ge=1, lt=2**63)]] | None = Field(None, max_length=MAX_FIRST_MEMBERS)


class RoomNameBody(Body):
    """The new name of a room."""

    name: RoomName


class MemberBody(Body):
    """The account to add."""

    account_id: int = Field(ge=1, lt=2**63)


class MessageBody(Body):
    """A message. A retry with the same `client_message_id` does not store it again."""

    text: Text
    client_message_id: ClientMessageId | None = None


class ReadBody(Body):
    """The new read pointer."""

    seq: int = Field(ge=0, lt=2**63)


@router.post("/register", status_code=201, responses=returns(out.SignedIn, 201))
async def register(body: RegisterBody, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Create an account and sign in."""
    check_username(body.username)
    check_password(body.password, body.username, body.email)
    if body.name is not None:
        check_person_name(body.name)
    verified = await accounts.register(guest, body.password, username=body.username, email=body.email, name=body.name)
    return await _signed_in(accounts, guest, verified, 201)


@router.post("/login", responses=returns(out.SignedIn))
async def login(body: LoginBody, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Sign in by username or e-mail."""
    if (body.username is None) == (body.email is None):
        raise ChatError(Code.INVALID, "Give a username or an e-mail.", field="username")
    verified = await accounts.check_password(guest, body.password, username=body.username, email=body.email)
    return await _signed_in(accounts, guest, verified, 200)


async def _signed_in(accounts: Accounts, guest: Actor, verified: Verified, status: int) -> Response:
    signed = await accounts.open_session(guest, verified)
    return reply(out.SignedIn(signed.token, signed.expires_in, account_out(verified.account)), status)


@router.post("/logout", status_code=204)
async def logout(login: LoginOf, accounts: AccountsOf) -> Response:
    """End the session of the token, and close its connections."""
    await accounts.sign_out(login)
    return Response(status_code=204)


@router.get("/me", responses=returns(out.Account))
async def me(login: LoginOf) -> Response:
    """Get your own account."""
    return reply(account_out(login.account))


@router.patch("/me", responses=returns(out.Account))
async def change_me(body: ProfileBody, login: LoginOf, accounts: AccountsOf) -> Response:
    """Change your name or your e-mail. A new e-mail needs your password."""
    if body.name is not None:
        check_person_name(body.name)
    if body.email is not None and body.password is None:
        raise ChatError(Code.INVALID, "A new e-mail needs your password.", field="password")
    changed = await accounts.change_profile(login, name=body.name, email=body.email, password=body.password)
    return reply(account_out(changed))


@router.get("/people", responses=returns(out.PersonPage))
async def people(
    username: Annotated[str, Query(min_length=1, max_length=MAX_NAME)], login: LoginOf, accounts: AccountsOf
) -> Response:
    """Find a person by username."""
    found = await accounts.find_person(login, username)
    return reply(out.PersonPage([] if found is None else [found], None))


@router.put("/me/password", status_code=204)
async def change_password(body: PasswordBody, login: LoginOf, accounts: AccountsOf) -> Response:
    """Change the password and end all other sessions."""
    check_password(body.new_password, login.account.username, login.account.email, field="new_password")
    await accounts.change_password(login, body.old_password, body.new_password)
    return Response(status_code=204)


@router.post("/rooms", status_code=201, responses=returns(out.Room, 200, 201))
async def create_room(body: RoomBody, login: LoginOf, chat: ChatOf) -> Response:
    """Create a room, or get the direct room that exists already."""
    kind, by = Kind(body.kind or Kind.GROUP), login.account.id
    name = "" if kind is Kind.DIRECT else body.name or ""
    if kind is not Kind.DIRECT:
        check_room_name(name)
    entered = await chat.create_room(login.actor, CreateRoom(kind, name, tuple(body.member_ids or ())))
    return reply(room_out(await chat.room(by, entered.room.id)), 201 if entered.new else 200)


@router.get("/rooms", responses=returns(out.RoomPage))
async def my_rooms(login: LoginOf, chat: ChatOf, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """List your rooms, with the last message and the number of unread messages."""
    return reply(room_page(await chat.rooms(login.account.id, _after(cursor), limit + 1), limit))


@router.get("/rooms/public", responses=returns(out.RoomPage))
async def public_rooms(login: LoginOf, chat: ChatOf, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """List the rooms that every account may join."""
    return reply(room_page(await chat.public_rooms(login.account.id, _after(cursor), limit + 1), limit))


@router.get("/rooms/{room_id}", responses=returns(out.Room))
async def room(room_id: Id, login: LoginOf, chat: ChatOf) -> Response:
    """Get a room."""
    return reply(room_out(await chat.room(login.account.id, room_id)))


@router.patch("/rooms/{room_id}", responses=returns(out.Room))
async def rename_room(room_id: Id, body: RoomNameBody, login: LoginOf, chat: ChatOf) -> Response:
    """Rename a room that you own."""
    check_room_name(body.name)
    await chat.do(login.actor, RenameRoom(room_id, body.name))
    return reply(room_out(await chat.room(login.account.id, room_id)))


@router.get("/rooms/{room_id}/members", responses=returns(out.MemberPage))
async def members(
    room_id: Id, login: LoginOf, chat: ChatOf, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE
) -> Response:
    """List the members of a room."""
    found = await chat.members(login.account.id, room_id, _after(cursor), limit + 1)
    items = [member_out(view) for view in found[:limit]]
    return reply(out.MemberPage(items, str(items[-1].id) if len(found) > limit else None))


@router.post("/rooms/{room_id}/join", responses=returns(out.Room))
async def join(room_id: Id, login: LoginOf, chat: ChatOf) -> Response:
    """Join a public room."""
    await chat.do(login.actor, JoinRoom(room_id))
    return reply(room_out(await chat.room(login.account.id, room_id)))


@router.post("/rooms/{room_id}/leave", status_code=204)
async def leave(room_id: Id, login: LoginOf, chat: ChatOf) -> Response:
    """Leave a room."""
    await chat.do(login.actor, LeaveRoom(room_id))
    return Response(status_code=204)


@router.post("/rooms/{room_id}/members", status_code=201, responses=returns(out.Member, 200, 201))
async def add_member(room_id: Id, body: MemberBody, login: LoginOf, chat: ChatOf, accounts: AccountsOf) -> Response:
    """Add an account to a room that you own."""
    entered = await chat.add_member(login.actor, AddMember(room_id, body.account_id))
    account, member = await accounts.by_id(login.account.id, body.account_id), entered.member
    if account is None or member is None:
        raise ChatError(Code.NOT_FOUND, "No such member.", what="account")
    view = MemberView(account.person, member.role, member.joined_at)
    return reply(member_out(view), 201 if entered.new else 200)


@router.delete("/rooms/{room_id}/members/{account_id}", status_code=204)
async def remove_member(room_id: Id, account_id: Id, login: LoginOf, chat: ChatOf) -> Response:
    """Remove a member from a room that you own."""
    await chat.do(login.actor, RemoveMember(room_id, account_id))
    return Response(status_code=204)


@router.post("/rooms/{room_id}/messages", status_code=201, responses=returns(out.Message, 200, 201))
async def send(
    room_id: Id,
    body: MessageBody,
    login: LoginOf,
    chat: ChatOf,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Send a message: 201 if it is new, 200 for a repeat with the same `client_message_id` or Idempotency-Key."""
    check_text_size(body.text)
    client_id = body.client_message_id if body.client_message_id is not None else idempotency_key
    sent = await chat.do(login.actor, SendMessage(room_id, body.text, client_id))
    return reply(message_out(sent.message), 200 if sent.duplicate else 201)


@router.get("/rooms/{room_id}/messages", responses=returns(out.MessagePage))
async def history(
    room_id: Id,
    login: LoginOf,
    chat: ChatOf,
    before_seq: Seq = None,
    after_seq: Seq = None,
    around_seq: Seq = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """Get a page of messages, oldest first."""
    if sum(seq is not None for seq in (before_seq, after_seq, around_seq)) > 1:
        raise ChatError(Code.INVALID, "Give one of before_seq, after_seq, around_seq.", field="before_seq")
    page = await chat.history(login.account.id, room_id, limit, before=before_seq, after=after_seq, around=around_seq)
    return reply(message_page(page))


@router.post("/rooms/{room_id}/read", status_code=204)
async def read(room_id: Id, body: ReadBody, login: LoginOf, chat: ChatOf) -> Response:
    """Move your read pointer forward."""
    await chat.do(login.actor, ReadUpTo(room_id, body.seq))
    return Response(status_code=204)


@router.get("/limits", responses=returns(out.Limits))
async def limits(heartbeats: HeartbeatsOf) -> Response:
    """Get the limits of this server."""
    return reply(limits_of(heartbeats))


def _after(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or int(cursor) >= 2**63:
        raise ChatError(Code.INVALID, "This is no cursor of ours.", field="cursor")
    return int(cursor)
