"""Drills of a restore: `python -m tests.chaos.restore --drills 50 --seed 1`.

A server is killed while its clients talk. Then `veche restore` is killed, at one of its steps or at any moment. What is
left must be the old database or the new one, whole. If the command had ended, it must be the new one, also after more
crashes. A client that comes back must get `reset`, or all that it holds must be true.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
from websockets.sync.client import connect

from tests.veche_process import VECHE, environment

from .client import Account
from .nemesis import CRASH_CODE, CRASH_VARIABLE, Server
from .world import api, create_room, register, served_history

STEPS = (
    "restore_copied",
    "restore_emptied",
    "restore_set_aside",
    "restore_remembered",
    "restore_log_removed",
    "restore_replaced",
    "restore_done",
)
LIMIT = 60.0


@dataclass(frozen=True)
class Drill:
    """How the restore is killed: at a step (`veche.ops.crash`), or some seconds after it has begun to copy."""

    step: str | None
    after: float
    big: bool
    again: bool


@dataclass(frozen=True)
class Scene:
    """A folder as a killed server left it, with a backup.

    `before` and `after` are the history of the room at the backup and at the end.
    """

    folder: Path
    ann: Account
    room: int
    epoch: str
    me: int
    before: Sequence[Any]
    after: Sequence[Any]


@dataclass(frozen=True)
class Result:
    """`code` is how the restore ended; `new` tells which database was there afterwards. `wrong`: broken promises."""

    drill: Drill
    code: int
    new: bool
    wrong: list[str]


def plan(drills: int, rng: random.Random) -> list[Drill]:
    """Every second drill kills at a step; all steps come equally often."""
    steps = [step for _ in range(drills) for step in rng.sample(STEPS, len(STEPS))]
    return [
        Drill(
            steps[number // 2] if number % 2 == 0 else None,
            rng.uniform(0.0, 0.08),
            big=rng.random() < 0.5,
            again=rng.random() < 0.3,
        )
        for number in range(drills)
    ]


async def set_up(folder: Path, *, big: bool) -> Scene:
    """Let a server live and die in a folder. With `big`, its log was begun anew after the backup."""
    server = Server(folder)
    await server.start()
    async with api(server.base) as http:
        ann, bob = await register(http, "ann"), await register(http, "bob")
        room = await create_room(http, ann, "room", [bob])
        for number in range(20):
            await say(http, ann, room, f"before {number}")
        before = await served_history(http, ann, room)
        assert veche(folder, "backup", "b.db").returncode == 0
        for number in range(800 if big else 5):
            await say(http, ann, room, f"after {number} " + "x" * (8000 if big else 10))
        after = await served_history(http, ann, room)
        hello = greet(server, ann, {})[0]["hello"]
        await say(http, ann, room, "the last one")
        after = [*after, *(await served_history(http, ann, room))[len(after) :]]
    await server.kill()
    return Scene(folder, ann, room, hello["epoch"], hello["me"]["seq"], before, after)


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def say(http: httpx.AsyncClient, by: Account, room: int, text: str) -> None:
    headers = {"Authorization": f"Bearer {by.token}"}
    (await http.post(f"/v1/rooms/{room}/messages", json={"text": text}, headers=headers)).raise_for_status()


def environment_of(folder: Path) -> dict[str, str]:
    return environment({"VECHE_DATABASE_URL": f"sqlite:///{folder}/veche.db"})


def veche(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [VECHE, *words], cwd=folder, env=environment_of(folder), capture_output=True, text=True, timeout=LIMIT
    )


def kill_restore(folder: Path, drill: Drill) -> int:
    """Run a restore and kill it; return its exit code."""
    armed = {CRASH_VARIABLE: drill.step} if drill.step else {}
    process = subprocess.Popen(
        [VECHE, "restore", "b.db"],
        cwd=folder,
        env=environment_of(folder) | armed,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if drill.step is None:
        while not (folder / ".veche.db.restore").exists() and process.poll() is None:
            pass
        try:
            return process.wait(drill.after)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait(LIMIT)


def greet(server: Server, who: Account, positions: dict[str, Any]) -> list[dict[str, Any]]:
    """Open a native socket; return all frames up to `caught_up`."""
    frames = []
    with connect(server.socket_url, compression=None) as socket:
        socket.send(msgspec.json.encode({"id": 1, "hello": {"token": who.token, **positions}}).decode())
        while not frames or "caught_up" not in frames[-1]:
            frames.append(msgspec.json.decode(socket.recv(LIMIT)))
    return frames


async def run_drill(scene: Scene, drill: Drill, folder: Path) -> Result:
    """Play one drill in a copy of the scene."""
    shutil.copytree(scene.folder, folder)
    code = kill_restore(folder, drill)
    wrong = []
    if drill.step is not None and code != CRASH_CODE:
        wrong.append(f"the restore did not reach {drill.step}: it ended with {code}")
    if drill.step is None and code not in (0, -signal.SIGKILL):
        wrong.append(f"the restore failed with {code}")
    new, faults = await look(scene, folder)
    wrong += faults
    if not new and (code == 0 or drill.step in STEPS[-2:]):
        wrong.append("the restore was undone")
    if drill.again:
        done = veche(folder, "restore", "b.db")
        again, faults = await look(scene, folder)
        wrong += faults
        if done.returncode or not again:
            wrong.append(f"the second restore did not help: {done.stderr}")
        wrong += left_behind(folder)
    shutil.rmtree(folder)
    return Result(drill, code, new, wrong)


def left_behind(folder: Path) -> list[str]:
    return [f"left behind: {path.name}" for path in folder.glob(".veche.db.restore*")]


async def look(scene: Scene, folder: Path) -> tuple[bool, list[str]]:
    """Serve what is there, twice and with a crash between; return whether it is the backup, and what is wrong."""
    server, found = Server(folder), []
    wrong: list[str] = []
    for _ in range(2):
        await server.start()
        async with api(server.base) as http:
            history = await served_history(http, scene.ann, scene.room)
        if history not in (scene.before, scene.after):
            wrong.append(f"a mixture of {len(history)} messages")
        found.append(history == scene.before)
        wrong += faults_of(scene, greet(server, scene.ann, positions(scene)), history)
        await server.kill()
        with closing(sqlite3.connect(server.database)) as connection:
            [(result,), *_] = connection.execute("PRAGMA integrity_check")
            wrong += [] if result == "ok" else [result]
    if len(set(found)) != 1:
        wrong.append("another database after a crash")
    return found[0], wrong


def positions(scene: Scene) -> dict[str, Any]:
    return {"epoch": scene.epoch, "rooms": {str(scene.room): scene.after[-1].seq}, "me": scene.me}


def faults_of(scene: Scene, frames: list[dict[str, Any]], history: Sequence[Any]) -> list[str]:
    """A client that holds all messages of `after` comes back: it gets `reset`, or what it holds is the history."""
    resets = [frame["reset"] for frame in frames if "reset" in frame]
    of_room = [reset for reset in resets if reset.get("room_id") == scene.room]
    if of_room and [reset for reset in resets if reset.get("me")]:
        return [] if frames[0]["hello"]["epoch"] != scene.epoch else ["a reset in the same epoch"]
    return [] if history == scene.after and not resets else ["a client keeps what is not true"]


async def run(drills: Sequence[Drill], folder: Path) -> list[Result]:
    """Play all drills; `folder` is empty."""
    scenes = {big: await set_up(made(folder / f"scene-{big}"), big=big) for big in {drill.big for drill in drills}}
    return [
        await run_drill(scenes[drill.big], drill, folder / f"drill-{number}") for number, drill in enumerate(drills)
    ]


def summary(results: Sequence[Result]) -> str:
    counts = Counter((result.drill.step or "any moment", "new" if result.new else "old") for result in results)
    lines = [f"{moment:<22} {which:<4} {times:>4}" for (moment, which), times in sorted(counts.items())]
    lines += [f"BROKEN {result.drill}: {'; '.join(result.wrong)}" for result in results if result.wrong]
    return "\n".join([*lines, f"{len(results)} drills"])


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.restore", description=__doc__)
    parser.add_argument("--drills", type=int, default=50)
    parser.add_argument("--seed", default=None, help="a word; random when not given")
    arguments = parser.parse_args(argv)
    seed = arguments.seed or secrets.token_hex(4)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="veche-restore-") as folder:
        results = asyncio.run(run(plan(arguments.drills, random.Random(seed)), Path(folder)))
    print(summary(results))
    return 1 if any(result.wrong for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
