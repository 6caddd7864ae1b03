"""One server for the tests that no transcript can express, people, and the real client."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from messenger.harness import TIMEOUT, LiveServer
from websockets.sync.client import ClientConnection, connect

from tests import programs
from tests.programs import SOCKETIO_CLIENT, MissingError

_numbers = itertools.count(1)


@dataclass
class Client:
    """A Socket.IO client that sends and receives raw Engine.IO frames."""

    socket: ClientConnection

    def send(self, *packets: str) -> None:
        for packet in packets:
            self.socket.send(packet)

    def emit(self, *data: object, name: str = "message") -> None:
        self.send(f"42{json.dumps([name, *data])}")

    def frame(self) -> str:
        frame = self.socket.recv(TIMEOUT)
        assert isinstance(frame, str)
        return frame

    def receive(self) -> Any:
        """Return the data of the next frame, which must be a `message`."""
        frame = self.frame()
        assert frame.startswith("42"), frame
        name, data = json.loads(frame[2:])
        assert name == "message"
        return data

    def expect_next(self, text: str) -> None:
        """Check that the next message has this text."""
        data = self.receive()
        assert (data if isinstance(data, str) else data["text"]) == text


@dataclass
class Person:
    """A person who has signed up, and their open sockets."""

    server: LiveServer
    name: str
    id: int
    token: str
    sockets: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def http(self) -> httpx.Client:
        return self.server.http(self.token)

    def connect(self) -> Client:
        client = self.open()
        client.send(f"40{json.dumps({'token': self.token})}")
        assert client.frame().startswith('40{"sid":"')
        return client

    def open(self) -> Client:
        """Open a WebSocket without entering a namespace."""
        address = f"{self.server.base.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket"
        socket = connect(address, open_timeout=TIMEOUT, close_timeout=TIMEOUT, proxy=None, max_queue=None)
        client = Client(self.sockets.enter_context(socket))
        assert client.frame().startswith('0{"sid":"')
        return client


NewPerson = Callable[[str], Person]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("socketio")) as served:
        yield served


@pytest.fixture
def new_person(server: LiveServer) -> Iterator[NewPerson]:
    """Return a function that signs a new person up: `ann = new_person("ann")`."""
    with contextlib.ExitStack() as leaving:

        def person(name: str) -> Person:
            body = {"username": f"{name}{next(_numbers)}", "password": "pw"}
            with server.http() as http:
                found = http.post("/api/auth/register", json=body).raise_for_status().json()
            made = Person(server, body["username"], found["user"]["id"], found["token"])
            leaving.enter_context(made.sockets)
            return made

        yield person


@pytest.fixture
def http(server: LiveServer) -> Iterator[httpx.Client]:
    """A client without a token."""
    with server.http() as client:
        yield client


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder of the real client."""
    try:
        return programs.node_modules(SOCKETIO_CLIENT)
    except MissingError as missing:
        programs.skip(missing)
