"""One running server for all tests of the contract, and people with a token, in its rooms."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from messenger.harness import PATIENCE, Served, heard
from websockets.sync.client import ClientConnection, connect

PASSWORD = "secretpassword"
_numbers = itertools.count(1)


@dataclass
class Member:
    """Somebody who has signed in, with the sockets that they have open."""

    server: Served
    id: int
    name: str
    token: str
    http: httpx.Client
    sockets: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @classmethod
    def new(cls, server: Served, name: str) -> Member:
        name = f"{name}{next(_numbers)}"
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        with server.http() as http:
            id = http.post("/register", json=body).raise_for_status().json()["id"]
            token = http.put("/login", json=body).raise_for_status().json()["token"]
        http = server.http()
        http.headers["Authorization"] = token
        return cls(server, id, name, token, http)

    def leave(self) -> None:
        self.sockets.close()
        self.http.close()

    def make_room(self, *others: Member) -> int:
        """A room that these are members of."""
        body = {"name": f"room{next(_numbers)}", "is_private": False}
        id: int = self.http.post("/create-room", json=body).raise_for_status().json()["id"]
        for other in others:
            other.http.put("/join", json={"room_id": id}).raise_for_status()
        return id

    def connect(self, room_id: int | None = None, max_queue: int | None = None) -> ClientConnection:
        """A socket, in a room or in none."""
        address = f"{self.server.base.replace('http', 'ws')}/ws?token={self.token}"
        opening = connect(address, open_timeout=PATIENCE, close_timeout=PATIENCE, proxy=None, max_queue=max_queue)
        socket: ClientConnection = self.sockets.enter_context(opening)
        if room_id is not None:
            do(socket, "join", room_id)
            assert said(socket) == ("system", f"{self.name} joined the room")
        return socket

    def native(self, method: str, path: str, **body: object) -> httpx.Response:
        """A call of the native contract, with the same token."""
        with self.server.http(self.token) as http:
            return http.request(method, f"/v1{path}", json=body or None).raise_for_status()

    def stored(self, room_id: int) -> list[tuple[str, str]]:
        """All that a room has stored: who, and what."""
        found: list[dict[str, Any]] = []
        more = True
        while more:
            after = found[-1]["seq"] if found else 0
            page = self.native("GET", f"/rooms/{room_id}/messages?limit=200&after_seq={after}").json()
            found += page["items"]
            more = page["has_more_after"]
        return [(message["sender"]["username"], message["text"]) for message in found]


def do(socket: ClientConnection, type: str, content: object = "") -> None:
    socket.send(json.dumps({"type": type, "content": str(content)}))


def said(socket: ClientConnection) -> tuple[str, str]:
    """The next frame: who, and what."""
    frame = heard(socket)
    assert frame.endswith("\n")
    line = json.loads(frame)
    assert list(line) == ["username", "text", "timestamp"]
    return line["username"], line["text"]


def said_until(socket: ClientConnection, text: str) -> list[tuple[str, str]]:
    """All frames up to one with this text."""
    lines = [said(socket)]
    while lines[-1][1] != text:
        lines.append(said(socket))
    return lines


Meet = Callable[..., Member]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("rooms")) as served:
        yield served
        assert "Traceback" not in served.log


@pytest.fixture(scope="session")
def residents(server: Served) -> Iterator[list[Member]]:
    """People who stay from test to test, because to sign up costs time on purpose."""
    people = [Member.new(server, name) for name in ("ann", "bob")]
    yield people
    for somebody in people:
        somebody.leave()


@pytest.fixture
def ann(residents: list[Member]) -> Iterator[Member]:
    yield residents[0]
    residents[0].sockets.close()


@pytest.fixture
def bob(residents: list[Member]) -> Iterator[Member]:
    yield residents[1]
    residents[1].sockets.close()


@pytest.fixture
def meet(server: Served) -> Iterator[Meet]:
    """Makes more people: `eve = meet("eve")`."""
    people: list[Member] = []

    def person(name: str = "eve") -> Member:
        people.append(Member.new(server, name))
        return people[-1]

    yield person
    for somebody in people:
        somebody.leave()


@pytest.fixture
def http(server: Served) -> Iterator[httpx.Client]:
    """Somebody without a token."""
    with server.http() as client:
        yield client
