"""Two nodes over one database, with real writers, readers, hubs and buses, while the bus and its server misbehave.

Each subscriber receives each entry once and in order, and never before the answer to its own command.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from core import commands as c

from tests.services import Redis
from veche.bus import redis_link
from veche.bus.bus import Bus
from veche.bus.memory import MemoryBus
from veche.core.actor import Party
from veche.core.event import LogEvent
from veche.core.values import Kind, LogId, Person
from veche.hub.hub import Hub
from veche.hub.serializer import Serializer
from veche.hub.topic import Subscriber
from veche.service import heads as comparing
from veche.service.heads import Comparison
from veche.storage import log as logs
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.entries import read_entries
from veche.storage.feed import CommitFeed
from veche.storage.kinds.sqlite_database import SqliteDatabase
from veche.storage.opening import open_to_serve
from veche.storage.reader import Reader
from veche.storage.writer import Writer

from .conftest import redis_bus, until
from .test_postgresql import postgres_bus

ANN, BOB = 1, 2
ROOM, QUIET = 1, 2


class Client:
    """A subscriber of the rooms, which records what it gets and when."""

    def __init__(self, site: Site, account_id: int) -> None:
        self.site = site
        self.account_id = account_id
        self.got: dict[LogId, list[int]] = {ROOM: [], QUIET: []}
        self.at: dict[tuple[LogId, int], float] = {}
        self.unanswered: set[str] = set()  # client message ids
        self.wrong: list[str] = []
        self.answered: list[Any] = []
        self.lost_count = 0
        serializer = Serializer(f"test {id(self)}", self._encode, lambda payload: payload)
        self.subscriber = Subscriber(Person(account_id, f"p{account_id}", "P"), "s", self._write, self)
        site.hub.attach(self.subscriber)
        for log_id in (ROOM, QUIET):
            site.hub.subscribe(self.subscriber, log_id, serializer, None)

    def _encode(self, event: LogEvent) -> bytes:
        return f"{event.log_id} {event.seq} {getattr(event, 'client_message_id', '')}\n".encode()

    def _write(self, data: bytes) -> None:
        for line in data.decode().splitlines():
            log_id, seq, client_id = line.split(" ")
            self.got[int(log_id)].append(int(seq))
            self.at[int(log_id), int(seq)] = time.monotonic()
            if client_id in self.unanswered:
                self.wrong.append(f"{client_id} came before its answer")

    def send(self, client_id: str, log_id: LogId = ROOM) -> None:
        self.unanswered.add(client_id)

        def reply(outcome: Any) -> None:
            self.unanswered.discard(client_id)
            self.answered.append(outcome)

        actor, command = c.by(self.account_id, c.SendMessage(log_id, "hi", client_id))
        self.site.writer.submit(actor, command, reply)

    # The listener.

    def caught_up(self, log_id: LogId) -> None: ...

    def joined(self, room_id: int, after: int) -> None: ...

    def removed(self, room_id: int, seq: int) -> None: ...

    def session_ended(self) -> None: ...

    def crowded_out(self) -> None: ...

    def lost(self) -> None:
        self.lost_count += 1


class Site:
    """One node, built of the parts that `veche.app` connects."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self.database, self.bus = database, bus
        self.reader = Reader(database)
        self.writer = Writer(database, bus.publish)
        self.hub = Hub(self._pull, self._heads, unannounced=self.writer.unannounced, following=bus)
        bus.subscribe(self.hub.receive)
        self.comparison = Comparison(CommitFeed(self.reader), self.hub, bus)
        self.reads = 0

    def _pull(
        self, reply: Callable[[Any], None], log_id: LogId, after: int, upto: int, limit: int, party: Party | None
    ) -> None:
        self.reads += 1
        self.reader.call(party, reply, read_entries, log_id, after, upto, limit)

    def _heads(self, reply: Callable[[Any], None], log_ids: Sequence[LogId]) -> None:
        self.reader.call(None, reply, logs.head_seqs, log_ids)

    async def start(self) -> None:
        await self.bus.start()
        self.writer.start()
        self.comparing = asyncio.create_task(self.comparison.run())

    async def stop(self) -> None:
        self.comparing.cancel()
        await self.writer.stop()
        await self.bus.stop()
        self.reader.stop()
        self.database.close()


@contextlib.asynccontextmanager
async def two_nodes(
    databases: tuple[Database, Database], buses: tuple[Bus, Bus]
) -> AsyncIterator[tuple[Client, Client]]:
    """Two nodes, each with a client, which are members of two rooms and follow both."""
    for name in ("ann", "bob"):
        commit(databases[0], [c.by(c.NOBODY_ID, c.Register("hash", username=name))])
    for name in ("Room", "Quiet"):
        commit(databases[0], [c.by(ANN, c.CreateRoom(Kind.CHANNEL, name, (BOB,)))])
    sites = [Site(database, bus) for database, bus in zip(databases, buses, strict=True)]
    for site in sites:
        await site.start()
    try:
        clients = (Client(sites[0], ANN), Client(sites[1], BOB))
        await until(lambda: all(len(client.site.hub.positions()) == 3 for client in clients))
        if not isinstance(buses[0], MemoryBus):
            await until(lambda: all(site.bus.connected for site in sites))
        yield clients
        assert [client.wrong for client in clients] == [[], []]
        assert [client.lost_count for client in clients] == [0, 0]
    finally:
        for site in sites:
            await site.stop()


def sqlite_databases(folder: Path) -> tuple[Database, Database]:
    url = f"sqlite:///{folder}/two.db"
    first = SqliteDatabase(url)
    first.migrate()
    return first, SqliteDatabase(url)


async def all_come(clients: Sequence[Client], seconds: float = 15.0) -> None:
    """Wait until all clients have everything, and check the order."""
    with clients[0].site.database.reading() as tx:
        heads = logs.head_seqs(tx, [ROOM, QUIET])
    await until(lambda: all(not client.unanswered for client in clients), seconds)
    for client in clients:
        await until(
            lambda: all(not got or got[-1] >= heads[log_id] for log_id, got in client.got.items()),  # noqa: B023
            seconds,
        )
        for got in client.got.values():
            assert got == list(range(got[0], got[-1] + 1)) if got else True


async def talk(clients: Sequence[Client], count: int, prefix: str = "") -> None:
    for number in range(count):
        for client in clients:
            client.send(f"{prefix}{client.account_id}-{number}")
        await asyncio.sleep(0.001)


@pytest.fixture(
    params=[pytest.param("redis", marks=pytest.mark.slow), pytest.param("postgresql", marks=pytest.mark.slow)]
)
def buses(request: pytest.FixtureRequest) -> Callable[[], tuple[Bus, Bus]]:
    if request.param == "redis":
        url = request.getfixturevalue("redis").url()
        return lambda: (redis_bus(url), redis_bus(url))
    url = request.getfixturevalue("postgres_url")
    return lambda: (postgres_bus(url), postgres_bus(url))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Database, Database]:
    if request.param == "sqlite":
        return sqlite_databases(tmp_path)
    url = request.getfixturevalue("postgres_url")
    return open_to_serve(url), open_to_serve(url)


async def test_both_nodes_write_to_one_room(
    databases: tuple[Database, Database], buses: Callable[[], tuple[Bus, Bus]]
) -> None:
    async with two_nodes(databases, buses()) as clients:
        await talk(clients, 200)
        await until(lambda: all(len(client.answered) == 200 for client in clients))
        await all_come(clients)
        assert len(clients[0].got[ROOM]) == len(clients[1].got[ROOM]) == 400


async def test_an_entry_comes_without_a_read_and_at_once(
    databases: tuple[Database, Database], redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "SECONDS", 600.0)  # so that no comparison finds an entry before the bus brings it
    async with two_nodes(databases, (redis_bus(redis.url()), redis_bus(redis.url()))) as (ann, bob):
        reads = 0
        for number in range(20):
            ann.send(f"a{number}")
            await until(lambda: len(bob.got[ROOM]) == number + 1)  # noqa: B023
            if number == 0:
                reads = bob.site.reads  # the comparison of what was followed at the start may have found this one
        assert bob.site.reads == reads


async def test_without_a_bus_everything_comes_within_a_second_or_so(tmp_path: Path) -> None:
    """Two memory buses do not know each other, so only the comparison of heads finds anything."""
    async with two_nodes(sqlite_databases(tmp_path), (MemoryBus(), MemoryBus())) as (ann, bob):
        ann.send("a")
        await until(lambda: bob.got[ROOM], 4.0)  # a busy machine is late


@pytest.mark.parametrize("trouble", ["kill", "pause", "flush", "drop"])
async def test_nothing_is_lost_while_the_redis_is_in_trouble(
    tmp_path: Path, server: Redis, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_link, "PING_SECONDS", 0.2)
    buses = (redis_bus(server.url()), redis_bus(server.url()))
    async with two_nodes(sqlite_databases(tmp_path), buses) as clients:
        await talk(clients, 30, "before-")
        again = await make_trouble(server, trouble)
        began = time.monotonic()
        await talk(clients, 60, "during-")
        await until(lambda: all(len(client.answered) == 90 for client in clients))
        answered = time.monotonic()
        await all_come(clients)
        assert time.monotonic() - answered < 5.0, f"{time.monotonic() - began} seconds after the trouble began"
        await again()
        await until(lambda: all(bus.connected for bus in buses))
        await talk(clients, 30, "after-")
        await until(lambda: all(len(client.answered) == 120 for client in clients))
        await all_come(clients)


async def make_trouble(server: Redis, trouble: str) -> Callable[[], Awaitable[Any]]:
    """Make trouble. Return how it ends."""

    async def nothing() -> None: ...

    match trouble:
        case "kill":
            await asyncio.to_thread(server.kill)
            return lambda: asyncio.to_thread(server.start)
        case "pause":
            server.pause()
            return lambda: asyncio.to_thread(server.resume)
        case "flush":
            server.flush()
        case "drop":
            server.drop_clients()
    return nothing


async def test_the_answer_comes_first_although_the_other_node_is_faster(tmp_path: Path, redis: Any) -> None:
    """A node has committed, and its loop has not come to the announcement. The other one writes after it, and tells."""
    async with two_nodes(sqlite_databases(tmp_path), (redis_bus(redis.url()), redis_bus(redis.url()))) as (ann, bob):
        held: list[Any] = []
        answer = ann.site.writer._answer
        ann.site.writer._answer = lambda *args: held.append(args)  # type: ignore[method-assign]
        ann.send("a")
        await until(lambda: held)
        bob.send("b")
        await until(lambda: len(bob.got[ROOM]) == 2)
        heads = await CommitFeed(ann.site.reader).heads_ahead_of(ann.site.hub.positions())
        ann.site.hub.learn_heads(heads)
        await ann.site.reader.read(None, logs.head_seqs, [ROOM])  # what the hub may have begun to read has been read
        came_early = ann.got[ROOM][:]
        ann.site.writer._answer = answer  # type: ignore[method-assign]
        answer(*held[0])
        await until(lambda: len(ann.got[ROOM]) == 2)
        assert (came_early, ann.got[ROOM]) == ([], bob.got[ROOM])
        assert ROOM in heads
