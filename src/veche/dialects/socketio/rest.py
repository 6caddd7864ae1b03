"""The REST routes of the socketio dialect."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.values import ANONYMOUS_ID, LOBBY_ID
from veche.dialects.socketio import encode
from veche.dialects.socketio.errors import problem
from veche.dialects.socketio.rules import NEW_ACCOUNT, SIGN_IN, CredentialsOf
from veche.gateway.http import (
    AccountsOf,
    BearerOf,
    ChatOf,
    RawResponse,
    authenticate,
    guest_of,
    reply,
    reply_by_pages,
    route_class,
)
from veche.gateway.lines import text_with_files
from veche.gateway.openapi_answers import returns, returns_text
from veche.service.accounts import Accounts, Verified

MAX_SHOWN = 50
MAX_PAGES = 20  # so a lobby in which very many messages were deleted may show fewer
READ_AT_ONCE = 200  # more than MAX_SHOWN, because some of the messages may be notices, which are not shown
PAGE_SIZE = 1000
PART = 65_536  # characters


def router_of(anonymous: bool) -> APIRouter:
    """Build the routes. If `anonymous` is true, the GET routes need no token."""
    router = APIRouter(prefix="/api", tags=["socketio"], route_class=route_class(problem, _invalid))
    token_check = [Depends(_admit_anybody if anonymous else _check_token)]
    not_json = returns_text(400)
    signed_in, registered = returns(encode.SignedIn, 200) | not_json, returns(encode.SignedIn, 201) | not_json
    router.add_api_route("/auth/login", login, methods=["POST"], openapi_extra=SIGN_IN, responses=signed_in)
    router.add_api_route(
        "/auth/register", register, methods=["POST"], status_code=201, openapi_extra=NEW_ACCOUNT, responses=registered
    )
    of_users, of_messages = returns(list[encode.User]), returns(list[str])
    router.add_api_route("/users", users, methods=["GET"], dependencies=token_check, responses=of_users)
    router.add_api_route("/messages", messages, methods=["GET"], dependencies=token_check, responses=of_messages)
    return router


def _invalid(error: RequestValidationError) -> RawResponse:
    return problem(ChatError(Code.BAD_REQUEST, "The request does not fit."))


GuestOf = Annotated[Actor, Depends(guest_of("socketio"))]


async def _check_token(request: Request, bearer: BearerOf) -> None:
    login = await authenticate(request, "socketio", bearer.credentials if bearer else "")
    request.state.reader = login.actor


async def _admit_anybody(request: Request, guest: GuestOf) -> None:
    request.state.reader = guest


async def _reader(request: Request) -> Actor:
    """Return who reads: an account, or a guest. Called after one of the functions above."""
    found: Actor = request.state.reader
    return found


ReaderOf = Annotated[Actor, Depends(_reader)]


async def login(body: CredentialsOf, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Sign in."""
    verified = await accounts.check_password(guest, body.password, username=body.username)
    return await _sign_in(accounts, guest, verified)


async def register(body: CredentialsOf, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Create an account and sign in."""
    verified = await accounts.register(guest, body.password, username=body.username)
    return await _sign_in(accounts, guest, verified, 201)


async def _sign_in(accounts: Accounts, guest: Actor, verified: Verified, status: int = 200) -> Response:
    signed = await accounts.open_session(guest, verified)
    return reply(encode.SignedIn(signed.token, encode.user(verified.account)), status)


async def users(accounts: AccountsOf, reader: ReaderOf) -> Response:
    """List all accounts in order of id."""
    found = await accounts.list_accounts(reader.party, 0, PAGE_SIZE)
    while len(found) % PAGE_SIZE == 0 and (
        page := await accounts.list_accounts(reader.party, found[-1].id if found else 0, PAGE_SIZE)
    ):
        found += page
    return reply([encode.user(account) for account in found])


async def messages(chat: ChatOf, reader: ReaderOf) -> Response:
    """Get the texts of the last 50 messages in the lobby, oldest first."""
    texts: list[str] = []
    before = None
    for _ in range(MAX_PAGES):
        # Everybody may read the lobby.
        page = await chat.history(ANONYMOUS_ID, LOBBY_ID, READ_AT_ONCE, before=before, party=reader.party)
        texts[:0] = [text_with_files(message) for message in page.items if message.is_line]
        if len(texts) >= MAX_SHOWN or not page.more_before:
            break
        before = page.items[0].seq
    return await reply_by_pages(_parts(texts[-MAX_SHOWN:]))


async def _parts(texts: list[str]) -> AsyncIterator[list[str]]:
    """Yield the texts in parts, each of which ends once it has more than PART characters."""
    part: list[str] = []
    size = 0
    for text in texts:
        part.append(text)
        size += len(text)
        if size > PART:
            yield part
            part, size = [], 0
    if part:
        yield part
