"""Quick routes: the requests that clients send most often, answered without FastAPI.

FastAPI declares every route. It writes the OpenAPI document, validates requests and explains what is wrong with them.
For a short request this takes several times as long as the work itself. A quick route answers a request that has the
usual form. It leaves every other request to FastAPI, which answers as if there were no quick route.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send

from veche.core.actor import Actor
from veche.core.errors import ChatError
from veche.gateway.actors import guest
from veche.gateway.http import RawResponse, read_body, replay_body
from veche.wire.proxy import Trusted, client_of

MAX_DIGITS = 18  # of a number that fits into 63 bits whatever its digits are


class QuickRequest:
    """A request to a quick route. `ids` are the numbers in its path. `body` is empty if the method is GET."""

    __slots__ = ("_headers", "body", "ids", "query", "scope")

    def __init__(self, scope: Scope, ids: tuple[int, ...], body: bytes) -> None:
        self.scope = scope
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.query: bytes = scope["query_string"]
        self.ids = ids
        self.body = body

    def headers(self, name: bytes) -> list[str]:
        """Return the values of a header."""
        return [value.decode("latin-1") for key, value in self._headers if key == name]

    def header(self, name: bytes) -> str | None:
        """Return the value of a header, or None if the request does not have it exactly once."""
        found = self.headers(name)
        return found[0] if len(found) == 1 else None

    @property
    def token(self) -> str | None:
        """The bearer token, or None if the request does not have one in the usual form."""
        scheme, _, token = (self.header(b"authorization") or "").partition(" ")
        return token if scheme == "Bearer" and token.split() == [token] else None

    def guest(self, dialect: str, trusted: Trusted) -> Actor:
        """Return an actor without an account."""
        return guest(dialect, client_of(self.scope, trusted))

    def numbers(self, *names: str) -> dict[str, int] | None:
        """Return the query's parameters if all of them are numbers, and have one of these names, each once."""
        found: dict[str, int] = {}
        for part in self.query.decode("latin-1").split("&") if self.query else ():
            name, _, value = part.partition("=")
            number = _number(value)
            if name not in names or name in found or number is None:
                return None
            found[name] = number
        return found


QuickHandler: TypeAlias = Callable[[QuickRequest], Awaitable[RawResponse | None]]
"""Answers a request, or returns None to leave it to FastAPI. It may raise ChatError."""


class QuickRoute(NamedTuple):
    """A quick route of a dialect. `{}` in its path stands for an id. `refused` makes the response to a ChatError."""

    method: str
    path: str
    handler: QuickHandler
    refused: Callable[[ChatError], RawResponse]


class QuickRoutes:
    """Middleware that answers requests to quick routes. Add it first, so that it is the innermost middleware."""

    def __init__(self, app: ASGIApp, routes: Sequence[QuickRoute]) -> None:
        self._app = app
        self._routes = [(route.method, route.path.split("/"), route) for route in routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (found := self._find(scope["method"], scope["path"])) is not None:
            route, ids = found
            body = b""
            if route.method == "POST":
                if (read := await read_body(receive)) is None:
                    return
                body, receive = read, replay_body(read, receive)
            if (answer := await _answer(route, QuickRequest(scope, ids, body))) is not None:
                await _send(answer, send)
                return
        await self._app(scope, receive, send)

    def _find(self, method: str, path: str) -> tuple[QuickRoute, tuple[int, ...]] | None:
        parts = path.split("/")
        for route_method, pattern, route in self._routes:
            if method == route_method and len(parts) == len(pattern):
                ids = [_number(part) for part, wanted in zip(parts, pattern, strict=True) if wanted == "{}"]
                if all(wanted in ("{}", part) for part, wanted in zip(parts, pattern, strict=True)) and all(ids):
                    return route, tuple(id for id in ids if id)
        return None


async def _answer(route: QuickRoute, request: QuickRequest) -> RawResponse | None:
    try:
        return await route.handler(request)
    except ChatError as refusal:
        return route.refused(refusal)


async def _send(answer: RawResponse, send: Send) -> None:
    status, body, headers = answer
    lines = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    lines.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


def _number(text: str) -> int | None:
    """Return a number in its usual form: digits without a leading zero."""
    usual = text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and (text == "0" or text[0] != "0")
    return int(text) if usual else None
