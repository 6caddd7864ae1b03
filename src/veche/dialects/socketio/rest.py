"""The calls of the socketio contract."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.values import ANONYMOUS_ID, LOBBY_ID, Account
from veche.dialects.socketio import encode
from veche.dialects.socketio.errors import problem
from veche.dialects.socketio.rules import BODY, CredentialsOf
from veche.gateway.http import AccountsOf, BearerOf, ChatOf, RawResponse, authenticate, guest_of, reply, route_class
from veche.service.accounts import Accounts

SHOWN = 50
READ = 200  # notices among them are not shown
PAGE = 1000


def router_of(anonymous: bool) -> APIRouter:
    """Make the calls; with `anonymous`, reading needs no token."""
    router = APIRouter(prefix="/api", tags=["socketio"], route_class=route_class(problem, _invalid))
    guarded = [] if anonymous else [Depends(_check_token)]
    router.add_api_route("/auth/login", login, methods=["POST"], openapi_extra=BODY)
    router.add_api_route("/auth/register", register, methods=["POST"], status_code=201, openapi_extra=BODY)
    router.add_api_route("/users", users, methods=["GET"], dependencies=guarded)
    router.add_api_route("/messages", messages, methods=["GET"], dependencies=guarded)
    return router


def _invalid(error: RequestValidationError) -> RawResponse:
    return problem(ChatError(Code.BAD_REQUEST, "The request does not fit."))


GuestOf = Annotated[Actor, Depends(guest_of("socketio"))]


async def _check_token(request: Request, bearer: BearerOf) -> None:
    await authenticate(request, "socketio", bearer.credentials if bearer else "")


async def login(body: CredentialsOf, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Sign in."""
    account = await accounts.check_password(guest, body.password, username=body.username)
    return await _signed(accounts, guest, account)


async def register(body: CredentialsOf, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Make an account, and sign in."""
    account = await accounts.register(guest, body.password, username=body.username)
    return await _signed(accounts, guest, account, 201)


async def _signed(accounts: Accounts, guest: Actor, account: Account, status: int = 200) -> Response:
    signed = await accounts.open_session(guest, account)
    return reply(encode.Signed(signed.token, encode.user(account)), status)


async def users(accounts: AccountsOf) -> Response:
    """Look at who there is, by id."""
    found = await accounts.list_accounts(0, PAGE)
    while len(found) % PAGE == 0 and (page := await accounts.list_accounts(found[-1].id if found else 0, PAGE)):
        found += page
    return reply([encode.user(account) for account in found])


async def messages(chat: ChatOf) -> Response:
    """Read what was said last in the lobby, oldest first."""
    texts: list[str] = []
    before = None
    while len(texts) < SHOWN:
        page = await chat.history(ANONYMOUS_ID, LOBBY_ID, READ, before=before)  # the lobby is everybody's
        texts[:0] = [message.text for message in page.items if message.type == "text"]
        if not page.more_before:
            break
        before = page.items[0].seq
    return reply(texts[-SHOWN:])
