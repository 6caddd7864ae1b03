"""The REST routes of the messenger dialect."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Request, Response

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.messages import SendMessage
from veche.core.room_creation import CreateRoom
from veche.core.values import Kind
from veche.dialects.messenger import encode
from veche.dialects.messenger.errors import invalid, problem
from veche.dialects.messenger.rules import (
    ChatType,
    Credentials,
    Id,
    Limit,
    NewChat,
    NewMessage,
    Offset,
    Registration,
)
from veche.gateway.http import AccountsOf, BearerOf, ChatOf, authenticate, guest_of, reply, reply_by_pages, route_class
from veche.gateway.openapi_answers import returns
from veche.service.accounts import Login
from veche.service.chat import Chat

PAGE_SIZE = 100  # messages, of up to 64 KiB each

# The original's version of FastAPI accepts requests without a Content-Type.
router = APIRouter(tags=["messenger"], route_class=route_class(problem, invalid), strict_content_type=False)


GuestOf = Annotated[Actor, Depends(guest_of("messenger"))]


async def _login(request: Request, bearer: BearerOf) -> Login:
    if bearer is None:
        raise ChatError(Code.UNAUTHENTICATED, "There is no token.", reason="missing")
    return await authenticate(request, "messenger", bearer.credentials)


async def _login_of_me(request: Request, bearer: BearerOf) -> Login:
    try:
        return await _login(request, bearer)
    except ChatError as refusal:
        if refusal.code is Code.UNAUTHENTICATED:
            refusal.data.setdefault("reason", "me")
        raise


LoginOf = Annotated[Login, Depends(_login)]


@router.post("/register", status_code=201, responses=returns(encode.Profile, 201))
async def register(body: Registration, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Create an account."""
    name = body.display_name(accounts.reserved)
    verified = await accounts.register(guest, body.password, email=body.email, name=name)
    return reply(encode.profile(verified.account), 201)


@router.post("/login", responses=returns(encode.SignedIn))
async def login(body: Credentials, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Sign in."""
    verified = await accounts.check_password(guest, body.password, email=body.email)
    signed = await accounts.open_session(guest, verified)
    return reply(encode.SignedIn(signed.token, "bearer"))


@router.get("/me", responses=returns(encode.Profile))
async def me(login: Annotated[Login, Depends(_login_of_me)]) -> Response:
    """Get your own account."""
    return reply(encode.profile(login.account))


@router.get("/chats", responses=returns(list[encode.Chat]))
async def chats(login: LoginOf, chat: ChatOf) -> Response:
    """List your chats in order of id."""
    return await reply_by_pages(_chat_pages(chat, login.account.id))


async def _chat_pages(chat: Chat, by: int) -> AsyncIterator[list[encode.Chat]]:
    after = 0
    while page := await chat.rooms(by, after, PAGE_SIZE):
        after = page[-1].room.id
        yield [encode.chat(view) for view in page]


@router.post("/chats", responses=returns(encode.Chat))
async def make_chat(body: NewChat, login: LoginOf, chat: ChatOf) -> Response:
    """Create a chat with other accounts. A private chat that exists already is refused."""
    by, private = login.account.id, body.chat_type is ChatType.PRIVATE
    if private:
        _check_other(by, body.member_ids)
    if 0 in body.member_ids:
        raise ChatError(Code.NOT_FOUND, "No such account.", what="account")
    kind = Kind.DIRECT if private else Kind.GROUP
    entered = await chat.do_limited(login.actor, CreateRoom(kind, body.name, tuple(body.member_ids)))
    if not entered.new:
        raise ChatError(Code.TAKEN, "These accounts have a private chat already.", reason="private_chat")
    return reply(encode.Chat(entered.room.name, body.chat_type, entered.room.id))


def _check_other(by: int, member_ids: list[int]) -> None:
    if len(member_ids) != 1:
        raise ChatError(Code.INVALID, "A private chat has one other member.", reason="not_one")
    if member_ids == [by]:
        raise ChatError(Code.INVALID, "That is yourself.", reason="oneself")


@router.get("/chats/{chat_id}/messages", responses=returns(list[encode.StoredMessage]))
async def messages(chat_id: Id, login: LoginOf, chat: ChatOf) -> Response:
    """Get all messages of a chat, oldest first."""
    return await reply_by_pages(_pages(chat, login.account.id, chat_id))


async def _pages(chat: Chat, by: int, chat_id: int) -> AsyncIterator[list[encode.StoredMessage]]:
    after: int | None = 0
    while after is not None:
        page = await chat.history(by, chat_id, PAGE_SIZE, after=after)
        after = page.items[-1].seq if page.more_after else None
        if page.items:
            yield [encode.stored_message(message) for message in page.items]


@router.post("/chats/{chat_id}/messages", responses=returns(encode.StoredMessage))
async def send(chat_id: Id, body: NewMessage, login: LoginOf, chat: ChatOf) -> Response:
    """Send a message. The chat's WebSockets get it too."""
    client_id = body.client_message_id if body.client_message_id is not None else str(uuid4())
    sent = await chat.do(login.actor, SendMessage(chat_id, body.text, client_id))
    return reply(encode.stored_message(sent.message))


@router.get("/history/{chat_id}", responses=returns(encode.Page))
async def history(chat_id: Id, login: LoginOf, chat: ChatOf, limit: Limit = 50, offset: Offset = 0) -> Response:
    """Get a page of messages, oldest first."""
    by = login.account.id
    first, total = await chat.history_by_offset(by, chat_id, offset, limit)
    end = min(offset + limit, total)

    async def pages() -> AsyncIterator[list[encode.StoredMessage]]:
        page, at = first, offset
        while page:
            yield [encode.stored_message(message) for message in page]
            at += len(page)
            page = (await chat.history_by_offset(by, chat_id, at, end - at))[0] if at < end else []

    return await reply_by_pages(
        pages(), (b'{"items":[', b'],"total":%d,"offset":%d,"limit":%d}' % (total, offset, limit))
    )


@router.get("/health", responses=returns(encode.Health))
async def health() -> Response:
    """Check the health of the server."""
    return reply(encode.Health())
