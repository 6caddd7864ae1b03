"""One run of the checker: `python -m tests.chaos.run --kills 30 --clients 6 --rooms 3 --seed 1 [--package PATH]`.

With `--nodes 2 --faults 100` two nodes run on PostgreSQL and Redis, and these and the network between them fail, too.

The exit code is 0 if every promise was kept, and 1 if one was broken; then the folder with the evidence is kept.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from .check import check
from .client import Account, Client, Traffic
from .evidence import Evidence, Violation
from .figures import Figures, figures
from .nemesis import Act, Kill, Server, plan, run_act, run_acts
from .nodes import Nodes, Round, plan_rounds, two_nodes
from .records import Journal
from .switches import Switches
from .world import (
    api,
    create_room,
    database_changes,
    database_events,
    database_rows,
    database_turns,
    head_of,
    postgres_changes,
    postgres_events,
    postgres_rows,
    postgres_turns,
    register,
    served_history,
)

HEAL_LIMIT = 10.0
NODES_HEAL_LIMIT = 30.0  # a PostgreSQL that was killed needs some seconds more
QUIET = 0.3, 0.8  # seconds between two rounds
STRANGER = "stranger"


@dataclass(frozen=True)
class RunOptions:
    """The options of a run. `package` is a folder with another copy of the package `veche`."""

    seed: str
    acts: Sequence[Act]
    clients: int = 6
    rooms: int = 3
    package: Path | None = None
    traffic: Traffic = field(default_factory=Traffic)
    rounds: Sequence[Round] = ()
    """What fails while two nodes run; there are no `acts` then."""


@dataclass(frozen=True)
class Outcome:
    violations: list[Violation]
    figures: Figures

    @property
    def kinds(self) -> set[str]:
        return {violation.kind for violation in self.violations}


@dataclass(frozen=True)
class World:
    """Members are in all rooms; the stranger is in none, and must receive nothing of them."""

    members: tuple[Account, ...]
    stranger: Account
    rooms: tuple[int, ...]


async def run(options: RunOptions, folder: Path) -> Outcome:
    """Make one run; the empty `folder` gets the server's files and the records."""
    server, journal = Server(folder, options.package), Journal()
    try:
        await server.start()
        async with api(server.base) as http:
            world = await _set_up(http, options)
            await server.kill()
            heads = await _run_clients(server, http, world, options, journal)
            served = [row for room in world.rooms for row in await served_history(http, world.members[0], room)]
        await server.drain()
    finally:
        if server.started:
            await server.kill()
        journal.save(folder / "records.jsonl")
    everybody = (*world.members, world.stranger)
    evidence = Evidence(
        records=journal.records,
        accounts={account.name: account.id for account in everybody},
        members=dict.fromkeys(world.rooms, frozenset(account.name for account in world.members)),
        served=served,
        rows=database_rows(server.database, world.rooms),
        events=database_events(server.database, [*world.rooms, *(-account.id for account in everybody)]),
        heads=heads,
        changes=database_changes(server.database),
        turns=database_turns(server.database),
    )
    return Outcome(check(evidence), figures(evidence))


async def run_nodes(options: RunOptions, folder: Path) -> Outcome:
    """Make one run with two nodes; the empty `folder` gets their logs and the records."""
    journal = Journal()
    with two_nodes(folder, options.package) as nodes:
        try:
            await nodes.start()
            async with api(nodes.base) as http:
                world = await _set_up(http, options)
                heads = await _disturb(nodes, http, world, options, journal)
                served = [row for room in world.rooms for row in await served_history(http, world.members[0], room)]
            await nodes.drain_and_record(journal)
        finally:
            await nodes.kill()
            journal.save(folder / "records.jsonl")
        everybody = (*world.members, world.stranger)
        logs = [*world.rooms, *(-account.id for account in everybody)]
        evidence = Evidence(
            records=journal.records,
            accounts={account.name: account.id for account in everybody},
            members=dict.fromkeys(world.rooms, frozenset(account.name for account in world.members)),
            served=served,
            rows=postgres_rows(nodes.postgres, nodes.database_url, world.rooms),
            events=postgres_events(nodes.postgres, nodes.database_url, logs),
            heads=heads,
            changes=postgres_changes(nodes.postgres, nodes.database_url),
            turns=postgres_turns(nodes.postgres, nodes.database_url),
        )
    return Outcome(check(evidence), figures(evidence))


async def _disturb(
    nodes: Nodes, http: httpx.AsyncClient, world: World, options: RunOptions, journal: Journal
) -> dict[int, int]:
    """Run the clients and all rounds, then let the clients catch up; return the heads of the rooms."""
    clients = [_client(account, nodes.socket_urls, world, options, journal) for account in world.members]
    stranger = _client(world.stranger, nodes.socket_urls, world, options, journal, listen_only=True)
    rng = random.Random(f"{options.seed}/pauses")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.run()) for client in (*clients, stranger)]
        for acts in options.rounds:
            await asyncio.sleep(rng.uniform(*QUIET))
            await nodes.run_round(acts, journal)
        for client in clients:
            client.stop_sending()
        await asyncio.gather(*(client.wait_answered(NODES_HEAL_LIMIT) for client in clients))
        await nodes.kill_and_record(journal)
        await nodes.start()
        heads = {room: await head_of(http, world.members[0], room) for room in world.rooms}
        await asyncio.gather(
            *(client.wait_caught_up(heads, NODES_HEAL_LIMIT) for client in clients),
            stranger.wait_caught_up({}, NODES_HEAL_LIMIT),
        )
        for task in tasks:
            task.cancel()
    return heads


async def _set_up(http: httpx.AsyncClient, options: RunOptions) -> World:
    members = [await register(http, f"c{number}") for number in range(1, options.clients + 1)]
    stranger = await register(http, STRANGER)
    rooms = [await create_room(http, members[0], f"room {n}", members[1:]) for n in range(1, options.rooms + 1)]
    return World(tuple(members), stranger, tuple(rooms))


async def _run_clients(
    server: Server, http: httpx.AsyncClient, world: World, options: RunOptions, journal: Journal
) -> dict[int, int]:
    """Run the clients and all acts, then let the clients catch up; return the heads of the rooms."""
    clients = [_client(account, [server.socket_url], world, options, journal) for account in world.members]
    stranger = _client(world.stranger, [server.socket_url], world, options, journal, listen_only=True)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.run()) for client in (*clients, stranger)]
        await run_acts(server, options.acts, journal)
        for client in clients:
            client.stop_sending()
        await asyncio.gather(*(client.wait_answered(HEAL_LIMIT) for client in clients))
        await run_act(server, Kill(after=0.0), journal)
        await server.start()
        heads = {room: await head_of(http, world.members[0], room) for room in world.rooms}
        await asyncio.gather(
            *(client.wait_caught_up(heads, HEAL_LIMIT) for client in clients), stranger.wait_caught_up({}, HEAL_LIMIT)
        )
        for task in tasks:
            task.cancel()
    return heads


def _client(
    account: Account,
    urls: Sequence[str],
    world: World,
    options: RunOptions,
    journal: Journal,
    listen_only: bool = False,
) -> Client:
    rng = random.Random(f"{options.seed}/{account.name}")
    switches = Switches(account.id, world.rooms)
    if account == world.members[0]:
        switches.guest, switches.deputy = world.stranger.id, world.members[-1].id
    return Client(account, urls, world.rooms, journal, rng, options.traffic, listen_only, switches)


def summary(options: RunOptions, outcome: Outcome) -> str:
    """Return the table of one run as text."""
    numbers = outcome.figures
    faults = ", ".join(f"{how} {times}" for how, times in numbers.faults)
    lines = [
        f"seed                {options.seed}",
        f"clients, rooms      {options.clients}, {options.rooms}",
        f"ends of the server  {faults}",
        f"acked, stored       {numbers.acked}, {numbers.stored}",
        f"duplicates answered {numbers.duplicates}",
        f"changes acked       {numbers.changes}",
        f"turns acked         {numbers.turns}",
        f"frames received     {numbers.frames}",
        f"reconnects          {numbers.reconnects}, of them after own drops {numbers.own_drops}",
        f"kill to caught up   p50 {numbers.back_p50:.2f} s, p99 {numbers.back_p99:.2f} s",
        *_about_nodes(numbers),
        f"verdict             {'BROKEN' if outcome.violations else 'kept'}",
    ]
    return "\n".join([*lines, *_broken(outcome.violations)])


def _about_nodes(numbers: Figures) -> list[str]:
    """Return the lines that only a run with two nodes has."""
    if not numbers.troubles:
        return []
    return [
        f"other faults        {', '.join(f'{how} {times}' for how, times in numbers.troubles)}",
        f"faults              {sum(times for _, times in (*numbers.faults, *numbers.troubles))}",
        f"to the other node   p50 {1000 * numbers.across_p50:.0f} ms, p99 {1000 * numbers.across_p99:.0f} ms",
        f"while Redis is away p50 {1000 * numbers.away_p50:.0f} ms, p99 {1000 * numbers.away_p99:.0f} ms"
        f" ({numbers.away} deliveries)",
    ]


def _broken(violations: Sequence[Violation]) -> list[str]:
    """Return a line for each kind, with its count and its first sentence."""
    first: Mapping[str, str] = {violation.kind: violation.sentence for violation in reversed(violations)}
    counts = Counter(violation.kind for violation in violations)
    return [f"  {kind:<18} {times:>5}  {first[kind]}" for kind, times in counts.most_common()]


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__)
    parser.add_argument("--kills", type=int, default=30, help="how often one node ends")
    parser.add_argument("--nodes", type=int, choices=[1, 2], default=1)
    parser.add_argument("--faults", type=int, default=100, help="how often something fails while two nodes run")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--rooms", type=int, default=3)
    parser.add_argument("--seed", default=None, help="a word; random when not given")
    parser.add_argument("--package", type=Path, default=None, help="a folder that holds another copy of `veche`")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    arguments = _arguments(argv)
    seed = arguments.seed or secrets.token_hex(4)
    print(f"seed {seed}", flush=True)
    two, rng = arguments.nodes == 2, random.Random(seed)
    acts = [] if two else plan(arguments.kills, rng)
    rounds = plan_rounds(arguments.faults, rng) if two else []
    options = RunOptions(seed, acts, arguments.clients, arguments.rooms, arguments.package, rounds=rounds)
    folder = Path(tempfile.mkdtemp(prefix="veche-chaos-"))
    outcome = asyncio.run((run_nodes if two else run)(options, folder))
    print(summary(options, outcome))
    if outcome.violations:
        print(f"evidence            {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
