"""HTTP plumbing for the dialects' REST: what a route can ask for, how it answers, and how refusals become answers."""

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Annotated, Any, cast

import msgspec
from fastapi import Depends, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from veche.core.actor import Actor
from veche.core.errors import ChatError
from veche.gateway.actors import guest
from veche.service.accounts import Accounts, Login
from veche.service.chat import Chat
from veche.wire.heartbeat import Heartbeats
from veche.wire.proxy import Trusted, client_address

MAX_BODY = 65_536
DOCS = ("/docs", "/redoc")
TOO_LARGE = "Body too large."

RawResponse = tuple[int, bytes, dict[str, str]]
"""Status, body, headers."""

_encode = msgspec.json.Encoder().encode


def reply(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """RawResponse with JSON that must not be kept by caches."""
    return Response(_encode(value), status, {"Cache-Control": "no-store", **(headers or {})}, "application/json")


def raw_json(value: object, status: int, headers: dict[str, str] | None = None) -> RawResponse:
    """Make the same as status, body and headers."""
    return (
        status,
        _encode(value),
        {"Content-Type": "application/json", "Cache-Control": "no-store", **(headers or {})},
    )


async def reply_by_pages(pages: AsyncIterator[list[Any]]) -> Response:
    """Answer with a JSON array that never stands in memory as a whole, from pages of which none is empty.

    A refusal of the first ones is an answer; after that only an array that does not end can tell of it.
    """
    first = await anext(pages, None) or []
    second = await anext(pages, None)
    if second is None:
        return reply(first)

    async def array() -> AsyncIterator[bytes]:
        yield b"[" + _encode(first)[1:-1]
        page: list[Any] | None = second
        with contextlib.suppress(ChatError):
            while page is not None:
                yield b"," + _encode(page)[1:-1]
                page = await anext(pages, None)
            yield b"]"

    return StreamingResponse(array(), 200, {"Cache-Control": "no-store"}, "application/json")


def chat_of(request: Request) -> Chat:
    """Find the chat that a request is for."""
    return cast(Chat, request.app.state.chat)


def accounts_of(request: Request) -> Accounts:
    """Find the accounts that a request is for."""
    return cast(Accounts, request.app.state.accounts)


def address_of(request: Request) -> str:
    """Tell where a request comes from, behind trusted proxies too."""
    peer = request.client.host if request.client else ""
    trusted = cast(Trusted, request.app.state.trusted)
    return client_address(peer, ", ".join(request.headers.getlist("x-forwarded-for")) or None, trusted)


def heartbeats_of(request: Request) -> Heartbeats:
    """Find the heartbeats of the server that is asked."""
    return cast(Heartbeats, request.app.state.heartbeats)


def guest_of(dialect: str) -> Callable[[Request], Actor]:
    """Make a dependency: the actor of a request before anybody is signed in."""

    def of_request(request: Request) -> Actor:
        return guest(dialect, address_of(request))

    return of_request


async def authenticate(request: Request, dialect: str, token: str) -> Login:
    """Find whose token a request has; refuses as unauthenticated."""
    return await accounts_of(request).authenticate(guest(dialect, address_of(request)), token)


ChatOf = Annotated[Chat, Depends(chat_of)]
AccountsOf = Annotated[Accounts, Depends(accounts_of)]
BearerOf = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(auto_error=False, description="The token of `login`.")),
]
"""None where the request has no bearer token."""
HeartbeatsOf = Annotated[Heartbeats, Depends(heartbeats_of)]


def route_class(
    refused: Callable[[ChatError], RawResponse], invalid: Callable[[RequestValidationError], RawResponse]
) -> type[APIRoute]:
    """Make the class of a dialect's routes: whatever is refused there is answered in that dialect's own form."""

    class Route(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                try:
                    return await handle(request)
                except ChatError as refusal:
                    return response(refused(refusal))
                except RequestValidationError as error:
                    return response(invalid(error))
                except ClientDisconnect:  # gone before the body was whole: no error of ours, and nobody reads this
                    return Response(status_code=400)

            return guarded

    return Route


def response(answer: RawResponse) -> Response:
    """Make the response of an answer."""
    status, body, headers = answer
    return Response(body, status, headers)


def is_at(path: str, place: str) -> bool:
    """Tell whether a path is a place, or below it."""
    return path == place or path.startswith(f"{place}/")


class Applications:
    """Passes a request at a path of `applications`, or below it, to the application there.

    It comes as it is: CORS, bounds and headers are that application's own.
    """

    def __init__(self, app: ASGIApp, applications: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._applications = applications

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            for path, mounted in self._applications.items():
                if is_at(scope["path"], path):
                    app = mounted
        await app(scope, receive, send)


class BodyLimit:
    """Refuses bodies over 64 KiB before they are read, and a body that turns out longer while it is."""

    def __init__(self, app: ASGIApp, plain: Callable[[str, int, str], RawResponse]) -> None:
        self._app = app
        self._plain = plain  # by path: each contract has its own form

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _declared(scope) > MAX_BODY:
            await response(self._plain(scope["path"], 413, TOO_LARGE))(scope, receive, send)
            return
        size = 0

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > MAX_BODY:
                raise HTTPException(413, TOO_LARGE)
            return message

        try:
            await self._app(scope, bounded, send)
        except HTTPException:  # read by a middleware: nobody further in has answered it
            await response(self._plain(scope["path"], 413, TOO_LARGE))(scope, receive, send)


class SafeHeaders:
    """Puts on every answer what no contract minds and browsers are safer with.

    The pages of documentation may ask nobody but this server: ReDoc would fetch its maker's logo elsewhere.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "no-referrer")
                if scope["path"] in DOCS:
                    headers["Content-Security-Policy"] = "default-src 'self' 'unsafe-inline' data: blob:"
            await send(message)

        await self._app(scope, receive, safe if scope["type"] == "http" else send)


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
