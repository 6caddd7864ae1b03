"""A client of one of the two libraries, in a process of its own, which a test drives: see driver.py and driver.mjs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from playwright._impl._driver import compute_driver_executable

HERE = Path(__file__).parent
CLIENTS = HERE.parents[1] / "clients"
TYPESCRIPT, PYTHON = CLIENTS / "typescript", CLIENTS / "python" / "src"
LANGUAGES = ("python", "typescript")
TIMEOUT = 40.0
NODE = str(compute_driver_executable()[0])  # it comes with playwright, and has a WebSocket

_COMMANDS = {
    "python": [sys.executable, str(HERE / "driver.py")],
    "typescript": [NODE, str(HERE / "driver.mjs"), str(TYPESCRIPT / "dist" / "index.js")],
}


class Driven:
    """A client that runs. `told` is all that it has told, in order: pairs of a name and a value."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.told: list[tuple[str, Any]] = []
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._last_call = 0
        self._changed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, language: str, options: dict[str, Any]) -> Driven:
        pipe = asyncio.subprocess.PIPE
        no_proxy = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        process = await asyncio.create_subprocess_exec(
            *_COMMANDS[language],
            stdin=pipe,
            stdout=pipe,
            limit=2**24,
            env=no_proxy | {"PYTHONPATH": str(PYTHON)},
        )
        driven = cls(process)
        driven._write(options)
        return driven

    def _write(self, line: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line).encode() + b"\n")

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while raw := await self.process.stdout.readline():
            line = json.loads(raw)
            if "on" in line:
                self.told.append((line["on"], line["value"]))
            elif "error" in line:
                self._calls.pop(line["call"]).set_exception(Refused(line["error"]))
            else:
                self._calls.pop(line["call"]).set_result(line["result"])
            self._changed.set()

    def call(self, name: str, *args: Any) -> asyncio.Future[Any]:
        """Let the client do something, and return what will be its result."""
        self._last_call += 1
        self._calls[self._last_call] = future = asyncio.get_running_loop().create_future()
        self._write({"call": self._last_call, "name": name, "args": args})
        return future

    async def do(self, name: str, *args: Any) -> Any:
        """Let the client do something, and return the result. Raises Refused."""
        async with asyncio.timeout(TIMEOUT):
            return await self.call(name, *args)

    async def until(self, holds: Callable[[], object], what: str = "") -> None:
        """Wait until something holds that depends on what the client has told."""
        try:
            async with asyncio.timeout(TIMEOUT):
                while not holds():
                    assert self.process.returncode is None, "the client has ended"
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{what or 'it'} did not come about; told: {self.told[-30:]}") from None

    async def caught_up(self, times: int = 1) -> None:
        await self.until(lambda: self.count("caught_up") >= times, f"catching up {times} times")

    def all(self, name: str) -> list[Any]:
        return [value for told, value in self.told if told == name]

    def count(self, name: str) -> int:
        return len(self.all(name))

    def texts(self, room: int) -> list[str]:
        """Return the texts of the messages of a room, in the order in which they came."""
        return [message["text"] for message in self.all("message") if message["room_id"] == room]

    def seqs(self, room: int | None) -> list[int]:
        return [event["seq"] for event in self.all("event") if event["room_id"] == room]

    async def stop(self) -> None:
        """Let the client end."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        await self._ended()

    async def kill(self) -> None:
        self.process.kill()
        await self._ended()

    async def _ended(self) -> None:
        async with asyncio.timeout(TIMEOUT):
            code = await self.process.wait()
            await self._reading
        assert code in (0, -9), f"the client has ended with {code}"


class Refused(Exception):
    """The client has refused a call. The text is the code."""


@contextlib.asynccontextmanager
async def driven(
    language: str,
    url: str,
    token: str,
    saved: dict[str, Any] | None = None,
    tokens: Sequence[str] = (),
    refresh_token: str | None = None,
) -> AsyncIterator[Driven]:
    """Run a client. `tokens` are what it gets when its session has ended, one after the other."""
    options = {"url": url, "token": token, "saved": saved, "tokens": list(tokens), "refresh_token": refresh_token}
    client = await Driven.start(language, options)
    try:
        yield client
    except BaseException:
        if client.process.returncode is None:
            await client.kill()
        raise
    if client.process.returncode is None:
        await client.stop()


def check_order(client: Driven, room: int | None, start: int = 0) -> None:
    """Check that the entries of a log came once and in order, without a hole, beginning after `start`."""
    seqs = client.seqs(room)
    assert seqs == list(range(start + 1, start + 1 + len(seqs)))
