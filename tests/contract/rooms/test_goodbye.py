"""A socket that answers no ping or reads too slowly is closed with a code, and the others get the notice."""

from __future__ import annotations

import json
from pathlib import Path

from messenger.harness import TIMEOUT, LiveServer, closed_with
from websockets.sync.client import connect

from .conftest import Member, receive_until, send_frame


def test_a_client_that_answers_no_ping_is_closed(tmp_path: Path) -> None:
    with LiveServer(tmp_path, {"PING_SECONDS": "0.5", "PONG_SECONDS": "0.4"}) as server:
        ann, bob = Member.new(server, "ann"), Member.new(server, "bob")
        room_id = ann.make_room(bob)
        quick, deaf = ann.connect(room_id), bob.connect(room_id, max_queue=1)
        for number in range(10):  # a full queue keeps the client from reading the pings that follow
            send_frame(quick, "message", number)
        receive_until(quick, f"{bob.name} leaved the room")
        assert closed_with(deaf) == 1011
        ann.close()
        bob.close()


def test_a_client_that_reads_too_slowly_is_closed(tmp_path: Path) -> None:
    settings = {"PING_SECONDS": "10", "PONG_SECONDS": "9", "STALL_SECONDS": "0.5", "ROOMS_TEXT_BYTES": "65000"}
    with LiveServer(tmp_path, settings) as server:
        ann, bob = Member.new(server, "ann"), Member.new(server, "bob")
        room_id = ann.make_room(bob)
        quick, slow = ann.connect(room_id), bob.connect(room_id, max_queue=1)
        for number in range(100):
            send_frame(quick, "message", f"{number}".ljust(60_000))
        while bob.id in _present(ann, room_id):
            pass
        assert closed_with(slow) == 1013
        receive_until(quick, f"{bob.name} leaved the room")
        ann.close()
        bob.close()


def _present(member: Member, room_id: int) -> set[int]:
    """Return the ids of the accounts with a socket in the room, as the native dialect reports them.

    The socket gets the room's messages too. With a limited queue, the library stops reading and `close` hangs for ten
    seconds; by then the server has given up the slow client.
    """
    with connect(f"{member.server.base.replace('http', 'ws')}/v1/socket", proxy=None, max_queue=None) as socket:
        socket.send(json.dumps({"id": 1, "hello": {"token": member.token}}))
        socket.send(json.dumps({"id": 2, "who": {"room_id": room_id}}))
        while True:
            answer = json.loads(socket.recv(TIMEOUT))
            if "who" in answer:
                return {somebody["id"] for somebody in answer["who"]["online"]}
