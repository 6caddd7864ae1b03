"""Restarts all workers one after another, again and again, while clients send and receive.

`python -m tests.chaos.rolling --rolls 20`. The exit code is 0 if nothing was lost or doubled, and no client saw any
error other than "come back".
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.services import Postgres, Redis
from tests.veche_process import VecheProcess

from .check import check
from .client import Account, Client, Traffic
from .evidence import Evidence, Stored, Violation
from .records import Ack, Down, Journal, Nack, Unexpected
from .switches import TURNS, stored_turn
from .world import CHANGES, COLUMNS, api, create_room, head_of, register, served_history, stored_change, stored_row

COME_BACK = 4200
REPLACED = "all workers were replaced"
ROLL_SECONDS, HEAL_SECONDS = 90.0, 20.0
STEADY = Traffic(lifetime=1e9)  # no client drops its own connection


@dataclass
class Workers(VecheProcess):
    """One `veche serve` with several workers on PostgreSQL."""

    async def roll(self) -> None:
        """Replace all workers, and return when that is done."""
        done = self.log.count(REPLACED)
        self.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(ROLL_SECONDS):
            while self.log.count(REPLACED) == done:  # noqa: ASYNC110  # another process writes the log
                await asyncio.sleep(0.05)


Act = Callable[[Workers], Awaitable[None]]


@dataclass(frozen=True)
class Outcome:
    violations: list[Violation]
    errors: list[str]
    """What clients saw besides "come back"."""
    acked: int
    sent_away: int

    @property
    def is_good(self) -> bool:
        return not self.violations and not self.errors and self.acked > 0


async def run(server: Workers, acts: Sequence[Act], clients: int = 8, rooms: int = 2) -> Outcome:
    """Do this to a running server while clients send and receive, and return what the clients saw."""
    journal = Journal()
    async with api(server.base) as http:
        members = [await register(http, f"c{number}") for number in range(1, clients + 1)]
        numbers = [await create_room(http, members[0], f"room {n}", members[1:]) for n in range(1, rooms + 1)]
        url = f"ws://127.0.0.1:{server.port}/v1/socket"
        people = [Client(one, url, numbers, journal, random.Random(one.name), STEADY) for one in members]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(person.run()) for person in people]
            for act in acts:
                await act(server)
            for person in people:
                person.stop_sending()
            await asyncio.gather(*(person.wait_answered(HEAL_SECONDS) for person in people))
            heads = {room: await head_of(http, members[0], room) for room in numbers}
            await asyncio.gather(*(person.wait_caught_up(heads, HEAL_SECONDS) for person in people))
            for task in tasks:
                task.cancel()
        served = [row for room in numbers for row in await served_history(http, members[0], room)]
    evidence = _evidence(server.stored_at, journal, members, numbers, served, heads)
    errors = [failure for person in people for failure in person.failures]
    errors += [f"closed with {down.code}" for down in evidence.all(Down) if not down.own and down.code != COME_BACK]
    errors += [f"refused with {nack.code}" for nack in evidence.all(Nack)]
    errors += [one.sentence for one in evidence.all(Unexpected)]
    sent_away = sum(down.code == COME_BACK for down in evidence.all(Down))
    return Outcome(check(evidence), errors, len(evidence.all(Ack)), sent_away)


def _evidence(
    url: str, journal: Journal, members: list[Account], rooms: list[int], served: list[Stored], heads: dict[int, int]
) -> Evidence:
    logs = [*rooms, *(-member.id for member in members)]
    with psycopg.connect(url) as connection:
        rows = connection.execute(f"SELECT {COLUMNS} FROM veche.messages WHERE room_id = ANY(%s)", [rooms])
        changes = connection.execute(CHANGES.format("veche.events"))
        turns = connection.execute(TURNS.format("veche.events"))
        events = connection.execute("SELECT log_id, seq FROM veche.events WHERE log_id = ANY(%s)", [logs])
        return Evidence(
            records=journal.records,
            accounts={member.name: member.id for member in members},
            members=dict.fromkeys(rooms, frozenset(member.name for member in members)),
            served=served,
            rows=[stored_row(row) for row in rows],
            events=[(log, seq) for log, seq in events],
            heads=heads,
            changes=[stored_change(row) for row in changes],
            turns=[stored_turn(row) for row in turns],
        )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rolls", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--bus", choices=["redis", "postgresql"], default="redis")
    options = parser.parse_args()
    with Postgres() as postgres, Redis() as redis, tempfile.TemporaryDirectory() as folder:
        bus = redis.url() if options.bus == "redis" else options.bus
        settings = {"VECHE_WORKERS": str(options.workers), "VECHE_BUS_URL": bus, "VECHE_DRAIN_SECONDS": "2"}
        with Workers(Path(folder), settings, stored_at=postgres.new_database()) as server:
            outcome = asyncio.run(run(server, [Workers.roll] * options.rolls, options.clients))
    kinds = Counter(violation.kind for violation in outcome.violations)
    print(
        f"{options.rolls} restarts of {options.workers} workers on {options.bus}, {outcome.acked} messages acknowledged"
    )
    print(f"{outcome.sent_away} connections were told to come back; other errors: {outcome.errors or 'none'}")
    print(f"broken promises: {dict(kinds) or 'none'}")
    for violation in outcome.violations[:20]:
        print(f"  {violation.sentence}")
    sys.exit(0 if outcome.is_good else 1)


if __name__ == "__main__":
    main()
