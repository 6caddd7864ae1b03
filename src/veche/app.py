"""Builds all parts of a server and connects them. No other module imports all of them.

Parts that do not import each other are connected by callbacks: the writer publishes to the bus, the bus delivers to
the hub, and the hub reads from the reader.
"""

import asyncio
import contextlib
import hmac
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from veche.bus.bus import Bus
from veche.bus.opening import open_bus
from veche.core.actor import Party
from veche.core.errors import ChatError
from veche.core.event import LogEvent
from veche.core.messages import Message
from veche.core.names import Reserved
from veche.core.rules import Rules
from veche.core.values import LOBBY_ID, RESERVED_IDS, LogId
from veche.dialects.channels import dialect as channels
from veche.dialects.dispatch import dialect as dispatch
from veche.dialects.messenger import dialect as messenger
from veche.dialects.native import dialect as native
from veche.dialects.rooms import dialect as rooms
from veche.dialects.socketio import dialect as socketio
from veche.gateway.application import build_application, prepare_routes, websocket_routes
from veche.gateway.dialect import AnyDialect, Mounted, Parts
from veche.hub.hub import Hub
from veche.ops.garbage import collect_when_calm
from veche.service.accounts import Accounts
from veche.service.chat import Chat
from veche.service.expiry import forget_expired_sessions
from veche.service.file_removal import remove_files
from veche.service.files import Files
from veche.service.guests import Guests
from veche.service.heads import Comparison
from veche.service.limits import AddressLimit, LoginLimits, Rate
from veche.service.nodes import Nodes
from veche.service.passwords import Passwords
from veche.service.people import People
from veche.service.refreshing import Refreshing, RefreshKeys
from veche.service.room_limits import RoomLimits
from veche.service.search import Search
from veche.service.shared_use import SharedUse
from veche.service.tokens import Tokens, keys_of
from veche.settings import Settings, SettingsError
from veche.storage import log as logs
from veche.storage.accounts import credentials
from veche.storage.blobs import DiskStore
from veche.storage.database import Database
from veche.storage.entries import EVENT_TYPES, read_entries
from veche.storage.feed import CommitFeed
from veche.storage.nodes import Node
from veche.storage.opening import bus_address, files_beside
from veche.storage.reader import Reader
from veche.storage.writer import Writer
from veche.wire.connections import Connections
from veche.wire.engineio.neighbours import Neighbours
from veche.wire.handler import WIRE, Wire
from veche.wire.heartbeat import Heartbeats
from veche.wire.held import MEGABYTE, HeldBytes
from veche.wire.origins import Origins
from veche.wire.proxy import Trusted

logger = logging.getLogger("veche")

DIALECTS: tuple[AnyDialect, ...] = (
    native.DIALECT,
    dispatch.DIALECT,
    rooms.DIALECT,
    socketio.DIALECT,
    channels.DIALECT,
    messenger.DIALECT,
)
"""All dialects. The setting VECHE_DIALECTS chooses which of them are served."""


ENTRIES: tuple[type[LogEvent], ...] = (Message, *EVENT_TYPES)
"""The types of all entries of logs."""


class Server:
    """All parts of one running server.

    `machine`: the same for all workers of one `veche serve`. `neighbours`: the other ones.
    """

    def __init__(
        self, settings: Settings, database: Database, *, machine: str = "", neighbours: Neighbours | None = None
    ) -> None:
        self.machine = machine
        self.neighbours = neighbours
        self.settings = settings
        self.database = database
        self._secret = settings.server.secret or database.secret()
        self.bus = self._bus()
        self.reader = Reader(database)
        self.feed = CommitFeed(self.reader)
        self.tokens = Tokens(self._keys())
        self.writer = Writer(database, self.bus.publish, self._rules())
        server = settings.server
        unannounced, per_account = self.writer.unannounced, server.connections_per_account
        self.hub = Hub(self._pull, self._heads, of_account=per_account, unannounced=unannounced, following=self.bus)
        self.bus.subscribe(self.hub.receive)
        self.comparison = Comparison(self.feed, self.hub, self.bus)
        self.room_limits = RoomLimits(server.rooms_per_hour, server.members_per_hour, server.rooms_into_per_hour)
        self.chat = Chat(self.writer, self.reader, self.hub, self.room_limits, self.bus)
        self.search, self.files, self.guests = self._search(), self._files(), Guests(self.chat.shares)
        self.passwords = Passwords()
        self.accounts = self._accounts()
        self.people = People(self.chat, self.accounts, server.lookups_per_minute, server.people_per_hour)
        self.shared_use = self._shared_use()
        self.heartbeats = Heartbeats(server.ping_seconds, server.pong_seconds, server.stall_seconds)
        self.connections = Connections(server.connections, server.guests_per_address, server.connections_per_account)
        self.origins, self.trusted = Origins.of(server.origins), Trusted.parse(server.trusted_proxies)
        self.draining = False
        self.node = self._node()
        try:
            self.chat.elsewhere.leased = lambda: self.node.others
            self.nodes = Nodes(self.node, self.chat)
            self.dialects = self._mounted()
            holding = (self.connections, *(mounted.connections for mounted in self.dialects))
            self.held = HeldBytes(holding, server.held_megabytes * MEGABYTE)
            self.app = self._application()
        except BaseException:
            self.node.leave()  # otherwise the others would take it for alive, and a node without a bus would wait
            raise

    def _application(self) -> FastAPI:
        app = build_application(
            self.dialects,
            self._lifespan,
            self.origins,
            self.trusted,
            self.guests,
            self.tokens.account_of,
            self.chat.shares,
            self.problem,
            docs=self.settings.server.docs,
        )
        prepare_routes(app)
        state = app.state
        state.chat, state.accounts, state.trusted = self.chat, self.accounts, self.trusted
        state.heartbeats, state.refreshing = self.heartbeats, self._refreshing()
        state.search, state.files, state.people = self.search, self.files, self.people
        return app

    def _search(self) -> Search | None:
        return Search(self.chat, self.database, self.bus) if self.settings.server.search else None

    def _files(self) -> Files | None:
        server = self.settings.server
        folder = server.files or files_beside(server.database_url)
        return Files(self.chat, DiskStore(Path(folder)), server.file_megabytes * MEGABYTE) if folder else None

    def _accounts(self) -> Accounts:
        server = self.settings.server
        self._check_spoken_names()
        return Accounts(
            self.chat,
            self.tokens,
            self.passwords,
            LoginLimits(server.wrong_logins_per_minute, server.logins_per_minute),
            {name: options.token_seconds for name, options in self.settings.options.items()},
            AddressLimit(
                "registrations",
                Rate(server.registrations_at_once, server.registrations_per_minute),
                shown_as="registrations",
            ),
            Reserved(self.settings.spoken_names.values()),
        )

    def _shared_use(self) -> SharedUse:
        limited = (self.accounts, self.people, self.room_limits)
        limits = {name: limit for one in limited for name, limit in one.limits.items()}
        return SharedUse(self.bus, self._secret, limits)

    def _refreshing(self) -> Refreshing:
        options = self.settings.options
        lifetimes = {name: found.refreshed for name, found in options.items() if found.refreshed is not None}
        return Refreshing(self.chat, self.accounts, self.tokens, RefreshKeys(self.tokens.secrets), lifetimes)

    def _bus(self) -> Bus:
        """Make the bus that the settings name. Raises BusError or DatabaseError."""
        server = self.settings.server
        read_address = partial(bus_address, server.database_url)
        return open_bus(server.bus_url, self._secret, self.database.history(), ENTRIES, read_address)

    def _keys(self) -> dict[str, str]:
        """Return the secrets of tokens by `kid`. Raises SettingsError if the old secret is the one that signs."""
        server, secret = self.settings.server, self._secret
        if server.old_secret == secret:
            raise SettingsError("VECHE_OLD_SECRET is the secret that signs: give VECHE_SECRET another one.")
        if server.old_secret is not None:
            logger.info("the tokens of VECHE_OLD_SECRET are valid until it is removed")
        return keys_of(secret, server.old_secret)

    def _rules(self) -> Rules:
        server = self.settings.server
        keys = tuple(hmac.digest(secret.encode(), b"veche client ids 1", "sha256") for secret in self.tokens.secrets)
        return Rules(keys, server.edit_seconds, server.delete_seconds, server.file_quota_megabytes * MEGABYTE)

    def _check_spoken_names(self) -> None:
        """Raise SettingsError if the server is to speak as somebody who has an account."""
        with self.database.reading() as snapshot:
            for setting, name in self.settings.spoken_names.items():
                found = credentials(snapshot, username=name)
                if found is not None and (account := found[0]).id < RESERVED_IDS:
                    raise SettingsError(
                        f"{setting} is {name!r}, which is the username of account {account.id}. The server would speak "
                        "as somebody: choose another name, or let them change theirs first."
                    )

    def _node(self) -> Node:
        with self.database.reading() as snapshot:
            lobby_seq = logs.head_seqs(snapshot, [LOBBY_ID])[LOBBY_ID]
        shares_bus = bool(self.settings.server.bus_url)
        return self.database.join(self.bus.node_id, lobby_seq, machine=self.machine, shares_bus=shares_bus)

    def _mounted(self) -> list[Mounted]:
        node = self.node
        parts = Parts(
            chat=self.chat,
            accounts=self.accounts,
            guests=self.guests,
            node_id=node.id,
            lobby_seq=node.lobby_seq,
            origins=self.origins,
            trusted=self.trusted,
            neighbours=self.neighbours,
            ping_seconds=self.heartbeats.interval,
        )
        options = self.settings.options
        return [dialect.mount(parts, options[dialect.name]) for dialect in DIALECTS if dialect.name in options]

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        self.database.on_replaced = partial(loop.call_soon_threadsafe, self._begin_history)
        self._begin_history()  # it may have begun before
        await self.bus.start()
        self.writer.start()
        await self.nodes.start()
        self.heartbeats.start()
        self.held.start()
        if self.search is not None:
            self.search.start()
        background = [
            asyncio.create_task(self.comparison.run()),
            asyncio.create_task(forget_expired_sessions(self.chat)),
            asyncio.create_task(self.chat.elsewhere.run()),
            asyncio.create_task(collect_when_calm()),
        ]
        if self.files is not None:
            seconds = self.settings.server.unused_file_hours * 3600
            background.append(asyncio.create_task(remove_files(self.chat, self.files, seconds)))
        try:
            yield {WIRE: self._wire()}
        finally:
            for task in background:
                task.cancel()
            self.heartbeats.stop()
            self.held.stop()
            self.chat.shares.stop()
            await self.nodes.stop()
            await self.writer.stop()
            await self.bus.stop()
            self.reader.stop()
            if self.search is not None:
                await self.search.stop()
            if self.files is not None:
                self.files.stop()
            self.passwords.stop()
            self.database.close()

    def _begin_history(self) -> None:
        """Go on with the history that the database now has. What is known of the one before means nothing."""
        self.bus.begin_history(self.database.history())
        self.hub.lose_all()

    def problem(self) -> str | None:
        """Return why this node should get no clients now, as an English sentence. None: it may get them."""
        if self.draining:
            return "The node is stopping."
        if not self.bus.was_connected:  # later it may be away: that costs time, and loses nothing
            return "The bus cannot be reached."
        return self.node.problem

    def _wire(self) -> Wire:
        routes = websocket_routes(self.dialects, self.guests)
        return Wire(routes, self.heartbeats, self.trusted, self.origins, self.connections)

    def _pull(
        self,
        reply: Callable[[Any], None],
        log_id: LogId,
        after: int,
        upto: int,
        limit: int,
        party: Party | None,
    ) -> None:
        def counted(page: Sequence[LogEvent] | None) -> None:
            if page and party is not None:
                self.chat.charge(party, len(page))
            reply(page)

        try:
            self.reader.call(party, counted, read_entries, log_id, after, upto, limit)
        except ChatError:  # too many queries of the party wait
            asyncio.get_running_loop().call_soon(reply, None)

    def _heads(self, reply: Callable[[Any], None], log_ids: Sequence[LogId]) -> None:
        self.reader.call(None, reply, logs.head_seqs, log_ids)
