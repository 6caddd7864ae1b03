"""All dialects on one port: one FastAPI application for their REST, one table for their WebSockets.

Where two contracts share a path, the body says for which it is. Below `/{name}` each contract has its paths alone.
"""

import functools
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import iter_route_contexts
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from veche.gateway.dialect import Mounted, detail
from veche.gateway.http import Applications, BodyLimit, RawResponse, SafeHeaders, is_at, reply, response
from veche.gateway.openapi import TITLE, document_of
from veche.wire.handler import Accept, Routes
from veche.wire.handshake import Upgrade, UpgradeRefused

Life = Callable[[FastAPI], AbstractAsyncContextManager[dict[str, Any]]]


def web_of(dialects: Sequence[Mounted], life: Life) -> FastAPI:
    """Put the REST of all dialects together; `life` is the application's lifespan."""
    app = FastAPIOffline(title=TITLE, lifespan=life, redirect_slashes=False)
    app.openapi = functools.cache(functools.partial(document_of, dialects))  # type: ignore[method-assign]
    for dialect in dialects:
        for router in dialect.routers:
            app.include_router(router)
            app.include_router(router, prefix=f"/{dialect.name}", include_in_schema=False)
    for path in ("/healthz", "/health"):
        app.add_api_route(path, _healthz, include_in_schema=False)
    plain = _Plain(dialects)
    app.add_exception_handler(HTTPException, plain.refused)
    app.add_exception_handler(Exception, plain.broken)
    app.add_middleware(SharedPaths, dialects=dialects)
    app.add_middleware(BodyLimit, plain=plain.answer)
    app.add_middleware(SafeHeaders)
    app.add_middleware(
        CORSMiddleware, allow_origins=["*"], allow_credentials=True, allow_methods=["*"], allow_headers=["*"]
    )
    app.add_middleware(Applications, applications=_applications(dialects))
    return app


def _applications(dialects: Sequence[Mounted]) -> dict[str, ASGIApp]:
    found: dict[str, ASGIApp] = {}
    for dialect in dialects:
        found |= dialect.applications
        found |= {f"/{dialect.name}{path}": app for path, app in dialect.applications.items()}
    return found


def sockets_of(dialects: Sequence[Mounted]) -> Routes:
    """Put the WebSockets of all dialects together."""
    table: dict[str, Accept] = {}
    for dialect in dialects:
        for path, accept in dialect.sockets.items():
            table.setdefault(path, accept)
            table[f"/{dialect.name}{path}"] = accept
    plain = _Plain(dialects)

    def route(upgrade: Upgrade) -> Accept:
        parent = upgrade.path.rpartition("/")[0]
        accept = table.get(upgrade.path) or table.get(f"{parent}/*")
        if accept is None:
            status, body, headers = plain.answer(upgrade.path, 404, "Not Found")
            raise UpgradeRefused(status, body, tuple(headers.items()))
        return accept

    return route


async def _healthz() -> Response:
    return reply({"status": "ok"})


class _Plain:
    """What no route answers, in the form of the contract whose path it is, or of the only one."""

    def __init__(self, dialects: Sequence[Mounted]) -> None:
        self._dialects = dialects

    def answer(self, path: str, status: int, sentence: str) -> RawResponse:
        alone = len(self._dialects) == 1
        for dialect in self._dialects:
            if alone or any(is_at(path, own) for own in (f"/{dialect.name}", *dialect.owns)):
                return dialect.plain(status, sentence)
        return detail(status, sentence)

    async def refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status, body, headers = self.answer(request.url.path, error.status_code, str(error.detail))
        if status == 405:
            headers = {**headers, "Allow": ", ".join(sorted(_methods(request)))}
        return Response(body, status, {**(error.headers or {}), **headers})

    async def broken(self, request: Request, error: Exception) -> Response:
        return response(self.answer(request.url.path, 500, "Something went wrong here."))


def _methods(request: Request) -> set[str]:
    """Name all methods of a path, whichever contracts they are of."""
    routes = iter_route_contexts(request.app.routes)
    return {
        method for route in routes if route.path_regex.match(request.scope["path"]) for method in route.methods or ()
    }


class SharedPaths:
    """Sends a POST to a path that several dialects claim to the one for which its body is."""

    def __init__(self, app: ASGIApp, dialects: Sequence[Mounted]) -> None:
        self._app = app
        paths = {path for dialect in dialects for path in dialect.claims}
        claimants = {path: [dialect for dialect in dialects if path in dialect.claims] for path in paths}
        self._claimants = {path: found for path, found in claimants.items() if len(found) > 1}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self._claimants:
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return
        dialect = self._choose(scope["path"], body)
        if dialect is None:
            await response(_UNCLAIMED)(scope, receive, send)
            return
        path = f"/{dialect.name}{scope['path']}"
        await self._app({**scope, "path": path, "raw_path": path.encode()}, _replay(body, receive), send)

    def _choose(self, path: str, body: bytes) -> Mounted | None:
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            return None
        keys = frozenset(found) if isinstance(found, dict) else frozenset()
        return next((dialect for dialect in self._claimants[path] if dialect.claims[path](keys)), None)


_UNCLAIMED: RawResponse = (
    422,
    b'{"detail":[{"type":"missing","loc":["body"],"msg":"A JSON object with username or email, please"}]}',
    {"Content-Type": "application/json"},
)


async def _body(receive: Receive) -> bytes | None:
    """Read a body, which BodyLimit bounds; None where the client hung up before it was whole."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay
