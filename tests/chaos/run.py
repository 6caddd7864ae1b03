"""One run of the checker: `python -m tests.chaos.run --kills 30 --clients 6 --rooms 3 --seed 1 [--package PATH]`.

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

from .check import Evidence, Violation, check
from .client import Account, Client, Traffic
from .figures import Figures, figures
from .nemesis import Act, Kill, Server, plan, run_act, run_acts
from .records import Journal
from .world import api, create_room, database_events, database_rows, head_of, register, served_history

HEAL_LIMIT = 10.0
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
    )
    return Outcome(check(evidence), figures(evidence))


async def _set_up(http: httpx.AsyncClient, options: RunOptions) -> World:
    members = [await register(http, f"c{number}") for number in range(1, options.clients + 1)]
    stranger = await register(http, STRANGER)
    rooms = [await create_room(http, members[0], f"room {n}", members[1:]) for n in range(1, options.rooms + 1)]
    return World(tuple(members), stranger, tuple(rooms))


async def _run_clients(
    server: Server, http: httpx.AsyncClient, world: World, options: RunOptions, journal: Journal
) -> dict[int, int]:
    """Run the clients and all acts, then let the clients catch up; return the heads of the rooms."""
    clients = [_client(account, server, world, options, journal) for account in world.members]
    stranger = _client(world.stranger, server, world, options, journal, listen_only=True)
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
    account: Account, server: Server, world: World, options: RunOptions, journal: Journal, listen_only: bool = False
) -> Client:
    rng = random.Random(f"{options.seed}/{account.name}")
    return Client(account, server.socket_url, world.rooms, journal, rng, options.traffic, listen_only)


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
        f"frames received     {numbers.frames}",
        f"reconnects          {numbers.reconnects}, of them after own drops {numbers.own_drops}",
        f"kill to caught up   p50 {numbers.back_p50:.2f} s, p99 {numbers.back_p99:.2f} s",
        f"verdict             {'BROKEN' if outcome.violations else 'kept'}",
    ]
    return "\n".join([*lines, *_broken(outcome.violations)])


def _broken(violations: Sequence[Violation]) -> list[str]:
    """Return a line for each kind, with its count and its first sentence."""
    first: Mapping[str, str] = {violation.kind: violation.sentence for violation in reversed(violations)}
    counts = Counter(violation.kind for violation in violations)
    return [f"  {kind:<18} {times:>5}  {first[kind]}" for kind, times in counts.most_common()]


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--rooms", type=int, default=3)
    parser.add_argument("--seed", default=None, help="a word; random when not given")
    parser.add_argument("--package", type=Path, default=None, help="a folder that holds another copy of `veche`")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    arguments = _arguments(argv)
    seed = arguments.seed or secrets.token_hex(4)
    print(f"seed {seed}", flush=True)
    acts = plan(arguments.kills, random.Random(seed))
    options = RunOptions(seed, acts, arguments.clients, arguments.rooms, arguments.package)
    folder = Path(tempfile.mkdtemp(prefix="veche-chaos-"))
    outcome = asyncio.run(run(options, folder))
    print(summary(options, outcome))
    if outcome.violations:
        print(f"evidence            {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
