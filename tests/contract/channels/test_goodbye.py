"""The server closes sockets that answer no ping or read too slowly."""

from __future__ import annotations

import json
from pathlib import Path

from messenger.harness import LiveServer, closed_with, receive
from websockets.sync.client import connect

from veche.core.values import LOBBY_ID

from .conftest import Person, echo_history

LINES = 100


def test_a_client_that_answers_no_ping_is_closed(tmp_path: Path) -> None:
    with LiveServer(tmp_path, {"PING_SECONDS": "0.5", "PONG_SECONDS": "0.4"}) as server:
        ann = Person.new(server, "ann")
        deaf = ann.connect("echo_ws", max_queue=1)
        texts = [f"{number}" for number in range(10)]
        for text in texts:  # a full queue keeps the client from reading the pings that follow
            deaf.send(text)
        while not ann.history:
            pass
        assert closed_with(deaf) == 1011
        assert ann.history == echo_history(*texts)
        ann.close()


def test_a_client_that_reads_too_slowly_is_closed(tmp_path: Path) -> None:
    with LiveServer(tmp_path, {"PING_SECONDS": "10", "PONG_SECONDS": "9", "STALL_SECONDS": "0.5"}) as server:
        ann, bob = Person.new(server, "ann"), Person.new(server, "bob")
        quick, slow = ann.connect("pub_ws"), bob.connect("pub_ws", max_queue=1)
        assert receive(quick) == f"Приветствую в чате, {ann.name}!"
        for number in range(LINES):
            text = f"{number}".ljust(60_000)
            quick.send(text)
            assert receive(quick) == f"{ann.name}: {text}"
        while bob.name in _present(ann):
            pass
        assert closed_with(slow) == 1013
        ann.close()
        bob.close()


def _present(person: Person) -> set[str]:
    """Ask the native dialect for the usernames with an open socket in the lobby."""
    token = person.http.headers["Authorization"].removeprefix("Bearer ")
    with connect(f"{person.server.base.replace('http', 'ws')}/v1/socket", proxy=None) as socket:
        socket.send(json.dumps({"id": 1, "hello": {"token": token, "rooms": {LOBBY_ID: LINES}}}))
        socket.send(json.dumps({"id": 2, "who": {"room_id": LOBBY_ID}}))
        while True:
            answer = json.loads(receive(socket))
            if "who" in answer:
                return {somebody["username"] for somebody in answer["who"]["online"]}
