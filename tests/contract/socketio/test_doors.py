"""One lobby behind many doors: each hears the others in its own form."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest
from messenger.harness import PATIENCE, Served
from websockets.sync.client import ClientConnection, connect

from .conftest import LOBBY, Client, Meet, Person


@contextlib.contextmanager
def socket_at(server: Served, path: str, first: str) -> Iterator[ClientConnection]:
    address = server.base.replace("http", "ws") + path
    with connect(address, open_timeout=PATIENCE, proxy=None, max_queue=None) as socket:
        socket.send(first)
        yield socket


@pytest.fixture
def ann(meet: Meet) -> Person:
    return meet("ann")


def heard_by(client: Client) -> tuple[str, str, int]:
    said = client.heard()
    return said["author"], said["text"], said["userId"]


def test_a_terminal_of_dispatch(meet: Meet, ann: Person, server: Served) -> None:
    bob = meet("bob")
    client = ann.connect()
    with socket_at(server, "/connect", bob.token) as terminal:
        terminal.send("from the terminal")
        assert heard_by(client) == (bob.name, "from the terminal", bob.id)
        client.emit({"id": "a", "text": "an object"})
        client.emit("a string")
        lines: list[dict[str, object]] = []
        while not lines or lines[-1]["body"] != "a string":
            lines.append(json.loads(terminal.recv(PATIENCE)))
        assert [(line["from"], line["body"]) for line in lines[-2:]] == [
            (ann.name, "an object"),
            (ann.name, "a string"),
        ]


def test_a_native_client(meet: Meet, ann: Person, server: Served) -> None:
    bob = meet("bob")
    client = ann.connect()
    with socket_at(server, "/v1/socket", json.dumps({"id": 0, "hello": {"token": bob.token}})) as native:
        native.send(json.dumps({"id": 2, "join": {"room_id": LOBBY}}))
        while '"id":2' not in native.recv(PATIENCE):
            pass
        client.emit("a string")
        while "a string" not in (frame := native.recv(PATIENCE)):
            pass
        assert json.loads(frame)["message"]["sender"]["id"] == ann.id
        client.hears_next("a string")
        native.send(json.dumps({"id": 1, "send": {"room_id": LOBBY, "text": "hi", "client_message_id": "string:1"}}))
        assert heard_by(client) == (bob.name, "hi", bob.id)


def test_a_public_channel(meet: Meet, ann: Person, server: Served) -> None:
    bob = meet("bob")
    client = ann.connect()
    with bob.http() as http:
        http.post(
            f"/v1/rooms/{LOBBY}/messages", json={"text": "by REST", "client_message_id": "x:1"}
        ).raise_for_status()
    said = client.heard()
    assert (said["author"], said["text"]) == (bob.name, "by REST")
    assert type(said["id"]) is int  # another door's client id is not shown
    client.emit("hi")
    client.hears_next("hi")
