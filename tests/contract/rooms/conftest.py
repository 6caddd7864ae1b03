"""One server for all tests of the dialect, and people with a token and rooms."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from messenger.harness import TIMEOUT, LiveServer, receive
from websockets.sync.client import ClientConnection, connect

PASSWORD = "secretpassword"
_numbers = itertools.count(1)


@dataclass
class Member:
    """A person who has signed in, and their open sockets."""

    server: LiveServer
    id: int
    name: str
    token: str
    http: httpx.Client
    sockets: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @classmethod
    def new(cls, server: LiveServer, name: str) -> Member:
        name = f"{name}{next(_numbers)}"
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        with server.http() as http:
            id = http.post("/register", json=body).raise_for_status().json()["id"]
            token = http.put("/login", json=body).raise_for_status().json()["token"]
        http = server.http()
        http.headers["Authorization"] = token
        return cls(server, id, name, token, http)

    def close(self) -> None:
        self.sockets.close()
        self.http.close()

    def make_room(self, *others: Member) -> int:
        """Create a room with the others as members; return its id."""
        body = {"name": f"room{next(_numbers)}", "is_private": False}
        id: int = self.http.post("/create-room", json=body).raise_for_status().json()["id"]
        for other in others:
            other.http.put("/join", json={"room_id": id}).raise_for_status()
        return id

    def connect(self, room_id: int | None = None, max_queue: int | None = None) -> ClientConnection:
        """Open a socket, and join a room if one is given."""
        address = f"{self.server.base.replace('http', 'ws')}/ws?token={self.token}"
        opening = connect(address, open_timeout=TIMEOUT, close_timeout=TIMEOUT, proxy=None, max_queue=max_queue)
        socket: ClientConnection = self.sockets.enter_context(opening)
        if room_id is not None:
            send_frame(socket, "join", room_id)
            assert receive_line(socket) == ("system", f"{self.name} joined the room")
        return socket

    def native(self, method: str, path: str, **body: object) -> httpx.Response:
        """Make a call of the native dialect, with the same token."""
        with self.server.http(self.token) as http:
            return http.request(method, f"/v1{path}", json=body or None).raise_for_status()

    def stored(self, room_id: int) -> list[tuple[str, str]]:
        """Return all messages of a room as sender and text."""
        found: list[dict[str, Any]] = []
        more = True
        while more:
            after = found[-1]["seq"] if found else 0
            page = self.native("GET", f"/rooms/{room_id}/messages?limit=200&after_seq={after}").json()
            found += page["items"]
            more = page["has_more_after"]
        return [(message["sender"]["username"], message["text"]) for message in found]


def send_frame(socket: ClientConnection, type: str, content: object = "") -> None:
    socket.send(json.dumps({"type": type, "content": str(content)}))


def receive_line(socket: ClientConnection) -> tuple[str, str]:
    """Return the next frame as sender and text."""
    frame = receive(socket)
    assert frame.endswith("\n")
    line = json.loads(frame)
    assert list(line) == ["username", "text", "timestamp"]
    return line["username"], line["text"]


def receive_until(socket: ClientConnection, text: str) -> list[tuple[str, str]]:
    """Return all frames up to one with this text."""
    lines = [receive_line(socket)]
    while lines[-1][1] != text:
        lines.append(receive_line(socket))
    return lines


NewPerson = Callable[..., Member]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("rooms")) as served:
        yield served
        assert "Traceback" not in served.log


@pytest.fixture(scope="session")
def shared_people(server: LiveServer) -> Iterator[list[Member]]:
    """Two people for all tests: signing up is slow, because hashing a password is."""
    people = [Member.new(server, name) for name in ("ann", "bob")]
    yield people
    for somebody in people:
        somebody.close()


@pytest.fixture
def ann(shared_people: list[Member]) -> Iterator[Member]:
    yield shared_people[0]
    shared_people[0].sockets.close()


@pytest.fixture
def bob(shared_people: list[Member]) -> Iterator[Member]:
    yield shared_people[1]
    shared_people[1].sockets.close()


@pytest.fixture
def new_person(server: LiveServer) -> Iterator[NewPerson]:
    """Return a function that signs a new person in: `eve = new_person("eve")`."""
    people: list[Member] = []

    def person(name: str = "eve") -> Member:
        people.append(Member.new(server, name))
        return people[-1]

    yield person
    for somebody in people:
        somebody.close()


@pytest.fixture
def http(server: LiveServer) -> Iterator[httpx.Client]:
    """A client without a token."""
    with server.http() as client:
        yield client
