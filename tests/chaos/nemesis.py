"""Ends the server in all the ways in which a process can end, by a plan from a seed, and restarts it."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import httpx

from tests.veche_process import VECHE, environment, free_port

from .records import Fault, Journal

CrashPoint = Literal["before_commit", "after_commit_before_ack", "after_ack_before_fanout", "mid_fanout"]
CRASH_POINTS: tuple[CrashPoint, ...] = get_args(CrashPoint)
CRASH_CODE = 9
INVITES_MANY = {"VECHE_ROOMS_INTO_PER_HOUR": "100000"}
CRASH_VARIABLE = "VECHE_TEST_CRASH_AT"

START_LIMIT = 60.0
DRAIN_LIMIT = 10.0
CRASH_LIMIT = 10.0
END_LIMIT = 10.0


@dataclass(frozen=True)
class Kill:
    """SIGKILL after `after` seconds."""

    after: float


@dataclass(frozen=True)
class Crash:
    """The server ends itself when it reaches a crash point for the `hit`-th time (`veche.ops.crash`)."""

    point: CrashPoint
    hit: int


@dataclass(frozen=True)
class Drain:
    """SIGTERM after `after` seconds."""

    after: float


Act = Kill | Crash | Drain


def plan(kills: int, rng: random.Random) -> list[Act]:
    """Make `kills` acts in random order: one drain, all crash points equally often (half of the acts), and kills.

    With six acts or more there is at least one of each kind.
    """
    each = max(kills // (2 * len(CRASH_POINTS)), 1)
    acts: list[Act] = [Crash(point, rng.randint(1, 30)) for point in CRASH_POINTS for _ in range(each)]
    acts.append(Drain(rng.uniform(0.4, 1.2)))
    acts = acts[:kills]
    acts += [Kill(rng.uniform(0.4, 1.2)) for _ in range(kills - len(acts))]
    rng.shuffle(acts)
    return acts


class StartError(Exception):
    """The server did not start; the message has the end of its log."""


class Server:
    """`veche serve` as a child process, with one data folder and one port."""

    def __init__(
        self,
        folder: Path,
        package: Path | None = None,
        settings: Mapping[str, str] | None = None,
        name: str = "server",
        host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
    ) -> None:
        """`package` is a folder with another copy of the package `veche`, to run instead of the installed one.

        Without `settings` the database is a file in the folder. `prefix` are words before the command.
        """
        self.port = free_port()
        self.database = folder / "veche.db"
        self.log = folder / f"{name}.log"
        self.host = host
        self._prefix = prefix
        self.settings = INVITES_MANY | (settings or {"VECHE_DATABASE_URL": f"sqlite:///{self.database}"})
        self._folder = folder
        self._package = package
        self._process: asyncio.subprocess.Process | None = None

    @property
    def started(self) -> bool:
        return self._process is not None

    @property
    def base(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://{self.host}:{self.port}/v1/socket"

    async def start(self, crash: Crash | None = None) -> None:
        """Return when the server answers, or has already reached its crash point. Raises StartError."""
        command = [*self._prefix, str(VECHE), "serve", "--host", self.host, "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, cwd=self._folder, env=self._environment(crash), stdout=log, stderr=log
            )
        await self._wait_until_healthy(self._process, crash)

    def _environment(self, crash: Crash | None) -> Mapping[str, str]:
        """Make the environment: without settings of Veche, and with cached bytecode, like an installed server."""
        env = environment(self.settings)
        if self._package is not None:
            env["PYTHONPATH"] = str(self._package)
        if crash is not None:
            env[CRASH_VARIABLE] = f"{crash.point}:{crash.hit}"
        return env

    async def _wait_until_healthy(self, process: asyncio.subprocess.Process, crash: Crash | None) -> None:
        try:
            async with asyncio.timeout(START_LIMIT), httpx.AsyncClient(base_url=self.base, timeout=1.0) as http:
                while not await _healthy(http):
                    if process.returncode is not None:
                        self._check_ended(process.returncode, crash)
                        return
                    await asyncio.sleep(0.02)
        except TimeoutError:
            await self.kill()
            raise StartError(f"no answer within {START_LIMIT} s\n{self._log_end()}") from None

    def _check_ended(self, code: int, crash: Crash | None) -> None:
        if crash is None or code != CRASH_CODE:
            raise StartError(f"exit code {code}\n{self._log_end()}")

    def _log_end(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    async def kill(self) -> int:
        """Send SIGKILL if the server runs; return its exit code."""
        return await self._end(signal.SIGKILL, END_LIMIT)

    async def drain(self) -> int | None:
        """Send SIGTERM; return the exit code, or None if the server had to be killed."""
        try:
            return await self._end(signal.SIGTERM, DRAIN_LIMIT)
        except TimeoutError:
            await self.kill()
            return None

    def pause(self) -> None:
        """Send SIGSTOP: connections stay open, and nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    async def ended(self, limit: float) -> int | None:
        """Wait for the server to end by itself; return the exit code, or None if it had to be killed."""
        try:
            return await asyncio.wait_for(self._running().wait(), limit)
        except TimeoutError:
            await self.kill()
            return None

    async def _end(self, number: signal.Signals, limit: float) -> int:
        process = self._running()
        if process.returncode is None:
            process.send_signal(number)
        return await asyncio.wait_for(process.wait(), limit)

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("the server was never started")
        return self._process


async def _healthy(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/healthz")).status_code == 200
    except httpx.HTTPError:
        return False


async def run_acts(server: Server, acts: Sequence[Act], journal: Journal) -> None:
    """Run all acts, each after a new start. The server must be down at first, and runs at the end."""
    for act in acts:
        await server.start(act if isinstance(act, Crash) else None)
        await run_act(server, act, journal)
    await server.start()


async def run_act(server: Server, act: Act, journal: Journal) -> None:
    """End the server by one act, and record how it ended."""
    if isinstance(act, Kill | Drain):
        await asyncio.sleep(act.after)
    begun = journal.clock()
    how, code = await _end(server, act)
    ended = journal.clock()
    journal.add(Fault(ended if isinstance(act, Crash) else begun, how, code, ended - begun))


async def _end(server: Server, act: Act) -> tuple[str, int | None]:
    if isinstance(act, Kill):
        return "kill", await server.kill()
    if isinstance(act, Drain):
        return "drain", await server.drain()
    return act.point, await server.ended(CRASH_LIMIT)
