"""What these tests stand on: `veche serve` as people run it, and a person at its REST and its sockets."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

VECHE = Path(sys.executable).with_name("veche")
SECRET = "a secret of these tests alone, long enough"
PASSWORD = "secretpassword"
PATIENCE = 10.0  # seconds that any single wait may take

_numbers = itertools.count(1)


@dataclass
class Served:
    """`veche serve` on a free port, over a database in a folder of its own."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    base: str = ""
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder / 'veche.db'}"

    def __enter__(self) -> Self:
        usual = {"SECRET": SECRET, "WRONG_LOGINS_PER_MINUTE": "10000", "LOGINS_PER_MINUTE": "100000"}
        env = {name: value for name, value in os.environ.items() if not name.startswith("VECHE_")}
        env |= {f"VECHE_{name}": value for name, value in {**usual, **self.settings}.items()}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [VECHE, "serve", "--port", "0", "--database-url", self.url],
                env=env,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        greeting = self.process.stdout.readline()
        found = re.search(r"http://[0-9.:]+", greeting)
        assert found, f"no address in {greeting!r}: {self.log}"
        self.base = found[0]
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def tell_to_stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        if self.process is not None:
            self.tell_to_stop()
            assert self.process.wait(30) == 0
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def http(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.base, headers=headers, timeout=PATIENCE, trust_env=False, verify=False)

    def listen(self, chat_id: object, token: str | None, **options: Any) -> AbstractContextManager[ClientConnection]:
        query = "" if token is None else f"?token={token}"
        address = f"{self.base.replace('http', 'ws')}/ws/{chat_id}{query}"
        found: AbstractContextManager[ClientConnection] = connect(
            address, open_timeout=PATIENCE, close_timeout=PATIENCE, proxy=None, **options
        )
        return found

    def refuses(self, chat_id: object, token: str | None) -> int:
        """The status with which the handshake is refused; 101 where it is not."""
        try:
            with self.listen(chat_id, token):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code


@dataclass
class Person:
    """Somebody who has signed in, with the sockets that they have open."""

    server: Served
    id: int
    email: str
    token: str
    http: httpx.Client
    sockets: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @classmethod
    def new(cls, server: Served, name: str) -> Person:
        email = f"{name}{next(_numbers)}.{os.getpid()}@example.com"
        with server.http() as http:
            body = {"email": email, "password": PASSWORD, "name": name.title()}
            id = http.post("/register", json=body).raise_for_status().json()["id"]
        return cls.known(server, email, PASSWORD, id)

    @classmethod
    def known(cls, server: Served, email: str, password: str, id: int) -> Person:
        with server.http() as http:
            answer = http.post("/login", json={"email": email, "password": password}).raise_for_status()
        token = answer.json()["access_token"]
        return cls(server, id, email, token, server.http(token))

    def hang_up(self) -> None:
        self.sockets.close()

    def leave(self) -> None:
        self.hang_up()
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


def heard(socket: ClientConnection) -> str:
    """The next frame."""
    frame = socket.recv(PATIENCE)
    assert isinstance(frame, str)
    return frame


def closed_with(socket: ClientConnection) -> int | None:
    """Read on to the end; the code with which the server closed."""
    try:
        while True:
            socket.recv(PATIENCE)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


@contextlib.contextmanager
def undisturbed(*sockets: ClientConnection, by: Person, chat_id: int) -> Iterator[None]:
    """Whatever happens inside, these sockets hear nothing of it, and go on hearing what is said later."""
    yield
    by.post(chat_id, "и всё")
    for socket in sockets:
        assert '"text":"и всё"' in heard(socket)


def say(socket: ClientConnection, text: str, **more: object) -> None:
    socket.send(json.dumps({"type": "message", "text": text, **more}))


def mark(socket: ClientConnection, message_id: object) -> None:
    socket.send(json.dumps({"type": "read", "message_id": message_id}))


def text_of(socket: ClientConnection) -> str:
    frame = json.loads(heard(socket))
    assert frame["type"] == "message"
    text: str = frame["text"]
    return text
