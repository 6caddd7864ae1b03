"""HTTP for the REST of all dialects: dependencies of routes, JSON responses, refusals, and middleware."""

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from typing import Annotated, Any, cast

import msgspec
from fastapi import Depends, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.gateway.actors import guest
from veche.gateway.fairness import COUNTED, OLDER, Patience, draw
from veche.gateway.rate_limits import HEADERS as RATE_LIMITS
from veche.service.accounts import Accounts, Login
from veche.service.chat import Chat
from veche.service.files import Files
from veche.service.people import People
from veche.service.refreshing import Refreshing
from veche.service.search import Search
from veche.wire.handler import SIGNED_IN
from veche.wire.heartbeat import Heartbeats
from veche.wire.origins import Origins
from veche.wire.proxy import Trusted, client_of, peer_of
from veche.wire.request_id import HEADER as REQUEST_ID

MAX_BODY = 65_536
DOCS = ("/docs", "/docs/socket", "/redoc")
DOCS_CSP = "default-src 'self' 'unsafe-inline' data: blob:; base-uri 'none'; frame-ancestors 'none'"
TOO_LARGE = "Body too large."
_HEAD = "veche.head"
NO_STORE = {"Cache-Control": "no-store"}

RawResponse = tuple[int, bytes, dict[str, str]]
"""Status, body, headers."""

_encode = msgspec.json.Encoder().encode


def reply(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Make a JSON response that caches must not store."""
    return Response(_encode(value), status, {**NO_STORE, **(headers or {})}, "application/json")


def raw_json(value: object, status: int, headers: dict[str, str] | None = None) -> RawResponse:
    """Make the same response as `reply`, but as status, body and headers."""
    return (
        status,
        _encode(value),
        {"Content-Type": "application/json", **NO_STORE, **(headers or {})},
    )


async def reply_by_pages(pages: AsyncIterator[list[Any]], around: tuple[bytes, bytes] = (b"[", b"]")) -> Response:
    """Make a response that streams a JSON array page by page. No page may be empty.

    `around` is what stands before and after the members of the array: its brackets, and what is around them.

    If one of the first two pages raises ChatError, the ChatError is raised here. If a later page raises ChatError, the
    array ends without its closing bracket, because the status has already been sent.
    """
    before, after = around
    first = before + _encode(await anext(pages, None) or [])[1:-1]
    second = await anext(pages, None)
    if second is None:
        return Response(first + after, 200, NO_STORE, "application/json")

    async def array() -> AsyncIterator[bytes]:
        yield first
        page: list[Any] | None = second
        with contextlib.suppress(ChatError):
            while page is not None:
                yield b"," + _encode(page)[1:-1]
                page = await anext(pages, None)
            yield after

    return StreamingResponse(array(), 200, NO_STORE, "application/json")


# FastAPI runs a dependency that is not `async` in a thread of its own. So all of these are.


async def chat_of(request: Request) -> Chat:
    return cast(Chat, request.app.state.chat)


async def accounts_of(request: Request) -> Accounts:
    return cast(Accounts, request.app.state.accounts)


def address_of(request: Request) -> str:
    """Return the IP address of the client. X-Forwarded-For is used only if the peer is a trusted proxy."""
    return client_of(request.scope, cast(Trusted, request.app.state.trusted))


async def people_of(request: Request) -> People:
    return cast(People, request.app.state.people)


async def refreshing_of(request: Request) -> Refreshing:
    return cast(Refreshing, request.app.state.refreshing)


async def heartbeats_of(request: Request) -> Heartbeats:
    """Return the heartbeats of the server that handles a request."""
    return cast(Heartbeats, request.app.state.heartbeats)


async def search_of(request: Request) -> Search:
    """Return the search of the server that handles a request. Raises ChatError (NOT_FOUND) if it is switched off."""
    if (found := request.app.state.search) is None:
        raise ChatError(Code.NOT_FOUND, "This server has no search. Its operator has to switch it on.")
    return cast(Search, found)


async def files_of(request: Request) -> Files:
    """Return the files of the server that handles a request. Raises ChatError (NOT_FOUND) if it takes none."""
    if (found := request.app.state.files) is None:
        raise ChatError(Code.NOT_FOUND, "This server takes no files. Its operator has to say where they are stored.")
    return cast(Files, found)


async def file_bytes_of(request: Request) -> int:
    """Return how many bytes a file may have. 0: the server takes none."""
    files = cast("Files | None", request.app.state.files)
    return 0 if files is None else files.most_bytes


def guest_of(dialect: str) -> Callable[[Request], Coroutine[Any, Any, Actor]]:
    """Return a dependency that makes an actor without an account for a request."""

    async def of_request(request: Request) -> Actor:
        return guest(dialect, address_of(request))

    return of_request


async def authenticate(request: Request, dialect: str, token: str, patience: Patience = OLDER) -> Login:
    """Return the login of a token, and count the request for the share of the account.

    Raises ChatError: UNAUTHENTICATED if the token is not valid, or RATE_LIMITED (`fairness.draw`).
    """
    accounts = await accounts_of(request)
    login = await accounts.authenticate(guest(dialect, address_of(request)), token)
    signed_in(request.scope, login)
    await draw((await chat_of(request)).shares, login.actor, patience)
    return login


def signed_in(scope: Mapping[str, Any], login: Login) -> None:
    """Count the connection of a request as one of the account, and no more as a guest of its address.

    Call `draw` next, which counts the request itself.
    """
    extensions = scope.get("extensions", {})
    extensions[COUNTED] = True
    tell = extensions.get(SIGNED_IN)
    if tell is not None:
        tell(login.account.id)


ChatOf = Annotated[Chat, Depends(chat_of)]
SearchOf = Annotated[Search, Depends(search_of)]
FilesOf = Annotated[Files, Depends(files_of)]
FileBytesOf = Annotated[int, Depends(file_bytes_of)]
AccountsOf = Annotated[Accounts, Depends(accounts_of)]
BearerOf = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(auto_error=False, description="The token of `login`.")),
]
"""None if the request has no bearer token."""
PeopleOf = Annotated[People, Depends(people_of)]
RefreshingOf = Annotated[Refreshing, Depends(refreshing_of)]
HeartbeatsOf = Annotated[Heartbeats, Depends(heartbeats_of)]


def route_class(
    refused: Callable[[ChatError], RawResponse], invalid: Callable[[RequestValidationError], RawResponse]
) -> type[APIRoute]:
    """Return the route class of a dialect. It turns refusals and validation errors into that dialect's responses."""

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
                except ClientDisconnect:  # the client is gone: not a server error, and nobody reads this response
                    return Response(status_code=400)

            return guarded

    return Route


def response(answer: RawResponse) -> Response:
    status, body, headers = answer
    return Response(body, status, headers)


def is_under(path: str, prefix: str) -> bool:
    """Return whether a path is `prefix` or below it."""
    return path == prefix or path.startswith(f"{prefix}/")


async def read_body(receive: Receive) -> bytes | None:
    """Read a whole body (BodyLimit bounds its size). Return None if the client disconnects before the end."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def replay_body(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives this body again."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


class Applications:
    """Middleware that passes requests below the paths in `applications` to the applications mounted there.

    Add it last, so that it is the outermost middleware: the mounted application does CORS, body limits and headers.
    """

    def __init__(self, app: ASGIApp, applications: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._applications = applications

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            for path, mounted in self._applications.items():
                if is_under(scope["path"], path):
                    app = mounted
        await app(scope, receive, send)


class BodyLimit:
    """Middleware that refuses bodies over 64 KiB: by Content-Length at once, otherwise while the body is read.

    `error_response` makes the response from path, status and text, in the format of the dialect. `streamed` are paths
    whose routes do not keep a body, and limit it themselves.
    """

    def __init__(
        self,
        app: ASGIApp,
        error_response: Callable[[str, int, str], RawResponse],
        streamed: Collection[str] = (),
    ) -> None:
        self._app = app
        self._error_response = error_response
        self._streamed = frozenset(streamed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._streamed:
            await self._app(scope, receive, send)
            return
        if _content_length(scope) > MAX_BODY:
            await response(self._error_response(scope["path"], 413, TOO_LARGE))(scope, receive, send)
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
        except HTTPException:  # a middleware read the body, so no exception handler of FastAPI has caught this
            await response(self._error_response(scope["path"], 413, TOO_LARGE))(scope, receive, send)


def is_head(request: Request) -> bool:
    """Return whether nobody will get the body of the response."""
    return _HEAD in request.scope


class HeadAsGet:
    """Middleware that answers HEAD as GET, without the body. Proxies check with HEAD whether a server is up.

    uvicorn sends no body, because it sees the method of the request. A route with a large body asks `is_head` first.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET", _HEAD: True}
        await self._app(scope, receive, send)


class Cors(CORSMiddleware):
    """Middleware that lets pages of the allowed origins read the answers.

    They may read how long they have to wait, and the id of a bug.
    """

    def __init__(self, app: ASGIApp, origins: Origins, trusted: Trusted) -> None:
        super().__init__(
            app,
            allow_origins=["*"] if origins.listed is None else sorted(origins.listed),
            allow_credentials=True,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Retry-After", *RATE_LIMITS, REQUEST_ID],
        )
        self._origins = origins
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._origins.listed is not None:
            self._log_if_refused(scope)
        await super().__call__(scope, receive, send)

    def _log_if_refused(self, scope: Scope) -> None:
        """Log a page that may not read the answer. It is answered all the same: the token decides, not the origin."""
        headers, from_proxy = Request(scope).headers, peer_of(scope) in self._trusted
        self._origins.allow(headers.get, from_proxy=from_proxy, client=client_of(scope, self._trusted))


class SafeHeaders:
    """Middleware that adds security headers to every response. No contract forbids these headers.

    The documentation pages may load nothing from other servers, and no page may show them in a frame.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "no-referrer")
                if scope["path"] in DOCS:
                    headers["Content-Security-Policy"] = DOCS_CSP
                    headers["X-Frame-Options"] = "DENY"
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
