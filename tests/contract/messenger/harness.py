"""The harness of these tests: a `veche serve` process, and a person with REST calls and sockets."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.veche_process import VecheProcess

SECRET = "a secret of these tests alone, long enough"
PASSWORD = "secretpassword"
TIMEOUT = 10.0  # seconds for any single wait
USUAL = {
    "SECRET": SECRET,
    "WRONG_LOGINS_PER_MINUTE": "10000",
    "LOGINS_PER_MINUTE": "100000",
    "REGISTRATIONS_AT_ONCE": "100000",
    "ROOMS_PER_HOUR": "100000",  # one group for each test
    "ROOMS_INTO_PER_HOUR": "100000",
}

_numbers = itertools.count(1)


class LiveServer(VecheProcess):
    """A server for many tests. The names of `settings` are without VECHE_."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        super().__init__(folder, {f"VECHE_{name}": value for name, value in (USUAL | (settings or {})).items()})

    def send_sigterm(self) -> None:
        self.send_signal(signal.SIGTERM)

    def http(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.base, headers=headers, timeout=TIMEOUT, trust_env=False, verify=False)

    def listen(self, chat_id: object, token: str | None, **options: Any) -> AbstractContextManager[ClientConnection]:
        query = "" if token is None else f"?token={token}"
        address = f"{self.base.replace('http', 'ws')}/ws/{chat_id}{query}"
        found: AbstractContextManager[ClientConnection] = connect(
            address, open_timeout=TIMEOUT, close_timeout=TIMEOUT, proxy=None, **options
        )
        return found

    def handshake_status(self, chat_id: object, token: str | None) -> int:
        """Return the status of a handshake: 101, or that of its refusal."""
        try:
            with self.listen(chat_id, token):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code


@dataclass
class Person:
    """A person who has signed in, and their open sockets."""

    server: LiveServer
    id: int
    email: str
    token: str
    http: httpx.Client
    sockets: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @classmethod
    def new(cls, server: LiveServer, name: str) -> Person:
        email = f"{name}{next(_numbers)}.{os.getpid()}@example.com"
        with server.http() as http:
            body = {"email": email, "password": PASSWORD, "name": name.title()}
            id = http.post("/register", json=body).raise_for_status().json()["id"]
        return cls.known(server, email, PASSWORD, id)

    @classmethod
    def known(cls, server: LiveServer, email: str, password: str, id: int) -> Person:
        with server.http() as http:
            answer = http.post("/login", json={"email": email, "password": password}).raise_for_status()
        token = answer.json()["access_token"]
        return cls(server, id, email, token, server.http(token))

    def close_sockets(self) -> None:
        self.sockets.close()

    def close(self) -> None:
        self.close_sockets()
        self.http.close()

    def make_chat(self, *others: Person, kind: str = "group", name: str = "Разговор") -> int:
        body = {"name": name, "chat_type": kind, "member_ids": [other.id for other in others]}
        id: int = self.http.post("/chats", json=body).raise_for_status().json()["id"]
        return id

    def listen(self, chat_id: int, **options: Any) -> ClientConnection:
        socket: ClientConnection = self.sockets.enter_context(self.server.listen(chat_id, self.token, **options))
        return socket

    def post(self, chat_id: int, text: str, **more: object) -> dict[str, Any]:
        answer = self.http.post(f"/chats/{chat_id}/messages", json={"text": text, **more})
        message: dict[str, Any] = answer.raise_for_status().json()
        return message

    def texts(self, chat_id: int) -> list[str]:
        return [message["text"] for message in self.http.get(f"/chats/{chat_id}/messages").raise_for_status().json()]


def receive(socket: ClientConnection) -> str:
    frame = socket.recv(TIMEOUT)
    assert isinstance(frame, str)
    return frame


def closed_with(socket: ClientConnection) -> int | None:
    """Read to the end; return the code with which the server closed."""
    try:
        while True:
            socket.recv(TIMEOUT)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


@contextlib.contextmanager
def expect_silence(*sockets: ClientConnection, by: Person, chat_id: int) -> Iterator[None]:
    """Check that the sockets receive nothing from the block, and still receive the message after it."""
    yield
    by.post(chat_id, "и всё")
    for socket in sockets:
        assert '"text":"и всё"' in receive(socket)


def send_message(socket: ClientConnection, text: str, **more: object) -> None:
    socket.send(json.dumps({"type": "message", "text": text, **more}))


def mark_read(socket: ClientConnection, message_id: object) -> None:
    socket.send(json.dumps({"type": "read", "message_id": message_id}))


def receive_text(socket: ClientConnection) -> str:
    frame = json.loads(receive(socket))
    assert frame["type"] == "message"
    text: str = frame["text"]
    return text
