"""Sockets that the server gives up: who answers no ping, and who reads too slowly."""

from __future__ import annotations

import json
from pathlib import Path

from messenger.harness import Served, closed_with, heard
from websockets.sync.client import connect

from veche.core.values import LOBBY_ID

from .conftest import Person, both

LINES = 100


def test_who_answers_no_ping(tmp_path: Path) -> None:
    with Served(tmp_path, {"PING_SECONDS": "0.5", "PONG_SECONDS": "0.4"}) as server:
        ann = Person.new(server, "ann")
        deaf = ann.connect("echo_ws", max_queue=1)
        texts = [f"{number}" for number in range(10)]
        for text in texts:  # what is not taken from a queue that is full holds up the pings behind it
            deaf.send(text)
        while not ann.history:
            pass
        assert closed_with(deaf) == 1011
        assert ann.history == both(*texts)
        ann.leave()


def test_who_reads_too_slowly(tmp_path: Path) -> None:
    with Served(tmp_path, {"PING_SECONDS": "10", "PONG_SECONDS": "9", "STALL_SECONDS": "0.5"}) as server:
        ann, bob = Person.new(server, "ann"), Person.new(server, "bob")
        quick, slow = ann.connect("pub_ws"), bob.connect("pub_ws", max_queue=1)
        assert heard(quick) == f"Приветствую в чате, {ann.name}!"
        for number in range(LINES):
            text = f"{number}".ljust(60_000)
            quick.send(text)
            assert heard(quick) == f"{ann.name}: {text}"
        while bob.name in _present(ann):
            pass
        assert closed_with(slow) == 1013
        ann.leave()
        bob.leave()


def _present(person: Person) -> set[str]:
    """Who has a socket in the lobby, as the native dialect tells."""
    token = person.http.headers["Authorization"].removeprefix("Bearer ")
    with connect(f"{person.server.base.replace('http', 'ws')}/v1/socket", proxy=None) as socket:
        socket.send(json.dumps({"id": 1, "hello": {"token": token, "rooms": {LOBBY_ID: LINES}}}))
        socket.send(json.dumps({"id": 2, "who": {"room_id": LOBBY_ID}}))
        while True:
            answer = json.loads(heard(socket))
            if "who" in answer:
                return {somebody["username"] for somebody in answer["who"]["online"]}
