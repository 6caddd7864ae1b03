"""One running server for all tests of the contract, and people at their terminals."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from messenger.harness import PATIENCE, Served
from websockets.sync.client import ClientConnection, connect

PASSWORD = "pw"
_numbers = itertools.count(1)


@dataclass
class Terminal:
    """Somebody who has signed up, with the sockets that they have open."""

    server: Served
    name: str
    sockets: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def sign_in(self) -> str:
        with self.server.http() as http:
            body = {"username": self.name, "password": PASSWORD}
            return http.post("/signin", json=body).raise_for_status().text

    def open(self, max_queue: int | None = None) -> ClientConnection:
        """A socket that has said nothing yet."""
        address = f"{self.server.base.replace('http', 'ws')}/connect"
        opening = connect(address, open_timeout=PATIENCE, close_timeout=PATIENCE, proxy=None, max_queue=max_queue)
        socket: ClientConnection = self.sockets.enter_context(opening)
        return socket

    def connect(self, token: str | None = None, max_queue: int | None = None) -> ClientConnection:
        socket = self.open(max_queue)
        socket.send(token or self.sign_in())
        return socket


Meet = Callable[..., Terminal]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("dispatch")) as served:
        yield served


@pytest.fixture
def meet(server: Served) -> Iterator[Meet]:
    """Makes people who have signed up: `ann = meet("ann")`."""
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
def http(server: Served) -> Iterator[httpx.Client]:
    """Somebody without a token."""
    with server.http() as client:
        yield client
