"""Ends the server in every way a process can end, by a plan that follows from a seed, and starts it again."""

from __future__ import annotations

import asyncio
import atexit
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import httpx

from .records import Fault, Journal

CrashPoint = Literal["before_commit", "after_commit_before_ack", "after_ack_before_fanout", "mid_fanout"]
CRASH_POINTS: tuple[CrashPoint, ...] = get_args(CrashPoint)
CRASH_CODE = 9
CRASH_VARIABLE = "VECHE_TEST_CRASH_AT"

START_LIMIT = 20.0
DRAIN_LIMIT = 10.0
CRASH_LIMIT = 10.0
END_LIMIT = 10.0


@dataclass(frozen=True)
class Kill:
    """SIGKILL, `after` seconds of service."""

    after: float


@dataclass(frozen=True)
class Crash:
    """The server ends itself at the `hit`-th passage of a point of its own code."""

    point: CrashPoint
    hit: int


@dataclass(frozen=True)
class Drain:
    """SIGTERM, `after` seconds of service."""

    after: float


Act = Kill | Crash | Drain


def plan(kills: int, rng: random.Random) -> list[Act]:
    """`kills` acts in random order: one drain, each crash point as often as the others (half of all), random kills.

    From six on each kind is there at least once.
    """
    each = max(kills // (2 * len(CRASH_POINTS)), 1)
    acts: list[Act] = [Crash(point, rng.randint(1, 30)) for point in CRASH_POINTS for _ in range(each)]
    acts.append(Drain(rng.uniform(0.4, 1.2)))
    acts = acts[:kills]
    acts += [Kill(rng.uniform(0.4, 1.2)) for _ in range(kills - len(acts))]
    rng.shuffle(acts)
    return acts


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@cache
def compiled_code() -> str:
    """A folder for the compiled code of all servers that this process starts; it goes when the process ends."""
    folder = tempfile.mkdtemp(prefix="veche-compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class StartError(Exception):
    """The server did not begin to answer; the text carries the end of its log."""


class Server:
    """`veche serve` as a child process: one data folder, one port, one process at a time."""

    def __init__(self, folder: Path, package: Path | None = None) -> None:
        """`package`: a folder that holds a copy of the package `veche` to be run in place of the installed one."""
        self.port = free_port()
        self.database = folder / "veche.db"
        self.log = folder / "server.log"
        self._folder = folder
        self._package = package
        self._process: asyncio.subprocess.Process | None = None

    @property
    def started(self) -> bool:
        return self._process is not None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/socket"

    async def start(self, crash: Crash | None = None) -> None:
        """Returns when the server answers, or has already met its crash point; raises `StartError`."""
        command = [str(Path(sys.executable).with_name("veche")), "serve", "--port", str(self.port)]
        command += ["--database-url", f"sqlite:///{self.database}"]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, cwd=self._folder, env=self._environment(crash), stdout=log, stderr=log
            )
        await self._answers(self._process, crash)

    def _environment(self, crash: Crash | None) -> Mapping[str, str]:
        """The caller's, without settings of Veche, and with compiled code kept, as beside an installed server."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VECHE_")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = compiled_code()
        if self._package is not None:
            environment["PYTHONPATH"] = str(self._package)
        if crash is not None:
            environment[CRASH_VARIABLE] = f"{crash.point}:{crash.hit}"
        return environment

    async def _answers(self, process: asyncio.subprocess.Process, crash: Crash | None) -> None:
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
        """SIGKILL to the process started last, if it lives; gives its exit code."""
        return await self._end(signal.SIGKILL, END_LIMIT)

    async def drain(self) -> int | None:
        """SIGTERM; gives the exit code, or None when it did not end in time and was killed."""
        try:
            return await self._end(signal.SIGTERM, DRAIN_LIMIT)
        except TimeoutError:
            await self.kill()
            return None

    async def ended(self, limit: float) -> int | None:
        """Waits for the process to end by itself; None when it did not, and was killed."""
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


async def torment(server: Server, acts: Sequence[Act], journal: Journal) -> None:
    """Runs through the acts, each on a fresh start; takes a server that is down and leaves one that answers."""
    for act in acts:
        await server.start(act if isinstance(act, Crash) else None)
        await inflict(server, act, journal)
    await server.start()


async def inflict(server: Server, act: Act, journal: Journal) -> None:
    """Ends the server, which was started with the act's crash point if it has one, and writes down how it ended."""
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
