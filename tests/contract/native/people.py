"""People who use the native dialect: REST calls, and sockets."""

from __future__ import annotations

import itertools
import json
import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

TIMEOUT = 15.0
PASSWORD = "correct horse"
LOBBY = 2147483647
_numbers = itertools.count(1)

Frame = dict[str, Any]


@dataclass
class Person:
    """A person who has registered, and their open sockets."""

    base: str
    id: int
    username: str
    token: str
    http: httpx.Client
    sockets: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def new(cls, base: str, name: str = "person") -> Person:
        http = httpx.Client(base_url=base, timeout=TIMEOUT, trust_env=False, verify=False)
        username = f"{name}.{os.getpid()}.{next(_numbers)}"
        answer = http.post("/v1/register", json={"username": username, "password": PASSWORD}).raise_for_status().json()
        http.headers["Authorization"] = f"Bearer {answer['token']}"
        return cls(base, answer["me"]["id"], username, answer["token"], http)

    def call(self, method: str, path: str, body: object = None, **query: Any) -> Any:
        answer = self.http.request(method, f"/v1{path}", json=body, params=query).raise_for_status()
        return answer.json() if answer.content else None

    def make_room(self, *others: Person, kind: str = "group") -> int:
        """Make a room, and let others join it who are invited."""
        body = {"kind": kind, "name": "Team", "member_ids": [other.id for other in others]}
        id: int = self.call("POST", "/rooms", body)["id"]
        for other in others:
            other.call("POST", f"/rooms/{id}/join")
        return id

    def bring(self, room: int, *others: Person) -> None:
        """Invite others into a room, and let them join."""
        for other in others:
            self.call("POST", f"/rooms/{room}/members", {"account_id": other.id})
            other.call("POST", f"/rooms/{room}/join")

    def socket(self, path: str = "/v1/socket") -> ClientConnection:
        address = f"{self.base.replace('http', 'ws', 1)}{path}"
        options: dict[str, Any] = {"proxy": None, "open_timeout": TIMEOUT, "ping_interval": None, "max_size": None}
        socket: ClientConnection = self.sockets.enter_context(connect(address, **options))
        return socket

    def listen(self, **hello: Any) -> tuple[ClientConnection, list[Frame]]:
        """Open a socket and send hello; return it with all frames up to `caught_up`."""
        socket = self.socket()
        socket.send(json.dumps({"id": 1, "hello": {"token": self.token, **hello}}))
        frames = [receive(socket)]
        while "caught_up" not in frames[-1]:
            frames.append(receive(socket))
        return socket, frames

    def close(self) -> None:
        self.sockets.close()
        self.http.close()


def receive(socket: ClientConnection) -> Frame:
    """Return the next frame; heartbeats are skipped."""
    while True:
        frame: Frame = json.loads(socket.recv(TIMEOUT))
        if frame:
            return frame


def send_command(socket: ClientConnection, id: int, **command: Any) -> list[Frame]:
    """Send a command; return all frames up to its answer, which is the last."""
    socket.send(json.dumps({"id": id, **command}))
    frames = [receive(socket)]
    while frames[-1].get("id") != id:
        frames.append(receive(socket))
    return frames


def receive_until_close(socket: ClientConnection) -> tuple[list[Frame], int | None]:
    """Return all frames up to the close, and the code with which the server closed."""
    frames: list[Frame] = []
    try:
        while True:
            frames.append(receive(socket))
    except ConnectionClosed as closed:
        return frames, closed.rcvd.code if closed.rcvd else None
