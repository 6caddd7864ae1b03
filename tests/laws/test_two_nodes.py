"""Two nodes on one PostgreSQL: what used to be decided by looking into one process is decided for both."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.chaos.rolling import Workers

SECONDS = 20.0
PASSWORD = "Secret123"


@dataclass
class Nodes:
    """Two nodes, which are not started yet."""

    first: Workers
    second: Workers


@pytest.fixture
def nodes(tmp_path: Path, postgres_url: str) -> Iterator[Nodes]:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    found = Nodes(*(Workers(folder, {"VECHE_BUS_URL": "postgresql"}, stored_at=postgres_url) for folder in folders))
    yield found
    for node in (found.first, found.second):
        with contextlib.suppress(AssertionError):  # it was not started, or has ended
            node.end()


def sign_in(node: Workers, name: str) -> str:
    body = {"username": name, "password": PASSWORD}
    httpx.post(f"{node.base}/api/v1/register", json=body)
    token: str = httpx.post(f"{node.base}/api/v1/login", json=body).raise_for_status().json()["token"]
    return token


def open_socket(node: Workers, token: str, channel: str) -> ClientConnection:
    headers = {"Authorization": f"Bearer {token}"}
    link = httpx.get(f"{node.base}/{channel}", headers=headers).raise_for_status().json()["link"]
    return connect(link, open_timeout=SECONDS, proxy=None)


def say(node: Workers, token: str, text: str) -> None:
    with open_socket(node, token, "pub_ws") as socket:
        socket.send(text)
        while text not in str(socket.recv(SECONDS)):
            pass


def first_text(node: Workers, token: str) -> str:
    """Return the first text that a new client of the public channel gets, after the greeting."""
    with open_socket(node, token, "pub_ws") as socket:
        assert "ann!" in str(socket.recv(SECONDS))
        return str(socket.recv(SECONDS))


def history(node: Workers, token: str) -> list[str]:
    found = httpx.get(f"{node.base}/history", headers={"Authorization": f"Bearer {token}"}).raise_for_status().json()
    return [line["message"] for line in found]


@pytest.mark.timeout(180)
def test_the_lobby_begins_with_the_first_node_that_is_alive(nodes: Nodes) -> None:
    with nodes.first as node:
        token = sign_in(node, "ann")
        say(node, token, "before")
    nodes.first.start()
    say(nodes.first, token, "by the first")
    nodes.second.start()
    assert "by the first" in first_text(nodes.second, token), "and not what was said before the first node started"
    nodes.first.end()
    nodes.first.start()
    assert "by the first" in first_text(nodes.first, token), "the second one was alive all the time"


@pytest.mark.timeout(180)
def test_a_node_ends_only_echoes_of_nodes_that_are_no_more(nodes: Nodes) -> None:
    nodes.first.start()
    nodes.second.start()
    token = sign_in(nodes.first, "ann")
    with open_socket(nodes.first, token, "echo_ws") as socket:
        socket.send("hello")
        assert socket.recv(SECONDS) == "hello"
        nodes.second.end()
        nodes.second.start()
        assert history(nodes.second, token) == [], "the conversation goes on with the first node"
        socket.send("again")
        assert socket.recv(SECONDS) == "again"
        nodes.first.end(signal.SIGKILL)
        nodes.second.end()
        nodes.second.start()
        assert history(nodes.second, token) == ["hello", "hello", "again", "again"]
