"""Runs nodes of Veche on a private PostgreSQL and a private Redis, and a load client at each of them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import msgspec

from bench import machine
from bench.errors import BenchError
from bench.load import Load, Report, client_options, running_client
from bench.peers import Crowd, Endpoint, Rooms, Site
from bench.server import Server, free_port, running
from bench.veche import ACK, CAUGHT_UP, hello, make_rooms, register
from tests.services import MissingError, Postgres, Redis


@dataclass(frozen=True)
class Nodes:
    """Running nodes of one installation, and what they stand on."""

    servers: tuple[Server, ...]
    postgres: Postgres
    redis: Redis
    database: str  # its URL

    def commits(self) -> int:
        return self._stat("xact_commit")

    def deadlocks(self) -> int:
        return self._stat("deadlocks")

    def publishes(self) -> int:
        """Return how many PUBLISH and SPUBLISH commands Redis has run."""
        stats = self.redis.client().info("commandstats")
        return sum(int(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in ("publish", "spublish"))

    def _stat(self, column: str) -> int:
        query = f"SELECT {column} FROM pg_stat_database WHERE datname = current_database()"
        return int(self.postgres.psql(query, url=self.database)[0][0])


@contextmanager
def nodes(site: Site, number: int) -> Iterator[Nodes]:
    """Run so many nodes on an empty database, each on a core of its own as far as there are cores."""
    with ExitStack() as stack:
        try:
            postgres, redis = stack.enter_context(Postgres()), stack.enter_context(Redis())
        except MissingError as error:
            raise BenchError(str(error)) from None
        database = postgres.new_database()
        env = {"VECHE_DATABASE_URL": database, "VECHE_BUS_URL": redis.url()}
        servers: list[Server] = []
        for index in range(number):
            port, core = free_port(), machine.CORES[index % len(machine.CORES)]
            command = [str(site.checkout.veche), "serve", "--port", str(port)]
            log = site.folder / f"node{index}.log"
            servers.append(stack.enter_context(running(command, port, log, env, core=core)))
        yield Nodes(tuple(servers), postgres, redis, database)


def fill(running_nodes: Nodes, crowd: Crowd) -> list[Endpoint]:
    """Register the accounts and make the rooms. Return an endpoint for each node, with an equal part of the sockets.

    With Rooms.EACH, each account has a socket at each node.
    """
    servers = running_nodes.servers
    people = [register(servers[0], number) for number in range(1, crowd.accounts + 1)]
    rooms = make_rooms(servers[0], crowd, people)
    greetings = [hello(str(person["token"])) for person in people]
    sockets = crowd.sockets // len(servers)
    first = tuple(greetings[index % len(greetings)] for index in range(sockets))
    own = tuple(rooms) if crowd.rooms is Rooms.EACH else ()
    return [Endpoint(server, "/v1/socket", ACK, rooms[0], CAUGHT_UP, first, own) for server in servers]


@dataclass(frozen=True)
class Together:
    """One run at all nodes: each load client's report, and the CPU seconds of each part in the window."""

    reports: Sequence[Report]
    node_cpu_s: Sequence[float]
    postgres_cpu_s: float
    redis_cpu_s: float
    commits: int
    publishes: int

    @property
    def deliveries(self) -> int:
        return sum(report.deliveries for report in self.reports)

    @property
    def acked(self) -> int:
        return sum(report.acked for report in self.reports)

    @property
    def wrong(self) -> int:
        """How many deliveries were lost or too many."""
        return sum(report.lost + report.extra for report in self.reports)


def measure_together(site: Site, running_nodes: Nodes, endpoints: Sequence[Endpoint], load: Load) -> Together:
    """Run the same load at every node, at once."""

    def cpu() -> list[float]:
        parts = [server.pid for server in running_nodes.servers]
        return [machine.cpu_seconds(pid) for pid in [*parts, running_nodes.postgres.pid, running_nodes.redis.pid]]

    with ExitStack() as stack:
        clients = []
        for number, endpoint in enumerate(endpoints):
            own = replace(site, folder=site.folder / f"client{number}")
            own.folder.mkdir(exist_ok=True)
            clients.append(stack.enter_context(running_client(own, "load", client_options(own, endpoint, load))))
        for client in clients:
            client.lines_before("begin")
        if load.sites > 1:  # they warm up when the members of all of them are there
            for client in clients:
                client.write("go\n")
            for client in clients:
                client.lines_before("begin")
        before, commits, publishes = cpu(), running_nodes.commits(), running_nodes.publishes()
        for client in clients:
            client.write("go\n")
        for client in clients:
            client.lines_before("end")
        used = [after - one for after, one in zip(cpu(), before, strict=True)]
        commits, publishes = running_nodes.commits() - commits, running_nodes.publishes() - publishes
        reports = [msgspec.json.decode(client.line(), type=Report) for client in clients]
    return Together(reports, used[:-2], used[-2], used[-1], commits, publishes)
