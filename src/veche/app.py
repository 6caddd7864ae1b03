"""Builds every part and joins them: the only file that sees all.

The strangers meet here by callbacks: the writer announces to the bus, the bus tells the hub, the hub pulls from the
reader.
"""

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException

from veche import __version__
from veche.bus.memory import MemoryBus
from veche.core.rooms import LogId
from veche.dialects.messenger import rest as messenger_rest
from veche.dialects.messenger import socket as messenger_socket
from veche.dialects.native import errors as native_errors
from veche.dialects.native import page, rest
from veche.dialects.native.socket import Accept
from veche.hub.hub import Hub
from veche.service.accounts import Accounts
from veche.service.chat import Chat
from veche.service.limits import LoginLimits
from veche.service.passwords import Passwords
from veche.service.tokens import Tokens
from veche.settings import Settings
from veche.storage import read
from veche.storage.database import Database
from veche.storage.reader import Reader
from veche.storage.writer import Writer
from veche.wire.handshake import Upgrade
from veche.wire.heartbeat import Heartbeats
from veche.wire.http import Answer, BodyLimit, SafeHeaders, reply
from veche.wire.proxy import Trusted
from veche.wire.session import WIRE, Wire
from veche.wire.session import Accept as AcceptSocket

log = logging.getLogger("veche")

COMPARE_SECONDS = 1.0  # how often heads are held against the database: bounds how late a lost announcement is found
COMPARE_AT_ONCE = 2000


class Server:
    """All parts of one running server."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.bus = MemoryBus()
        self.reader = Reader(database)
        self.writer = Writer(database, self.bus.publish)
        self.hub = Hub(self._pull, self._heads)
        self.bus.subscribe(self.hub.deliver)
        self.chat = Chat(self.writer, self.reader, self.hub)
        self.passwords = Passwords()
        self.accounts = self._accounts()
        self.heartbeats = Heartbeats(settings.ping_seconds, settings.pong_seconds, settings.stall_seconds)
        self.trusted = Trusted.parse(settings.trusted_proxies)
        self.app = self._app()

    def _accounts(self) -> Accounts:
        settings = self.settings
        return Accounts(
            self.chat,
            Tokens({"1": settings.secret or kept_secret(self.database.path)}),
            self.passwords,
            LoginLimits(settings.wrong_logins_per_minute, settings.logins_per_minute),
            {"native": settings.native_token_seconds, "messenger": settings.messenger_token_seconds},
        )

    def _app(self) -> FastAPI:
        app = FastAPIOffline(title="Veche", version=__version__, lifespan=self._life)
        app.state.chat, app.state.accounts, app.state.trusted = self.chat, self.accounts, self.trusted
        for router in (page.router, rest.router, messenger_rest.router):
            app.include_router(router)
        app.add_api_route("/healthz", _healthz, include_in_schema=False)
        app.add_exception_handler(HTTPException, _http_error)
        app.add_exception_handler(Exception, _bug)
        app.add_middleware(BodyLimit, too_large=lambda path: _plain(path, 413, "The body is too large."))
        app.add_middleware(SafeHeaders)
        app.add_middleware(
            CORSMiddleware, allow_origins=["*"], allow_credentials=True, allow_methods=["*"], allow_headers=["*"]
        )
        return app

    @contextlib.asynccontextmanager
    async def _life(self, app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        self.writer.start()
        self.heartbeats.start()
        comparing = asyncio.create_task(self._compare_heads())
        try:
            yield {WIRE: self._wire()}
        finally:
            comparing.cancel()
            self.heartbeats.stop()
            await self.writer.stop()
            self.reader.stop()
            self.passwords.stop()
            self.database.close()

    def _wire(self) -> Wire:
        routes: dict[str, AcceptSocket] = {  # a last segment of * stands for any one
            "/v1/socket": Accept(self.chat, self.accounts),
            "/ws/*": messenger_socket.Accept(self.chat, self.accounts),
        }

        def route(upgrade: Upgrade) -> AcceptSocket | None:
            parent = upgrade.path.rpartition("/")[0]
            return routes.get(upgrade.path) or routes.get(f"{parent}/*")

        origins = frozenset(self.settings.origins) or None
        return Wire(route, self.heartbeats, self.trusted, origins)

    def _pull(self, reply: Callable[[Any], None], log_id: LogId, after: int, upto: int, limit: int) -> None:
        self.reader.call(reply, read.entries, log_id, after, upto, limit)

    def _heads(self, reply: Callable[[Any], None], log_ids: Sequence[LogId]) -> None:
        self.reader.call(reply, read.heads, log_ids)

    async def _compare_heads(self) -> None:
        while True:
            await asyncio.sleep(COMPARE_SECONDS)
            logs = self.hub.logs()
            for start in range(0, len(logs), COMPARE_AT_ONCE):
                with contextlib.suppress(Exception):  # a database that cannot be read now is read a second later
                    heads = await self.reader.read(read.heads, logs[start : start + COMPARE_AT_ONCE])
                    self.hub.compare(heads.items())


async def _healthz() -> Response:
    return reply({"status": "ok"})


def _plain(path: str, status: int, detail: str) -> Answer:
    """Answer for what no route of a contract answers, in the form of the contract whose path it is."""
    if path.startswith("/v1/"):
        return native_errors.plain(status, detail)
    return status, reply({"detail": detail}).body, {"Content-Type": "application/json"}  # type: ignore[return-value]


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status, body, headers = _plain(request.url.path, error.status_code, str(error.detail))
    return Response(body, status, {**headers, **(error.headers or {})})


async def _bug(request: Request, error: Exception) -> Response:
    status, body, headers = _plain(request.url.path, 500, "Something went wrong here.")
    return Response(body, status, headers)


def kept_secret(database: Path) -> str:
    """Read the secret kept beside the database, readable by its owner alone; make it at the first start."""
    path = database.with_name(f"{database.name}.secret")
    with contextlib.suppress(FileExistsError):
        file = os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii")
        with file:
            file.write(secrets.token_hex(32))
    return path.read_text(encoding="ascii").strip()
