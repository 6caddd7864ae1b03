"""The REST routes of the channels dialect, at the root and under /api/v1."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security.utils import get_authorization_scheme_param

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.dialects.channels import encode
from veche.dialects.channels.errors import invalid, problem
from veche.dialects.channels.links import ECHO_PATH, PUBLIC_PATH, Links
from veche.dialects.channels.rules import Credentials, Registration
from veche.gateway.http import AccountsOf, BearerOf, ChatOf, authenticate, guest_of, reply, reply_by_pages, route_class
from veche.gateway.openapi_answers import returns
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
    """Create an account."""
    await accounts.register(guest, body.password, username=body.username)
    return Response(status_code=201)


async def login(body: Credentials, accounts: AccountsOf, guest: GuestOf) -> Response:
    """Sign in."""
    verified = await accounts.check_password(guest, body.password, username=body.username)
    signed = await accounts.open_session(guest, verified)
    return reply(encode.SignedIn(signed.token))


async def history(login: LoginOf, chat: ChatOf) -> Response:
    """Get the lines of your closed echo conversations, in order."""
    pages = echoes.history(chat, login.actor)
    return await reply_by_pages([encode.record(line) for line in page] async for page in pages)


def link(links: Links, endpoint: str) -> Callable[..., Awaitable[Response]]:
    """Make the GET route that returns a link to the socket `endpoint`."""

    async def get(request: Request, login: LoginOf) -> Response:
        """Get a link to the socket. A client that uses the link needs no Authorization header."""
        return reply(encode.Link(links.link(login, endpoint, _host(request), _is_secure(request))))

    return get


def routers_of(links: Links) -> tuple[APIRouter, ...]:
    """Build the routes, at the root and under /api/v1."""
    # As in the original server, requests need no Content-Type.
    root = APIRouter(tags=["channels"], route_class=route_class(problem, invalid), strict_content_type=False)
    root.add_api_route("/register", register, methods=["POST"], status_code=201)
    root.add_api_route("/login", login, methods=["POST"], responses=returns(encode.SignedIn))
    root.add_api_route("/history", history, methods=["GET"], responses=returns(list[encode.Record]))
    for endpoint in (ECHO_PATH, PUBLIC_PATH):
        get, name = link(links, endpoint), endpoint.strip("/")
        root.add_api_route(endpoint, get, methods=["GET"], name=name, responses=returns(encode.Link))
    versioned = APIRouter(prefix="/api/v1")
    versioned.include_router(root)
    return root, versioned


def _host(request: Request) -> str:
    if host := request.headers.get("host"):
        return host
    name, port = request.scope["server"] or ("127.0.0.1", None)
    return f"{name}:{port}" if port else str(name)


def _is_secure(request: Request) -> bool:
    """Return whether the client uses TLS, to this server or to a trusted proxy."""
    peer = request.client.host if request.client else ""
    trusted: Trusted = request.app.state.trusted
    scheme: str = request.scope["scheme"]
    if peer in trusted:
        scheme = request.headers.get("x-forwarded-proto", scheme).partition(",")[0].strip()
    return scheme.lower() == "https"
