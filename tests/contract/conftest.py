"""Servers for transcripts: one `veche serve` process for all files with an equal head."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest
from transcript import Head
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import Server, ServerConnection, serve

from tests.veche_process import VecheProcess, run_veche

SECRET = "a secret of these tests alone, long enough"
TIMEOUT = 15.0  # seconds for any single wait; generous, for a busy machine
USUAL = {
    "VECHE_SECRET": SECRET,
    "VECHE_SEARCH": "true",
    "VECHE_WRONG_LOGINS_PER_MINUTE": "10000",
    "VECHE_LOGINS_PER_MINUTE": "100000",
    "VECHE_REGISTRATIONS_AT_ONCE": "100000",
    "VECHE_ROOMS_PER_HOUR": "100000",
    "VECHE_MEMBERS_PER_HOUR": "100000",
    "VECHE_ROOMS_INTO_PER_HOUR": "100000",
    "VECHE_LOOKUPS_PER_MINUTE": "100000",
    "VECHE_PEOPLE_PER_HOUR": "100000",
}
LOBBY = 2147483647
SILENCE_BETWEEN_NODES = 0.2  # seconds in which one node hears what another has stored, where nothing else tells
_numbers = itertools.count(1)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_handle(name: str) -> str:
    """Return an unused handle of at most eight characters, the limit of the dispatch dialect."""
    number, digits = next(_numbers), ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return f"{name[: 8 - len(digits)]}{digits}"


class RunningServer(VecheProcess):
    """A server with the dialects and settings of a transcript's head."""

    def __init__(self, folder: Path, head: Head, upstream: str = "") -> None:
        settings = USUAL | {name: value.replace("{upstream}", upstream) for name, value in head.env}
        if head.dialects != "all":
            settings["VECHE_DIALECTS"] = head.dialects.replace(" ", "")
        super().__init__(folder, {name: value for name, value in settings.items() if value})
        self.head = head
        self.upstream = upstream
        self._has_demo = False
        self._fence: tuple[str, dict[str, object], dict[str, str]] | None = None

    def start(self) -> Self:
        if self.head.demo and not self._has_demo:
            self._run_demo()
            self._has_demo = True
        return super().start()

    def send_sigterm(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _run_demo(self) -> None:
        done = run_veche("demo", "--database-url", self.database_url, settings=self.settings)
        assert done.returncode == 0, done.stderr

    def fence(self) -> None:
        """Wait until all earlier commands are stored, and until all nodes know it."""
        self.store_on_each_node()
        if len(self.nodes) > 1 and self._serves_native():
            self._let_nodes_hear_each_other()
        elif len(self.nodes) > 1:
            self._let_nodes_turn()
            time.sleep(SILENCE_BETWEEN_NODES)
            self._let_nodes_turn()

    def store_on_each_node(self) -> None:
        """Wait until all earlier commands are stored."""
        for node in self.nodes:
            self._store(f"http://127.0.0.1:{node.port}")

    def _store(self, base: str) -> None:
        """Store one more command that sends no frames."""
        if self._fence is None:
            self._fence = self._native_fence() if self._serves_native() else None
        if self._fence is not None:
            path, body, headers = self._fence
        else:
            path, body = _REGISTER[self.head.dialects.split(",")[0].strip()](new_handle("fence"))
            headers = {}
        answer = httpx.post(f"{base}{path}", json=body, headers=headers, timeout=TIMEOUT, trust_env=False)
        answer.raise_for_status()

    def _let_nodes_hear_each_other(self) -> None:
        """Change a name on each node, and wait until the others show it: they have what was stored before it, too."""
        assert self._fence is not None
        headers = self._fence[2]
        hello = {"token": headers["Authorization"].partition(" ")[2], "rooms": {}}
        for node in self.nodes:
            with contextlib.ExitStack() as closing:
                sockets = []
                for other in self.nodes:
                    if other is not node:
                        url = f"ws://127.0.0.1:{other.port}/v1/socket"
                        sockets.append(closing.enter_context(connect(url, proxy=None, ping_interval=None)))
                        sockets[-1].send(json.dumps({"id": 1, "hello": hello}))
                        _receive_until(sockets[-1], '"caught_up"')
                url, name = f"http://127.0.0.1:{node.port}/v1/me", new_handle("fence")
                answer = httpx.patch(url, json={"name": name}, headers=headers, timeout=TIMEOUT, trust_env=False)
                answer.raise_for_status()
                for socket in sockets:
                    _receive_until(socket, name)

    def _let_nodes_turn(self) -> None:
        """Let each node answer a few requests, however busy the machine is: in each turn it tells and hears, too."""
        for _ in range(3):
            for node in self.nodes:
                url = f"http://127.0.0.1:{node.port}/healthz"
                httpx.get(url, timeout=TIMEOUT, trust_env=False).raise_for_status()

    def _serves_native(self) -> bool:
        return self.head.dialects == "all" or "native" in self.head.dialects

    def _native_fence(self) -> tuple[str, dict[str, object], dict[str, str]]:
        body = {"username": f"fence.{os.getpid()}", "password": "correct horse"}
        answer = httpx.post(f"{self.base}/v1/register", json=body, timeout=TIMEOUT, trust_env=False)
        token = answer.raise_for_status().json()["token"]
        return f"/v1/rooms/{LOBBY}/read", {"seq": 0}, {"Authorization": f"Bearer {token}"}


def _receive_until(socket: ClientConnection, text: str) -> None:
    while text not in (frame := str(socket.recv(TIMEOUT))):
        if frame == "{}":  # a heartbeat
            socket.send(frame)


_REGISTER: dict[str, Callable[[str], tuple[str, dict[str, object]]]] = {
    "dispatch": lambda name: ("/signup", {"username": name, "password": "fence123"}),
    "rooms": lambda name: (
        "/register",
        {"username": name, "email": f"{name}@example.com", "password": "correct horse"},
    ),
    "socketio": lambda name: ("/api/auth/register", {"username": name, "password": "correct horse"}),
    "channels": lambda name: ("/api/v1/register", {"username": name, "password": "Correct1horse"}),
    "messenger": lambda name: ("/register", {"email": f"{name}@example.com", "password": "correct horse"}),
}


class Servers:
    """All servers of a test run, by the head of their transcripts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shared: dict[Head, RunningServer] = {}
        self._upstream: Server | None = None

    def new(self, head: Head) -> RunningServer:
        folder = self._folder / f"{next(_numbers)}"
        folder.mkdir()
        running = RunningServer(folder, head, upstream=self._upstream_url() if head.upstream else "")
        running.start()
        return running

    def shared(self, head: Head) -> RunningServer:
        if head not in self._shared:
            self._shared[head] = self.new(head)
        return self._shared[head]

    def stop(self) -> None:
        if self._upstream is not None:
            self._upstream.shutdown()
        for running in self._shared.values():
            running.end()

    def _upstream_url(self) -> str:
        if self._upstream is None:
            self._upstream = serve(_echo, "127.0.0.1", 0)
            threading.Thread(target=self._upstream.serve_forever, daemon=True).start()
        return f"ws://127.0.0.1:{self._upstream.socket.getsockname()[1]}"


def _echo(socket: ServerConnection) -> None:
    """Greet and echo, as wss://echo.websocket.org does; close at the text `die`."""
    socket.send("Request served by a test")
    with contextlib.suppress(ConnectionClosed):
        for text in socket:
            if text == "die":
                socket.close(1011)
            socket.send(text)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    found = Servers(tmp_path_factory.mktemp("transcripts"))
    yield found
    found.stop()
