"""One server for all tests of the dialect, and people with terminals."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from messenger.harness import TIMEOUT, LiveServer
from websockets.sync.client import ClientConnection, connect

PASSWORD = "pw"
_numbers = itertools.count(1)


@dataclass
class Terminal:
    """A person who has signed up, and their open sockets."""

    server: LiveServer
    name: str
    sockets: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def sign_in(self) -> str:
        with self.server.http() as http:
            body = {"username": self.name, "password": PASSWORD}
            return http.post("/signin", json=body).raise_for_status().text

    def open(self, max_queue: int | None = None) -> ClientConnection:
        """Open a socket without sending the token."""
        address = f"{self.server.base.replace('http', 'ws')}/connect"
        opening = connect(address, open_timeout=TIMEOUT, close_timeout=TIMEOUT, proxy=None, max_queue=max_queue)
        socket: ClientConnection = self.sockets.enter_context(opening)
        return socket

    def connect(self, token: str | None = None, max_queue: int | None = None) -> ClientConnection:
        socket = self.open(max_queue)
        socket.send(token or self.sign_in())
        return socket


NewPerson = Callable[..., Terminal]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("dispatch")) as served:
        yield served


@pytest.fixture
def new_person(server: LiveServer) -> Iterator[NewPerson]:
    """Return a function that signs a new person up: `ann = new_person("ann")`."""
    with contextlib.ExitStack() as leaving:

        def person(name: str = "eve") -> Terminal:
            name = f"{name}{next(_numbers)}"
            with server.http() as http:
                http.post("/signup", json={"username": name, "password": PASSWORD}).raise_for_status()
            terminal = Terminal(server, name)
            leaving.enter_context(terminal.sockets)
            return terminal

        yield person


@pytest.fixture
def http(server: LiveServer) -> Iterator[httpx.Client]:
    """A client without a token."""
    with server.http() as client:
        yield client
