"""Serves all dialects on one port: one FastAPI application for their REST, one routing table for their WebSockets.

Every dialect is served at the root and again below `/{name}`. If two dialects use the same path at the root, the
request body decides which of them answers.
"""

import functools
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import iter_route_contexts
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from veche.core.errors import ChatError, Code
from veche.gateway.dialect import Mounted, detail
from veche.gateway.fairness import OfAccounts, in_turn
from veche.gateway.http import (
    Applications,
    BodyLimit,
    Cors,
    HeadAsGet,
    RawResponse,
    SafeHeaders,
    is_under,
    raw_json,
    read_body,
    replay_body,
    reply,
    response,
)
from veche.gateway.openapi import TITLE, document_of
from veche.gateway.quick import QuickRoute, QuickRoutes
from veche.gateway.rate_limits import RateLimitHeaders
from veche.service.guests import Guests
from veche.service.shares import Shares
from veche.wire.handler import Accept, Routes
from veche.wire.handshake import Upgrade, UpgradeRefused
from veche.wire.origins import Origins
from veche.wire.proxy import Trusted
from veche.wire.request_id import HEADER as REQUEST_ID
from veche.wire.request_id import new_request_id

logger = logging.getLogger("veche.http")

REDOC_SCRIPT = "/static-offline-docs/redoc.standalone.js"
HEALTH = ("/healthz", "/health")
READY = "/readyz"
REDOC_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[dict[str, Any]]]


def build_application(
    dialects: Sequence[Mounted],
    lifespan: Lifespan,
    origins: Origins,
    trusted: Trusted,
    guests: Guests,
    account_of: Callable[[str], int | None],
    shares: Shares,
    problem: Callable[[], str | None],
    *,
    docs: bool = True,
) -> FastAPI:
    """Build the application that serves the REST of all dialects, the health checks, and with `docs` the documentation.

    Pages of `origins` may read the answers. `trusted` are the proxies whose headers are used. `account_of`
    returns the account of a token, if somebody has signed in with it; other requests take turns as those of `guests`.
    `problem` returns why the node should get no clients now, or None.
    """
    app = _new_app(dialects, lifespan, docs=docs)
    _add_routes(app, dialects)
    _add_health_checks(app, problem)
    errors = _ErrorResponses(dialects)
    app.add_exception_handler(HTTPException, errors.on_http_exception)
    app.add_exception_handler(Exception, errors.on_bug)
    app.add_middleware(QuickRoutes, routes=_quick_routes(dialects))
    app.add_middleware(SharedPaths, dialects=dialects)
    app.add_middleware(BodyLimit, error_response=errors.make, streamed=_streamed(dialects))
    of_request = partial(_account_of_request, account_of)
    app.add_middleware(
        OfAccounts, guests=guests, shares=shares, trusted=trusted, account_of=of_request, needs_no_turn=_is_health_check
    )
    app.add_middleware(RateLimitHeaders)
    app.add_middleware(SafeHeaders)
    app.add_middleware(Cors, origins=origins, trusted=trusted)
    scripts = {REDOC_SCRIPT: _redoc_script} if docs else {}
    app.add_middleware(Applications, applications=_applications(dialects) | scripts)
    app.add_middleware(HeadAsGet)
    return app


def prepare_routes(app: FastAPI) -> None:
    """Let FastAPI prepare all routes now. Otherwise the first request does it, and holds the loop for 40 ms."""
    for route in app.router.routes:
        route.matches({"type": "http", "method": "GET", "path": "/nothing", "root_path": "", "headers": []})


def _add_routes(app: FastAPI, dialects: Sequence[Mounted]) -> None:
    """Add the routes of each dialect, at their own paths and below its name."""
    for dialect in dialects:
        for router in dialect.routers:
            app.include_router(router)
            app.include_router(router, prefix=f"/{dialect.name}", include_in_schema=False)


def _add_health_checks(app: FastAPI, problem: Callable[[], str | None]) -> None:
    async def readyz() -> Response:
        found = problem()
        return reply({"status": "ok"}) if found is None else reply({"status": found}, 503)

    for path in HEALTH:
        app.add_api_route(path, _healthz, include_in_schema=False)
    app.add_api_route(READY, readyz, include_in_schema=False)


def _add_pages(app: FastAPI, dialects: Sequence[Mounted]) -> None:
    """Add the pages that dialects have in the documentation, apart from those of OpenAPI."""

    def answer(make: Callable[[], bytes], media: str) -> Response:
        return Response(make(), media_type=media)

    for dialect in dialects:
        for path, (make, media) in dialect.pages.items():
            app.add_api_route(path, partial(answer, make, media), include_in_schema=False)


def _new_app(dialects: Sequence[Mounted], lifespan: Lifespan, *, docs: bool) -> FastAPI:
    if not docs:
        return FastAPI(title=TITLE, lifespan=lifespan, redirect_slashes=False, openapi_url=None)
    app = FastAPIOffline(title=TITLE, lifespan=lifespan, redirect_slashes=False)
    app.openapi = functools.cache(partial(document_of, dialects))  # type: ignore[method-assign]
    _add_pages(app, dialects)
    return app


def _is_health_check(scope: Scope) -> bool:
    return scope["path"] in HEALTH or scope["path"] == READY


def _account_of_request(account_of: Callable[[str], int | None], scope: Scope) -> int | None:
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    return account_of(found[0].decode("latin-1").removeprefix("Bearer ")) if found else None


def _quick_routes(dialects: Sequence[Mounted]) -> list[QuickRoute]:
    return [
        route._replace(path=f"{prefix}{route.path}")
        for dialect in dialects
        for route in dialect.quick
        for prefix in ("", f"/{dialect.name}")
    ]


def _streamed(dialects: Sequence[Mounted]) -> set[str]:
    return {
        f"{prefix}{path}" for dialect in dialects for path in dialect.streamed for prefix in ("", f"/{dialect.name}")
    }


def _applications(dialects: Sequence[Mounted]) -> dict[str, ASGIApp]:
    found: dict[str, ASGIApp] = {}
    for dialect in dialects:
        found |= dialect.applications
        found |= {f"/{dialect.name}{path}": app for path, app in dialect.applications.items()}
    return found


def websocket_routes(dialects: Sequence[Mounted], guests: Guests) -> Routes:
    """Return a function that finds the dialect for an upgrade. Upgrades take turns as requests of `guests`.

    The function raises UpgradeRefused with status 404 if no dialect serves the path.
    """
    find = _socket_finder(dialects)
    errors = _ErrorResponses(dialects)

    def route(upgrade: Upgrade) -> Accept:
        accept = find(upgrade.path)
        if accept is None:
            status, body, headers = errors.make(upgrade.path, 404, "Not Found")
            raise UpgradeRefused(status, body, tuple(headers.items()))
        return in_turn(guests, accept)

    return route


def _socket_finder(dialects: Sequence[Mounted]) -> Callable[[str], Accept | None]:
    """Return a function that finds the WebSocket at a path, or None."""
    table: dict[str, Accept] = {}
    for dialect in dialects:
        for path, accept in dialect.sockets.items():
            table.setdefault(path, accept)
            table[f"/{dialect.name}{path}"] = accept
    return lambda path: table.get(path) or table.get(f"{path.rpartition('/')[0]}/*")


async def _redoc_script(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve ReDoc without the address of its logo, which is on a server of somebody else."""
    headers = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    await Response(_redoc_text(), 200, headers, "text/javascript")(scope, receive, send)


@functools.cache
def _redoc_text() -> bytes:
    """Return the script, which has a megabyte. It is read once, when somebody first opens the page."""
    script = (files("fastapi_offline") / "static" / "redoc.standalone.js").read_bytes()
    return script.replace(REDOC_LOGO, b"data:,")


async def _healthz() -> Response:
    return reply({"status": "ok"})


class _ErrorResponses:
    """Makes responses to errors that no route handles: an unknown path, a wrong method, a body over the limit, a bug.

    The response has the format of the dialect that owns the path. If only one dialect is served, it has its format.
    """

    def __init__(self, dialects: Sequence[Mounted]) -> None:
        self._dialects = dialects
        self._find_socket = _socket_finder(dialects)

    def make(self, path: str, status: int, sentence: str) -> RawResponse:
        owner = self._owner(path)
        return owner.plain(status, sentence) if owner else detail(status, sentence)

    def _owner(self, path: str) -> Mounted | None:
        is_only_one = len(self._dialects) == 1
        for dialect in self._dialects:
            if is_only_one or any(is_under(path, own) for own in (f"/{dialect.name}", *dialect.owns)):
                return dialect
        return None

    async def on_http_exception(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if (
            error.status_code == 404
            and request.method == "GET"
            and self._find_socket(request.scope["path"]) is not None
        ):
            return self._upgrade_required(request.scope["path"])
        status, body, headers = self.make(request.url.path, error.status_code, str(error.detail))
        if status == 405:
            headers = {**headers, "Allow": ", ".join(sorted(_allowed_methods(request)))}
        return Response(body, status, {**(error.headers or {}), **headers})

    def _upgrade_required(self, path: str) -> Response:
        """Answer a request to a WebSocket without an upgrade. A proxy that does not pass upgrades on causes it."""
        status, body, headers = self.make(path, 426, "Upgrade Required")
        return Response(body, status, {**headers, "Upgrade": "websocket", "Connection": "Upgrade"})

    async def on_bug(self, request: Request, error: Exception) -> Response:
        """Log a bug with an id, and answer with this id. Starlette raises the error again; `Watch` takes it."""
        id = new_request_id()
        values = (request.method, request.url.path, id)
        logger.error("%s %s (request %s) failed", *values, exc_info=error, extra={"fields": {"request_id": id}})
        refusal = ChatError(Code.INTERNAL, "Something went wrong here.", request_id=id)
        owner = self._owner(request.url.path)
        status, body, headers = owner.problem(refusal) if owner else detail(500, refusal.message)
        return Response(body, status, {**headers, REQUEST_ID: id, "Connection": "close"})


def _allowed_methods(request: Request) -> set[str]:
    """Return the methods that any dialect serves at the path of a request."""
    routes = iter_route_contexts(request.app.routes)
    return {
        method for route in routes if route.path_regex.match(request.scope["path"]) for method in route.methods or ()
    }


class SharedPaths:
    """Middleware for paths that several dialects serve. It passes a POST to the dialect that its body is meant for.

    The middleware puts `/{name}` before the path. Only that dialect serves the resulting path.
    """

    def __init__(self, app: ASGIApp, dialects: Sequence[Mounted]) -> None:
        self._app = app
        paths = {path for dialect in dialects for path in dialect.claims}
        claimants = {path: [dialect for dialect in dialects if path in dialect.claims] for path in paths}
        self._claimants = {path: found for path, found in claimants.items() if len(found) > 1}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self._claimants:
            await self._app(scope, receive, send)
            return
        body = await read_body(receive)
        if body is None:
            return
        try:
            dialect = self._choose(scope["path"], body)
        except (ValueError, RecursionError) as error:
            await response(_unreadable(error))(scope, receive, send)
            return
        if dialect is None:
            await response(_NO_DIALECT)(scope, receive, send)
            return
        path = f"/{dialect.name}{scope['path']}"
        await self._app({**scope, "path": path, "raw_path": path.encode()}, replay_body(body, receive), send)

    def _choose(self, path: str, body: bytes) -> Mounted | None:
        """Return the dialect that answers a body, or None. Raises ValueError or RecursionError if it is not JSON."""
        found = json.loads(body) if body else None
        fields = frozenset(found) if isinstance(found, dict) else frozenset()
        return next((dialect for dialect in self._claimants[path] if dialect.claims[path](fields)), None)


_NO_DIALECT: RawResponse = (
    422,
    b'{"detail":[{"type":"missing","loc":["body"],"msg":"A JSON object with username or email, please"}]}',
    {"Content-Type": "application/json"},
)


def _unreadable(error: Exception) -> RawResponse:
    """Make the response to a body that is not JSON, as FastAPI makes it. No dialect can be told from such a body."""
    at, reason = (error.pos, error.msg) if isinstance(error, json.JSONDecodeError) else (0, "Not readable")
    detail = {"type": "json_invalid", "loc": ["body", at], "msg": "JSON decode error", "ctx": {"error": reason}}
    return raw_json({"detail": [detail]}, 422)
