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

from fastapi import FastAPI

from veche.bus.memory import MemoryBus
from veche.core.rooms import LOBBY_ID, LogId
from veche.dialects.messenger import door as messenger
from veche.dialects.native import door as native
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
from veche.wire.door import Door, Parts
from veche.wire.heartbeat import Heartbeats
from veche.wire.proxy import Trusted
from veche.wire.session import WIRE, Wire
from veche.wire.web import sockets_of, web_of

log = logging.getLogger("veche")

COMPARE_SECONDS = 1.0  # how often heads are held against the database: bounds how late a lost announcement is found
COMPARE_AT_ONCE = 2000


DOORS: dict[str, Callable[[Parts], Door]] = {"native": native.door, "messenger": messenger.door}


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
        self.doors = self._doors()
        self.app = web_of(self.doors, self._life)
        state = self.app.state
        state.chat, state.accounts, state.trusted = self.chat, self.accounts, self.trusted

    def _accounts(self) -> Accounts:
        settings = self.settings
        return Accounts(
            self.chat,
            Tokens({"1": settings.secret or kept_secret(self.database.path)}),
            self.passwords,
            LoginLimits(settings.wrong_logins_per_minute, settings.logins_per_minute),
            {"native": settings.native_token_seconds, "messenger": settings.messenger_token_seconds},
        )

    def _doors(self) -> list[Door]:
        with self.database.reading() as snapshot:
            lobby_seq = read.heads(snapshot, [LOBBY_ID])[LOBBY_ID]
        parts = Parts(self.chat, self.accounts, lobby_seq)
        return [DOORS[name](parts) for name in self.settings.dialects]

    @contextlib.asynccontextmanager
    async def _life(self, app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        self.writer.start()
        self.heartbeats.start()
        comparing = asyncio.create_task(self._compare_heads())
        try:
            origins = frozenset(self.settings.origins) or None
            yield {WIRE: Wire(sockets_of(self.doors), self.heartbeats, self.trusted, origins)}
        finally:
            comparing.cancel()
            self.heartbeats.stop()
            await self.writer.stop()
            self.reader.stop()
            self.passwords.stop()
            self.database.close()

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


def kept_secret(database: Path) -> str:
    """Read the secret kept beside the database, readable by its owner alone; make it at the first start."""
    path = database.with_name(f"{database.name}.secret")
    with contextlib.suppress(FileExistsError):
        file = os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii")
        with file:
            file.write(secrets.token_hex(32))
    return path.read_text(encoding="ascii").strip()
