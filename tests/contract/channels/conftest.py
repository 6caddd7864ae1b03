"""One server for all tests of the dialect, people with links, and an upstream that follows commands."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from messenger.harness import TIMEOUT, LiveServer
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

PASSWORD = "Secret123"
_numbers = itertools.count(1)


@dataclass
class Person:
    """A person who has signed in, and their open sockets."""

    server: LiveServer
    name: str
    http: httpx.Client
    sockets: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @classmethod
    def new(cls, server: LiveServer, name: str = "eve") -> Person:
        name = f"{name}{next(_numbers)}"
        body = {"username": name, "password": PASSWORD}
        with server.http() as http:
            http.post("/api/v1/register", json=body).raise_for_status()
            token = http.post("/api/v1/login", json=body).raise_for_status().json()["token"]
        return cls(server, name, server.http(token))

    def close(self) -> None:
        self.sockets.close()
        self.http.close()

    def link(self, channel: str, **headers: str) -> str:
        found: str = self.http.get(f"/{channel}", headers=headers).raise_for_status().json()["link"]
        return found

    def connect(self, channel: str, **options: Any) -> ClientConnection:
        """Open a socket with a new link."""
        options = {"open_timeout": TIMEOUT, "close_timeout": TIMEOUT, "proxy": None, "max_queue": None} | options
        socket: ClientConnection = self.sockets.enter_context(connect(self.link(channel), **options))
        return socket

    @property
    def history(self) -> list[tuple[str, str]]:
        found = self.http.get("/history").raise_for_status().json()
        assert all(list(line) == ["time", "source", "message"] for line in found)
        return [(line["source"], line["message"]) for line in found]


def echo_history(*texts: str) -> list[tuple[str, str]]:
    """Return the history of echoed texts: each once from the client and once from the server."""
    return [(source, text) for text in texts for source in ("client", "server")]


NewPerson = Callable[..., Person]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("channels")) as served:
        yield served


@pytest.fixture
def new_person(server: LiveServer) -> Iterator[NewPerson]:
    """Return a function that signs a new person in: `ann = new_person("ann")`."""
    with contextlib.ExitStack() as leaving:

        def person(name: str = "eve") -> Person:
            somebody = Person.new(server, name)
            leaving.callback(somebody.close)
            return somebody

        yield person


@pytest.fixture
def http(server: LiveServer) -> Iterator[httpx.Client]:
    """A client without a token."""
    with server.http() as client:
        yield client


class Upstream:
    """A WebSocket server that greets and echoes; some texts make it do something else."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.lines: list[str] = []
        self.asked = threading.Event()
        self.gone = threading.Event()
        self.may_answer = threading.Event()
        self._server = serve(self._serve, "127.0.0.1", 0)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def _serve(self, socket: ServerConnection) -> None:
        self.connections.append(socket)
        socket.send("Request served by a test")
        with contextlib.suppress(ConnectionClosed):
            for line in socket:
                assert isinstance(line, str)
                self._answer(socket, line)
        self.gone.set()

    def _answer(self, socket: ServerConnection, line: str) -> None:
        self.lines.append(line)
        self.asked.set()
        match line:
            case "wait":
                self.may_answer.wait(TIMEOUT)
                socket.send(line)
            case "binary":
                socket.send(b"binary")
            case "large":
                socket.send("x" * 65_537)
            case "drop":
                socket.socket.close()
            case "die":
                socket.close(1011)
            case "bye":
                socket.send(line)
                socket.close()
            case "silence":
                pass
            case _:
                socket.send(line)

    def stop(self) -> None:
        self.may_answer.set()
        self._server.shutdown()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    found = Upstream()
    yield found
    found.stop()
