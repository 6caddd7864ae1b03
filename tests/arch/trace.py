"""Counts what a person reads who follows an action through the server: `.venv/bin/python -m tests.arch.trace`.

One process runs `veche serve` in its main thread, as the command line does: real sockets, a real SQLite file. A thread
of its own plays the clients. `sys.settrace` watches every other thread, and notes each line of src/veche that runs.
What is printed is JSON: for each scenario its functions, its lines, and its files in the order in which they are
entered.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median_low
from types import CodeType, FrameType
from typing import Any, NamedTuple

import httpx

import veche
from tests.laws.town import PASSWORD, Person
from veche.app import DIALECTS
from veche.cli.serve import bind, serve
from veche.settings import read_settings

PACKAGE = f"{Path(veche.__file__).parent}{os.sep}"

WARM = 2  # runs of each action before any is counted: imports, caches and compiled statements are ready then
COUNTED = 6
MAY_LACK = 1  # of the counted runs; what more of them lack is no part of the action
QUIET = 0.03  # seconds without a line of ours, after which the server has done all that an action asked of it
LOOK = 0.005
LONG = 86_400.0  # seconds between heartbeats: none comes while we look
# Functions of service/shares.py that a timer calls, up to twenty times a second. They do not belong to one message.
BY_TIME = frozenset(
    {"_end_window", "end_quiet_window", "_adjust", "_share_what_is_left", "end_window", "is_idle", "is_stopped"}
)
BY_ITSELF = "veche-indexing"  # a thread that follows what is committed, some time later
COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})


class Site(NamedTuple):
    """One line of ours, and the function that it stands in."""

    file: str
    line: int
    function: str


Run = dict[Site, None]  # in the order of their first time


@dataclass(frozen=True)
class Trail:
    """What one action makes the server do."""

    scenario: str
    functions: int  # entered, or gone on in
    lines_run: int
    lines: int  # of those functions, from `def` to end: what somebody reads who follows the action
    files: tuple[str, ...]


# The tracer.


class Tracer:
    """Notes the lines of ours that run in any thread that it watches."""

    def __init__(self) -> None:
        self._seen: Run = {}
        self._steps = 0

    def watch(self) -> None:
        """Watch this thread, and every one that starts from now on."""
        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def _enter(self, frame: FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        """Follow each frame of ours from its start: one that waits now may go on in the middle of an action."""
        ours = frame.f_code.co_filename.startswith(PACKAGE) and frame.f_code.co_name not in BY_TIME
        if threading.current_thread().name == BY_ITSELF:
            return None
        return self._follow if ours else None

    def _follow(self, frame: FrameType, event: str, arg: object) -> Callable[..., Any]:
        if event == "line":
            code = frame.f_code
            self._seen.setdefault(Site(code.co_filename, frame.f_lineno, function_of(code)))
            self._steps += 1
        return self._follow

    async def _settle(self) -> None:
        steps, still = -1, 0.0
        while still < QUIET:
            still = still + LOOK if steps == self._steps else 0.0
            steps = self._steps
            await asyncio.sleep(LOOK)

    def runs(self, into: list[Run]) -> Iterator[contextlib.AbstractAsyncContextManager[None]]:
        """Give what to do the same action in, again and again; what ran in the later ones goes into the list."""
        for number in range(WARM + COUNTED):
            yield self._run(into if number >= WARM else [])

    @contextlib.asynccontextmanager
    async def _run(self, into: list[Run]) -> AsyncIterator[None]:
        await self._settle()
        self._seen = {}
        yield
        await self._settle()
        into.append(self._seen)
        self._seen = {}


# The count.


def function_of(code: CodeType) -> str:
    """Name a function; a lambda is one, a comprehension is a part of the line that it stands in."""
    return "" if code.co_name in COMPREHENSIONS else f"{code.co_firstlineno} {code.co_name}"


def trail_of(scenario: str, runs: Sequence[Run]) -> Trail:
    """Count what ran in every run, or in all but one.

    So a timer's work is left out: heads are compared once a second, and that falls in few runs. A run may lack
    something, for on a busy machine the server's last steps may come when it was thought to be done.
    """
    times = Counter(site for run in runs for site in run)
    usual = {site for site, count in times.items() if count >= len(runs) - MAY_LACK}
    functions = {(site.file, site.function) for site in usual if site.function}
    return Trail(
        scenario,
        len(functions),
        len({(site.file, site.line) for site in usual}),
        sum(lines_of(file, functions) for file in {file for file, _ in functions}),
        tuple(file.removeprefix(PACKAGE) for file in in_order(runs, usual)),
    )


def lines_of(file: str, functions: set[tuple[str, str]]) -> int:
    """Count the lines that these functions of a file fill, each line once."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            first = min([node.lineno, *(above.lineno for above in getattr(node, "decorator_list", ()))])
            if (file, f"{first} {getattr(node, 'name', '<lambda>')}") in functions:
                found.update(range(first, (node.end_lineno or first) + 1))
    return len(found)


def in_order(runs: Sequence[Run], usual: set[Site]) -> list[str]:
    """List the files by where they come in most runs: two threads may take turns."""
    places: dict[str, list[int]] = {}
    for run in runs:
        for place, file in enumerate(dict.fromkeys(site.file for site in run if site in usual)):
            places.setdefault(file, []).append(place)
    return sorted(places, key=lambda file: (median_low(places[file]), file))


# The scenarios.


class Town:
    """The server, as its clients see it."""

    def __init__(self, port: int, tracer: Tracer) -> None:
        self.port = port
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)
        self.tracer = tracer

    def person(self, name: str) -> Person:
        return Person(self, name)  # type: ignore[arg-type]


Scenario = Callable[[Town, list[Run]], Coroutine[Any, Any, None]]


async def native_send(town: Town, into: list[Run]) -> None:
    """From the bytes of `send` on one socket to its answer, and to the event on this socket and on another."""
    ann, ben = town.person("ann"), town.person("ben")
    room_id = ann.make_room(ben)
    async with ann.socket() as hers, ben.socket() as his:
        for number, run in enumerate(town.tracer.runs(into)):
            async with run:
                sent = await hers.ask("send", room_id=room_id, text="hi", client_message_id=f"c-{number}")
                await hers.wait_for_seq(room_id, sent["seq"])
                await his.wait_for_seq(room_id, sent["seq"])


async def login(town: Town, into: list[Run]) -> None:
    """From `POST /v1/login` to its answer."""
    town.person("cleo")
    for run in town.tracer.runs(into):
        async with run:
            answer = town.http.post("/v1/login", json={"username": "cleo", "password": PASSWORD})
            assert answer.status_code == 200, answer.text


async def polling(town: Town, into: list[Run]) -> None:
    """From the POST of a Socket.IO message to its end in the poll of the same client, which waits already."""
    token = town.person("dora").token
    async with httpx.AsyncClient(base_url=town.http.base_url, timeout=30, trust_env=False) as http:
        opened = (await http.get("/socket.io/?EIO=4&transport=polling")).text
        url = f"/socket.io/?EIO=4&transport=polling&sid={json.loads(opened[1:])['sid']}"
        await http.post(url, content="40" + json.dumps({"token": token}))
        assert (await http.get(url)).text.startswith("40")
        for number, run in enumerate(town.tracer.runs(into)):
            poll = asyncio.create_task(http.get(url))
            async with run:
                body = json.dumps(["message", {"id": f"d-{number}", "author": "dora", "text": "hi"}])
                assert (await http.post(url, content="42" + body)).text == "ok"
                assert f'"d-{number}"' in (await poll).text


async def resume(town: Town, into: list[Run]) -> None:
    """From the connecting of a native socket whose position is one event behind to its `caught_up`."""
    eve = town.person("eve")
    room_id = eve.make_room()
    async with eve.socket() as before:
        epoch, me = before.welcome["epoch"], before.welcome["me"]["seq"]
    seq = eve.say(room_id, "hi")["seq"]
    for run in town.tracer.runs(into):
        async with contextlib.AsyncExitStack() as open_until_settled:
            async with run:
                position = {"epoch": epoch, "rooms": {str(room_id): seq - 1}, "me": me}
                socket = await open_until_settled.enter_async_context(eve.socket(**position))
            assert socket.seqs(room_id) == [seq]


async def removal(town: Town, into: list[Run]) -> None:
    """From `DELETE /v1/rooms/{id}/members/{id}` until the removed member's socket hears it."""
    fay, gus = town.person("fay"), town.person("gus")
    room_id = fay.make_room()
    async with gus.socket() as his:
        for run in town.tracer.runs(into):
            fay.bring(room_id, gus)
            await his.until(lambda frame: "joined" in frame.get("me", ()))
            his.frames.clear()
            async with run:
                fay.call("DELETE", f"/rooms/{room_id}/members/{gus.id}", expect=204)
                await his.until(lambda frame: "left" in frame.get("me", ()))


SCENARIOS: dict[str, Scenario] = {
    "native `send`": native_send,
    "REST login": login,
    "Socket.IO message by polling": polling,
    "native resume, one event behind": resume,
    "removal of a member": removal,
}


# The process.


def play(port: int, tracer: Tracer, trails: list[Trail]) -> None:
    """Play every scenario, then stop the server."""
    sys.settrace(None)  # the clients are not watched
    try:
        town = Town(port, tracer)
        for name, scenario in SCENARIOS.items():
            runs: list[Run] = []
            asyncio.run(scenario(town, runs))
            trails.append(trail_of(name, runs))
        town.http.close()
    except BaseException:
        traceback.print_exc()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def measure() -> list[Trail]:
    """Serve and play; to be called in the main thread of a process that does nothing else."""
    tracer = Tracer()
    trails: list[Trail] = []
    with tempfile.TemporaryDirectory() as folder:
        environ = {"VECHE_PING_SECONDS": str(LONG)}
        settings = read_settings(DIALECTS, environ, database_url=f"sqlite:///{Path(folder) / 'veche.db'}")
        listener = bind("127.0.0.1", 0)
        clients = threading.Thread(target=play, args=(listener.getsockname()[1], tracer, trails))
        tracer.watch()
        serve(settings, [listener], clients.start)
        sys.settrace(None)
        clients.join()
    if len(trails) < len(SCENARIOS):
        sys.exit("A scenario failed; see above.")
    return trails


if __name__ == "__main__":
    print(json.dumps([asdict(trail) for trail in measure()]))
