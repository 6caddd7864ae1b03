"""The REST routes of the native dialect (docs/native.md, REST)."""

from typing import Annotated, Literal

from fastapi import Response
from pydantic import Field

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.files import MAX_FILES
from veche.core.membership import JoinRoom, LeaveRoom, RemoveMember
from veche.core.reading import ReadUpTo
from veche.core.room_creation import MAX_FIRST_MEMBERS, CreateRoom
from veche.core.values import Kind
from veche.dialects.native import out
from veche.dialects.native.frames import Send
from veche.dialects.native.limits import (
    DEFAULT_PAGE,
    check_device,
    check_person_name,
    check_room_name,
    check_text_size,
    check_username,
    limits_of,
)
from veche.dialects.native.passwords import check_password
from veche.dialects.native.routing import (
    Body,
    BodyId,
    ClientId,
    Cursor,
    Device,
    Email,
    GuestOf,
    IdempotencyKey,
    Limit,
    LoginOf,
    NewPassword,
    PathId,
    PersonName,
    RoomName,
    Seq,
    Text,
    Typed,
    Username,
    client_id_of,
    cursor_after,
    id_after,
    new_router,
)
from veche.dialects.native.views import account_out, member_out, message_out, message_page, room_out, room_page
from veche.gateway.http import AccountsOf, ChatOf, FileBytesOf, HeartbeatsOf, RefreshingOf, reply
from veche.gateway.openapi_answers import returns
from veche.service.accounts import Accounts, Verified
from veche.service.refreshing import IssuedTokens, Refreshing

router = new_router()


class RegisterBody(Body):
    """A new account."""

    username: Username
    password: NewPassword
    name: PersonName | None = None
    email: Email = None
    refresh: bool | None = None
    device: Device | None = None


class LoginBody(Body):
    """A login. Exactly one of `username` and `email` is given."""

    username: Typed | None = None
    email: Typed | None = None
    password: Typed
    refresh: bool | None = None
    device: Device | None = None


class ProfileBody(Body):
    """A change of your account. `password` is your password. A new e-mail needs it."""

    name: PersonName | None = None
    email: Email = None
    password: Typed | None = None
    hides_reading: bool | None = None


class PasswordBody(Body):
    """A change of password."""

    old_password: Typed
    new_password: NewPassword


class RoomBody(Body):
    """A new room: a group if no kind is given. A direct room has exactly one other member and no name."""

    kind: Literal["group", "channel", "direct"] | None = None
    name: RoomName | None = None
    member_ids: list[Annotated[int, Field(ge=1, lt=2**63)]] | None = Field(None, max_length=MAX_FIRST_MEMBERS)


class MessageBody(Body):
    """A message. A retry with the same `client_message_id` does not store it again."""

    text: Text
    client_message_id: ClientId | None = None
    reply_to_id: BodyId | None = None
    thread_id: BodyId | None = None
    files: list[Annotated[str, Field(max_length=32)]] | None = Field(None, max_length=MAX_FILES)


class ReadBody(Body):
    """The new read pointer."""

    seq: int = Field(ge=0, lt=2**63)


@router.post("/register", status_code=201, responses=returns(out.SignedIn, 201))
async def register(body: RegisterBody, accounts: AccountsOf, refreshing: RefreshingOf, guest: GuestOf) -> Response:
    """Create an account and sign in."""
    check_username(body.username)
    check_password(body.password, body.username, body.email)
    if body.name is not None:
        check_person_name(body.name)
    if body.device is not None:
        check_device(body.device)
    verified = await accounts.register(guest, body.password, username=body.username, email=body.email, name=body.name)
    return await _signed_in(refreshing if body.refresh else accounts, guest, verified, body.device, 201)


@router.post("/login", responses=returns(out.SignedIn))
async def login(body: LoginBody, accounts: AccountsOf, refreshing: RefreshingOf, guest: GuestOf) -> Response:
    """Sign in by username or e-mail."""
    if (body.username is None) == (body.email is None):
        raise ChatError(Code.INVALID, "Give a username or an e-mail.", field="username")
    if body.device is not None:
        check_device(body.device)
    verified = await accounts.check_password(guest, body.password, username=body.username, email=body.email)
    return await _signed_in(refreshing if body.refresh else accounts, guest, verified, body.device, 200)


async def _signed_in(
    opening: Accounts | Refreshing, guest: Actor, verified: Verified, device: str | None, status: int
) -> Response:
    signed = await opening.open_session(guest, verified, device)
    found = out.SignedIn(signed.token, signed.expires_in, account_out(verified.account))
    if isinstance(signed, IssuedTokens):
        found.refresh_token, found.refresh_expires_in = signed.refresh_token, signed.refresh_expires_in
    return reply(found, status)


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
    """Change your name or your e-mail, or hide what you read. A new e-mail needs your password."""
    if body.name is not None:
        check_person_name(body.name)
    if body.email is not None and body.password is None:
        raise ChatError(Code.INVALID, "A new e-mail needs your password.", field="password")
    changed = await accounts.change_profile(
        login, name=body.name, email=body.email, password=body.password, hides_reading=body.hides_reading
    )
    return reply(account_out(changed))


@router.put("/me/password", status_code=204)
async def change_password(body: PasswordBody, login: LoginOf, accounts: AccountsOf) -> Response:
    """Change the password and end all other sessions."""
    check_password(body.new_password, login.account.username, login.account.email, field="new_password")
    await accounts.change_password(login, body.old_password, body.new_password)
    return Response(status_code=204)


@router.post("/rooms", status_code=201, responses=returns(out.Room, 200, 201))
async def create_room(body: RoomBody, login: LoginOf, chat: ChatOf) -> Response:
    """Create a room and invite its first members, or get the direct room that exists already."""
    kind, by = Kind(body.kind or Kind.GROUP), login.account.id
    name = "" if kind is Kind.DIRECT else body.name or ""
    if kind is not Kind.DIRECT:
        check_room_name(name)
    entered = await chat.do_limited(login.actor, CreateRoom(kind, name, tuple(body.member_ids or ()), invites=True))
    return reply(room_out(await chat.room(by, entered.room.id)), 201 if entered.new else 200)


@router.get("/rooms", responses=returns(out.RoomPage))
async def my_rooms(login: LoginOf, chat: ChatOf, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """List your rooms, with the last message and the number of unread messages."""
    return reply(room_page(await chat.rooms(login.account.id, id_after(cursor), limit + 1), limit))


@router.get("/rooms/public", responses=returns(out.RoomPage))
async def public_rooms(login: LoginOf, chat: ChatOf, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """List the rooms that every account may join."""
    return reply(room_page(await chat.public_rooms(login.account.id, id_after(cursor), limit + 1), limit))


@router.get("/rooms/{room_id}", responses=returns(out.Room))
async def room(room_id: PathId, login: LoginOf, chat: ChatOf) -> Response:
    """Get a room."""
    return reply(room_out(await chat.room(login.account.id, room_id)))


@router.get("/rooms/{room_id}/members", responses=returns(out.MemberPage))
async def members(
    room_id: PathId, login: LoginOf, chat: ChatOf, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE
) -> Response:
    """List the members of a room."""
    found = await chat.members(login.account.id, room_id, id_after(cursor), limit + 1)
    items = [member_out(view) for view in found[:limit]]
    return reply(out.MemberPage(items, cursor_after(items, found)))


@router.post("/rooms/{room_id}/join", responses=returns(out.Room))
async def join(room_id: PathId, login: LoginOf, chat: ChatOf) -> Response:
    """Join a public room."""
    await chat.do(login.actor, JoinRoom(room_id))
    return reply(room_out(await chat.room(login.account.id, room_id)))


@router.post("/rooms/{room_id}/leave", status_code=204)
async def leave(room_id: PathId, login: LoginOf, chat: ChatOf) -> Response:
    """Leave a room."""
    await chat.do(login.actor, LeaveRoom(room_id))
    return Response(status_code=204)


@router.delete("/rooms/{room_id}/members/{account_id}", status_code=204)
async def remove_member(room_id: PathId, account_id: PathId, login: LoginOf, chat: ChatOf) -> Response:
    """Remove a member from a room that you own."""
    await chat.do(login.actor, RemoveMember(room_id, account_id))
    return Response(status_code=204)


@router.post("/rooms/{room_id}/messages", status_code=201, responses=returns(out.Message, 200, 201))
async def send(
    room_id: PathId,
    body: MessageBody,
    login: LoginOf,
    chat: ChatOf,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Send a message: 201 if it is new, 200 for a repeat with the same `client_message_id` or Idempotency-Key."""
    files = tuple(body.files or ())
    check_text_size(body.text, may_be_empty=bool(files))
    client_id = client_id_of(body.client_message_id, idempotency_key)
    message = Send(room_id, body.text, client_id, body.reply_to_id, body.thread_id, files)
    sent = await chat.do(login.actor, message.command())
    return reply(message_out(sent.message), 200 if sent.duplicate else 201)


@router.get("/rooms/{room_id}/messages", responses=returns(out.MessagePage))
async def history(
    room_id: PathId,
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
    by = login.account.id
    seqs = {"before": before_seq, "after": after_seq, "around": around_seq}
    page = await chat.history(by, room_id, limit, **seqs, with_reactions=True)
    return reply(message_page(page))


@router.post("/rooms/{room_id}/read", status_code=204)
async def read(room_id: PathId, body: ReadBody, login: LoginOf, chat: ChatOf) -> Response:
    """Move your read pointer forward."""
    await chat.do(login.actor, ReadUpTo(room_id, body.seq))
    return Response(status_code=204)


@router.get("/limits", responses=returns(out.Limits))
async def limits(heartbeats: HeartbeatsOf, file_bytes: FileBytesOf) -> Response:
    """Get the limits of this server."""
    return reply(limits_of(heartbeats, file_bytes))
