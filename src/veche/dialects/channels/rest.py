"""The calls of the channels contract, at the root and below /api/v1."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security.utils import get_authorization_scheme_param

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.dialects.channels import encode
from veche.dialects.channels.errors import invalid, problem
from veche.dialects.channels.links import ECHO, PUBLIC, Links
from veche.dialects.channels.rules import Credentials, Registration
from veche.gateway.http import AccountsOf, BearerOf, ChatOf, authenticate, guest_of, reply, reply_by_pages, route_class
from veche.service import echoes
from veche.service.accounts import Login
from veche.wire.proxy import Trusted

GuestOf = Annotated[Actor, Depends(guest_of("channels"))]


async def _login(request: Request, bearer: BearerOf) -> Login:
    if bearer is None:
        scheme, credentials = get_authorization_scheme_param(request.headers.get("authorization"))
        reason = "scheme" if scheme and credentials else "missing"
        raise ChatError(Code.FORBIDDEN, "There is no bearer token.", reason=reason)
    return await authenticate(request, "channels", bearer.credentials)


LoginOf = Annotated[Login, Depends(_login)]


async def register(body: Registration, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Make an account."""
    await accounts.register(guest, body.password, username=body.username)
    return Response(status_code=201)


async def login(body: Credentials, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Sign in."""
    account = await accounts.check_password(guest, body.password, username=body.username)
    signed = await accounts.open_session(guest, account)
    return reply({"token": signed.token})


async def history(login: LoginOf, chat: ChatOf) -> Response:
    """Read one's conversations with the echo that are over, one after another."""
    pages = echoes.history(chat, login.actor)
    return await reply_by_pages([encode.record(line) for line in page] async for page in pages)


def link(links: Links, channel: str) -> Callable[..., Awaitable[Response]]:
    """Make the call that answers with the link to a channel."""

    async def get(request: Request, login: LoginOf) -> Response:
        """Get the link to one's channel; it connects as it is."""
        return reply({"link": links.link(login, channel, _host(request), _is_secure(request))})

    return get


def routers_of(links: Links) -> tuple[APIRouter, ...]:
    """Make the calls at both spellings."""
    # Clients that say no Content-Type were understood by the original's FastAPI, so they are here.
    root = APIRouter(tags=["channels"], route_class=route_class(problem, invalid), strict_content_type=False)
    root.add_api_route("/register", register, methods=["POST"], status_code=201)
    root.add_api_route("/login", login, methods=["POST"])
    root.add_api_route("/history", history, methods=["GET"])
    for channel in (ECHO, PUBLIC):
        root.add_api_route(channel, link(links, channel), methods=["GET"], name=channel.strip("/"))
    versioned = APIRouter(prefix="/api/v1")
    versioned.include_router(root)
    return root, versioned


def _host(request: Request) -> str:
    if host := request.headers.get("host"):
        return host
    name, port = request.scope["server"] or ("127.0.0.1", None)
    return f"{name}:{port}" if port else str(name)


def _is_secure(request: Request) -> bool:
    """Tell whether the client came by TLS, to us or to a proxy whose word counts."""
    peer = request.client.host if request.client else ""
    trusted: Trusted = request.app.state.trusted
    scheme: str = request.scope["scheme"]
    if peer in trusted:
        scheme = request.headers.get("x-forwarded-proto", scheme).partition(",")[0].strip()
    return scheme.lower() == "https"
