"""Two nodes on one PostgreSQL and one Redis, and all that can go wrong between them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from tests.services import Postgres, Redis
from tests.services.service import Service

from .namespace import Namespace, NamespaceError
from .nemesis import CRASH_LIMIT, CRASH_POINTS, Crash, CrashPoint, Server, StartError
from .network import Network, Wire
from .records import Fault, Journal, Trouble

NodeEnd = Literal["kill", "drain", "before_commit", "after_commit_before_ack", "after_ack_before_fanout", "mid_fanout"]
ServiceName = Literal["postgres", "redis"]
ServiceFault = Literal["killed", "paused", "clients dropped", "flushed"]
WireFault = Literal["cut", "silent"]
START_AGAIN_LIMIT = 60.0


@dataclass(frozen=True)
class NodeEnds:
    """A node ends, and starts again `seconds` later. `hit` is for crash points, as in `Crash`."""

    node: int
    how: NodeEnd
    seconds: float
    hit: int = 1


@dataclass(frozen=True)
class NodeStops:
    """A node does nothing for some seconds (SIGSTOP)."""

    node: int
    seconds: float


@dataclass(frozen=True)
class ServiceFails:
    """A service is killed or paused, and works again `seconds` later; or it is flushed, or drops its clients."""

    service: ServiceName
    how: ServiceFault
    seconds: float = 0.0


@dataclass(frozen=True)
class WireFails:
    """The network between a node and a service is cut or silent for some seconds."""

    node: int
    service: ServiceName
    how: WireFault
    seconds: float


@dataclass(frozen=True)
class NodeIsCutOff:
    """A node has no network for some seconds: no packet comes to it, or from it, and nobody is told.

    Where the machine makes no namespaces, only its networks to the services are silent.
    """

    node: int
    seconds: float


NodesAct = NodeEnds | NodeStops | NodeIsCutOff | ServiceFails | WireFails
Round = tuple[NodesAct, ...]
"""What happens at the same time."""


def plan_rounds(faults: int, rng: random.Random) -> list[Round]:
    """Make rounds with as many faults in random order. Each kind comes before one comes again.

    In one of four rounds, two things fail at the same time.
    """
    rounds: list[Round] = []
    kinds: list[NodesAct] = []
    while faults:
        kinds = kinds or _all_kinds(rng)
        first = kinds.pop()
        other = next((act for act in kinds if _may_overlap(first, act)), None)
        if faults > 1 and other is not None and rng.random() < 0.25:
            kinds.remove(other)
            rounds.append((first, other))
        else:
            rounds.append((first,))
        faults -= len(rounds[-1])
    return rounds


def _all_kinds(rng: random.Random) -> list[NodesAct]:
    def seconds() -> float:
        return rng.uniform(0.5, 4.0)

    def node() -> int:
        return rng.randrange(2)

    kinds: list[NodesAct] = [NodeEnds(node(), "kill", seconds()) for _ in range(2)]
    kinds.append(NodeEnds(node(), rng.choice(CRASH_POINTS), 0.0, rng.randint(1, 30)))
    kinds.append(NodeEnds(node(), "drain", 0.0))
    kinds += [NodeStops(node(), seconds()), NodeStops(node(), rng.uniform(5.5, 7.0))]
    kinds += [NodeIsCutOff(node(), seconds()), NodeIsCutOff(node(), rng.uniform(5.5, 7.0))]
    kinds += [ServiceFails("postgres", "killed", rng.uniform(0.0, 1.0)), ServiceFails("postgres", "paused", seconds())]
    kinds += [ServiceFails("redis", "killed", seconds()), ServiceFails("redis", "paused", seconds())]
    kinds += [ServiceFails("redis", "flushed"), ServiceFails("redis", "clients dropped")]
    kinds.append(ServiceFails("postgres", "clients dropped"))
    for service in get_args(ServiceName):
        kinds += [WireFails(node(), service, how, seconds()) for how in get_args(WireFault)]
    rng.shuffle(kinds)
    return kinds


def _may_overlap(one: NodesAct, other: NodesAct) -> bool:
    """Tell whether two acts are of different things. What has to end in time is not disturbed meanwhile."""
    return _thing(one) != _thing(other) and not any(
        isinstance(act, NodeEnds) and act.how != "kill" for act in (one, other)
    )


def _thing(act: NodesAct) -> tuple[int, str]:
    match act:
        case ServiceFails(service=service) | WireFails(service=service):
            return 0, service
        case NodeEnds(node=node) | NodeStops(node=node) | NodeIsCutOff(node=node):
            return node, "node"


class Nodes:
    """Two nodes, each with a network of its own to the PostgreSQL and the Redis that they share."""

    def __init__(
        self,
        folder: Path,
        package: Path | None,
        postgres: Postgres,
        redis: Redis,
        network: Network,
        namespaces: Sequence[Namespace],
    ) -> None:
        """`namespaces` has one for each node, or is empty."""
        self.postgres, self.redis, self._namespaces = postgres, redis, namespaces
        self.database_url = postgres.new_database()
        self.wires: list[Mapping[ServiceName, Wire]] = []
        self.servers: list[Server] = []
        for number in range(2):
            space = namespaces[number] if namespaces else None
            here, there = (space.here, space.there) if space else ("127.0.0.1", "127.0.0.1")
            to_postgres, to_redis = network.wire(postgres.port, here), network.wire(redis.port, here)
            settings = {
                "VECHE_DATABASE_URL": self.database_url.replace(
                    f"127.0.0.1:{postgres.port}/", f"{here}:{to_postgres.port}/"
                ),
                "VECHE_BUS_URL": f"redis://{here}:{to_redis.port}",
            }
            self.wires.append({"postgres": to_postgres, "redis": to_redis})
            prefix = space.prefix if space else ()
            self.servers.append(Server(folder, package, settings, f"node-{number}", there, prefix))

    @property
    def base(self) -> str:
        return self.servers[0].base

    @property
    def socket_urls(self) -> Sequence[str]:
        return [server.socket_url for server in self.servers]

    async def start(self) -> None:
        await asyncio.gather(*(server.start() for server in self.servers))

    async def kill(self) -> None:
        await asyncio.gather(*(server.kill() for server in self.servers if server.started))

    async def kill_and_record(self, journal: Journal) -> None:
        await asyncio.gather(*(_end(server, "kill", journal) for server in self.servers))

    async def drain_and_record(self, journal: Journal) -> None:
        await asyncio.gather(*(_end(server, "drain", journal) for server in self.servers))

    async def run_round(self, acts: Round, journal: Journal) -> None:
        """Let all acts of a round happen, and wait until everything works again."""
        await asyncio.gather(*(self._run(act, journal, overlaps=len(acts) > 1) for act in acts))

    async def _run(self, act: NodesAct, journal: Journal, *, overlaps: bool) -> None:
        begun = journal.clock()
        match act:
            case NodeEnds():
                await self._end_and_start(act, journal)
                return
            case NodeStops(node=node, seconds=seconds):
                how = "node paused"
                self.servers[node].pause()
                await asyncio.sleep(seconds)
                self.servers[node].resume()
            case NodeIsCutOff(node=node, seconds=seconds):
                how = "node cut off"
                await self._cut_off(node, seconds)
            case ServiceFails(service=service, how=what, seconds=seconds):
                how = f"{service} {what}"
                await _fail(self.postgres if service == "postgres" else self.redis, what, seconds)
            case WireFails(node=node, service=service, how=what, seconds=seconds):
                how = f"network to {service} {what}"
                wire = self.wires[node][service]
                await asyncio.to_thread(wire.cut if what == "cut" else wire.hold)
                await asyncio.sleep(seconds)
                await asyncio.to_thread(wire.mend)
        journal.add(Trouble(begun, how, journal.clock() - begun, bus="redis" in how, overlaps=overlaps))

    async def _cut_off(self, node: int, seconds: float) -> None:
        if self._namespaces:
            await asyncio.to_thread(self._namespaces[node].part)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self._namespaces[node].join)
            return
        for wire in self.wires[node].values():
            await asyncio.to_thread(wire.hold)
        await asyncio.sleep(seconds)
        for wire in self.wires[node].values():
            await asyncio.to_thread(wire.mend)

    async def _end_and_start(self, act: NodeEnds, journal: Journal) -> None:
        server = self.servers[act.node]
        if act.how in ("kill", "drain"):
            await _end(server, act.how, journal)
        else:
            await _end(server, "drain", journal)
            await server.start(Crash(cast(CrashPoint, act.how), act.hit))
            begun = journal.clock()
            code = await server.ended(CRASH_LIMIT)
            ended = journal.clock()
            journal.add(Fault(ended, act.how, code, ended - begun))
        await asyncio.sleep(act.seconds)
        await _start(server)


async def _end(server: Server, how: Literal["kill", "drain"], journal: Journal) -> None:
    begun = journal.clock()
    code = await (server.kill() if how == "kill" else server.drain())
    journal.add(Fault(begun, how, code, journal.clock() - begun))


async def _start(server: Server) -> None:
    """Start a node, again and again while what it needs is away, as the system that runs it would do."""
    async with asyncio.timeout(START_AGAIN_LIMIT):
        while True:
            try:
                await server.start()
            except StartError:
                continue
            return


async def _fail(service: Service, how: ServiceFault, seconds: float) -> None:
    match how:
        case "killed":
            await asyncio.to_thread(service.kill)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(service.start)
        case "paused":
            await asyncio.to_thread(service.pause)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(service.resume)
        case "clients dropped":
            assert isinstance(service, Postgres | Redis)
            await asyncio.to_thread(service.drop_clients)
        case "flushed":
            assert isinstance(service, Redis)
            await asyncio.to_thread(service.flush)


@contextlib.contextmanager
def two_nodes(folder: Path, package: Path | None = None) -> Iterator[Nodes]:
    """Start what two nodes share, and make the nodes. At the end everything is stopped."""
    with Postgres() as postgres, Redis() as redis, Network() as network, contextlib.ExitStack() as stack:
        namespaces: list[Namespace] = []
        with contextlib.suppress(NamespaceError):
            namespaces = [stack.enter_context(Namespace(number)) for number in range(2)]
        yield Nodes(folder, package, postgres, redis, network, namespaces)
