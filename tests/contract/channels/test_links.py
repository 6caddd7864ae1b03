"""GET /echo_ws and GET /pub_ws: the links that they return can be opened."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
from base64 import urlsafe_b64decode
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from messenger.harness import TIMEOUT, LiveServer, receive

from .conftest import PASSWORD, NewPerson, Person


@pytest.mark.parametrize("name", ["ann", "Пётр", "a b", "a/b", "100%", "a%2Fb", "a?b#c", "..", "é&=+;"])
def test_the_link_of_every_name_can_be_opened(new_person: NewPerson, name: str) -> None:
    somebody = new_person(name)
    assert urlsplit(somebody.link("pub_ws")).path.count("/") == 2
    assert receive(somebody.connect("pub_ws")) == f"Приветствую в чате, {somebody.name}!"


@pytest.mark.one_node("it compares the port")
def test_the_host_is_that_of_the_request(new_person: NewPerson) -> None:
    ann = new_person("ann")
    assert ann.link("echo_ws").startswith(f"{ann.server.base.replace('http', 'ws')}/echo_ws/{ann.name}?ticket=")
    for host in ("chat.example", "chat.example:8443", "[::1]:8000", "[", "a b", "]:x", "x" * 3_000):
        assert ann.link("echo_ws", Host=host).startswith(f"ws://{host}/echo_ws/{ann.name}?ticket=")


def test_a_request_without_a_host(new_person: NewPerson) -> None:
    ann = new_person("ann")
    name, port = ann.server.base.removeprefix("http://").split(":")
    with socket.create_connection((name, int(port)), TIMEOUT) as raw:
        raw.sendall(f"GET /echo_ws HTTP/1.0\r\nAuthorization: {ann.http.headers['Authorization']}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65_536), b"")).decode()
    assert f'{{"link":"ws://{name}:{port}/echo_ws/{ann.name}?ticket=' in answer


def test_only_trusted_proxies_can_claim_tls(new_person: NewPerson, tmp_path: Path) -> None:
    headers = {"X-Forwarded-Proto": "https"}
    assert new_person("ann").link("echo_ws", **headers).startswith("ws://")
    with LiveServer(tmp_path, {"TRUSTED_PROXIES": "127.0.0.1", "CHANNELS_HOST": "chat.example"}) as server:
        bob = Person.new(server, "bob")
        assert bob.link("echo_ws", **headers).startswith("wss://chat.example/echo_ws/")
        assert bob.link("echo_ws", **{"X-Forwarded-Proto": "http"}).startswith("ws://chat.example/")
        assert bob.link("pub_ws").startswith("ws://chat.example/pub_ws/")
        bob.close()


def test_a_token_lives_for_half_an_hour_and_a_ticket_for_five_minutes(new_person: NewPerson) -> None:
    ann = new_person("ann")
    assert _lifetime(ann.http.headers["Authorization"].removeprefix("Bearer ")) == 30 * 60
    for channel in ("echo_ws", "pub_ws"):
        assert _lifetime(ann.link(channel).partition("?ticket=")[2]) == 5 * 60


def _lifetime(token: str) -> int:
    claims = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
    return int(claims["exp"]) - int(claims["iat"])


DOT_SEGMENTS = {".", "..", "%2e", ".%2e", "%2e.", "%2e%2e"}
"""The path segments that clients remove, in lower case (WHATWG URL Standard, 4.1)."""


@pytest.mark.one_node("it looks into the SQLite file")
@pytest.mark.parametrize("name", [".", ".."])
@pytest.mark.parametrize("open_links", ["false", "true"])
def test_the_links_of_an_old_account_with_a_name_of_dots(tmp_path: Path, name: str, open_links: str) -> None:
    """New accounts cannot have these names, but accounts of older versions may."""
    settings = {"CHANNELS_OPEN_LINKS": open_links}
    with LiveServer(tmp_path, settings) as server:
        ann = Person.new(server, "ann")
        ann.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "veche.db")) as database, database:
        names = {"name": name, "before": ann.name}
        changed = database.execute("UPDATE accounts SET username=:name, handle=:name WHERE username=:before", names)
        assert changed.rowcount == 1
    with LiveServer(tmp_path, settings) as server, server.http() as http:
        token = http.post("/login", json={"username": name, "password": PASSWORD}).raise_for_status().json()["token"]
        dots = Person(server, name, server.http(token))
        for channel in ("echo_ws", "pub_ws"):
            assert urlsplit(dots.link(channel)).path.rpartition("/")[2].lower() not in DOT_SEGMENTS
        assert receive(dots.connect("pub_ws")) == f"Приветствую в чате, {name}!"
        dots.close()
