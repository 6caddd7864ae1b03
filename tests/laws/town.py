"""The harness of these tests: a `veche serve` process, people with REST calls, and sockets that record frames."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.veche_process import VecheProcess, run_veche

LOBBY = 2**31 - 1
PASSWORD = "correct horse battery"
QUIET = {
    "VECHE_LOG_LEVEL": "warning",
    # A client of a test answers no ping while the test waits for something else, which takes long on a busy machine.
    "VECHE_PING_SECONDS": "600",
    "VECHE_PONG_SECONDS": "300",
}
TIMEOUT = 30.0  # seconds for anything that should be immediate; generous, for a busy machine

Frame = dict[str, Any]
_names = itertools.count(1)


def head_of_new(others: int) -> int:
    """Return the seq of the last entry of a new room: its owner joined, and the others were invited and joined."""
    return 1 + 2 * others


def run(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `veche` to its end with these arguments and settings, and no other VECHE_* variables."""
    return run_veche(*words, settings=QUIET | settings)


class Server(VecheProcess):
    def __init__(self, folder: Path, settings: dict[str, str] | None = None, url: str = "") -> None:
        super().__init__(folder, QUIET | (settings or {}), stored_at=url)
        self.start()
        self.http = httpx.Client(base_url=self.base, timeout=30)

    def person(self) -> Person:
        return Person(self, f"p{os.getpid()}-{next(_names)}")

    def close(self) -> None:
        self.http.close()
        super().close()

    def open_files(self) -> list[str]:
        found = []
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.append(str(link.readlink()))
        return found


@contextlib.contextmanager
def serving(folder: Path, url: str = "", **settings: str) -> Iterator[Server]:
    """Run a server. The block may stop it; otherwise it is killed at the end. `url` is as for VecheProcess."""
    server = Server(folder, settings, url)
    try:
        yield server
    finally:
        server.stop(signal.SIGKILL)


class Person:
    """A person who has registered."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.name = name
        body = self.server.http.post("/v1/register", json={"username": name, "password": PASSWORD})
        assert body.status_code == 201, body.text
        self.token: str = body.json()["token"]
        self.id: int = body.json()["me"]["id"]

    def call(self, method: str, path: str, *, expect: int | None = None, **more: Any) -> Any:
        answer = self.server.http.request(
            method, f"/v1{path}", headers={"Authorization": f"Bearer {self.token}"}, **more
        )
        if expect is not None:
            assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    def make_room(self, *others: Person, kind: str = "group") -> int:
        """Make a room, and let others join it who are invited."""
        body = {"kind": kind, "name": "Team", "member_ids": [other.id for other in others]}
        id = int(self.call("POST", "/rooms", json=body, expect=201)["id"])
        for other in others:
            other.call("POST", f"/rooms/{id}/join", expect=200)
        return id

    def bring(self, room_id: int, *others: Person) -> None:
        """Invite others into a room, and let them join."""
        for other in others:
            self.call("POST", f"/rooms/{room_id}/members", json={"account_id": other.id}, expect=202)
            other.call("POST", f"/rooms/{room_id}/join", expect=200)

    def say(self, room_id: int, text: str, client_id: str | None = None) -> Frame:
        body = {"text": text, "client_message_id": client_id}
        found: Frame = self.call("POST", f"/rooms/{room_id}/messages", json=body)
        return found

    def history(self, room_id: int) -> list[Frame]:
        found: list[Frame] = []
        while True:
            page = self.call("GET", f"/rooms/{room_id}/messages?limit=200&after_seq={found[-1]['seq'] if found else 0}")
            found += page["items"]
            if not page["has_more_after"]:
                return found

    @contextlib.asynccontextmanager
    async def socket(self, **hello: Any) -> AsyncIterator[Socket]:
        """Open a socket, send hello, and wait for `caught_up`."""
        url = f"ws://127.0.0.1:{self.server.port}/v1/socket"
        async with connect(url, compression=None, max_size=None, ping_interval=None) as connection:
            opened = Socket(connection)
            try:
                opened.welcome = await opened.ask("hello", token=self.token, **hello)
                await opened.until(lambda frame: "caught_up" in frame)
                yield opened
            finally:
                await opened.close()


class Socket:
    """A native socket that records its frames and answers heartbeats."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[Frame] = []
        self.welcome: Any = None
        self._ids = itertools.count(1)
        self._changed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for raw in self.connection:
                frame = msgspec.json.decode(raw)
                if frame == {}:
                    await self.connection.send("{}")
                else:
                    self.frames.append(frame)
                    self._changed.set()
        self._changed.set()

    async def say(self, name: str, **fields: Any) -> int:
        """Send a command without waiting; return its id."""
        id = next(self._ids)
        await self.connection.send(msgspec.json.encode({"id": id, name: fields}).decode())
        return id

    async def ask(self, name: str, **fields: Any) -> Any:
        """Send a command and wait for its answer."""
        id = await self.say(name, **fields)
        frame = await self.until(lambda frame: frame.get("id") == id)
        return frame.get(name, frame)

    async def until(self, wanted: Callable[[Frame], bool]) -> Frame:
        """Return the first frame that matches, and wait for it if necessary."""
        seen = 0
        deadline = time.monotonic() + TIMEOUT
        while True:
            for frame in self.frames[seen:]:
                if wanted(frame):
                    return frame
            seen = len(self.frames)
            assert not self._reading.done(), f"closed: {self.connection.close_code} {self.frames[-3:]}"
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), max(0.01, deadline - time.monotonic()))
            except TimeoutError:
                raise AssertionError(f"no such frame; the last frames: {self.frames[-5:]}") from None

    async def wait_for_seq(self, room_id: int, seq: int) -> None:
        await self.until(lambda frame: seq_in_room(frame, room_id) >= (seq,))

    async def ended(self) -> int | None:
        await asyncio.wait_for(self._reading, TIMEOUT)
        return self.connection.close_code

    def events(self, room_id: int) -> list[Frame]:
        return [frame for frame in self.frames if seq_in_room(frame, room_id)]

    def seqs(self, room_id: int) -> list[int]:
        return [seq_in_room(frame, room_id)[0] for frame in self.events(room_id)]

    async def close(self) -> None:
        await self.connection.close()
        await self._reading


def seq_in_room(frame: Frame, room_id: int) -> tuple[int, ...]:
    """Return the seq of an event of this room, as a tuple of one; empty for other frames."""
    bodies = () if "id" in frame or "reset" in frame else frame.values()
    for body in bodies:
        if isinstance(body, dict) and body.get("room_id") == room_id and "seq" in body:
            return (int(body["seq"]),)
    return ()
