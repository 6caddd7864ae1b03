"""WebSocket /ws/{chat_id}: the ways in which a socket ends."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from .harness import TIMEOUT, LiveServer, Person, closed_with, receive_text


class TestClose:
    def test_removed_while_connecting(self, ann: Person, bob: Person) -> None:
        chats = [ann.make_chat(bob, name=f"{number}") for number in range(20)]

        def connect_to(chat_id: int) -> int | None:
            try:
                with bob.server.listen(chat_id, bob.token) as socket:
                    return closed_with(socket)
            except InvalidStatus as refused:
                return refused.response.status_code

        with ThreadPoolExecutor(2) as threads:
            for chat_id in chats:
                code = threads.submit(connect_to, chat_id)
                ann.http.delete(f"/v1/rooms/{chat_id}/members/{bob.id}").raise_for_status()
                assert code.result() in (403, 1008)

    @pytest.mark.parametrize("code", [1000, 1001, 4321])
    def test_a_close_frame_is_answered(self, ann: Person, chat_id: int, code: int) -> None:
        socket = ann.listen(chat_id)
        socket.close(code)
        assert socket.close_code == code

    @pytest.mark.one_node("a node may stop before it hears of a line that another one has stored")
    def test_the_server_stops(self, tmp_path: Path) -> None:
        with LiveServer(tmp_path) as server:
            ann = Person.new(server, "ann")
            chat_id = ann.make_chat()
            sockets = [ann.listen(chat_id) for _ in range(3)]
            last = ann.post(chat_id, "последнее")["text"]
            server.send_sigterm()
            for socket in sockets:
                assert receive_text(socket) == last
                assert closed_with(socket) == 1012
            ann.close()

    def test_a_client_that_answers_no_ping_is_closed_with_1011(self, tmp_path: Path) -> None:
        with LiveServer(tmp_path, {"PING_SECONDS": "0.5", "PONG_SECONDS": "0.4"}) as server:
            ann, bob = Person.new(server, "ann"), Person.new(server, "bob")
            chat_id = ann.make_chat(bob)
            deaf = bob.listen(chat_id, max_queue=1)
            for number in range(10):  # a full queue keeps the client from reading the pings that follow
                ann.post(chat_id, f"{number}")
            while bob.id in _online(ann, chat_id):
                pass
            assert closed_with(deaf) == 1011
            ann.close()
            bob.close()

    def test_a_client_that_does_not_read_is_closed_with_1013(self, tmp_path: Path) -> None:
        settings = {"PING_SECONDS": "2.5", "PONG_SECONDS": "2", "STALL_SECONDS": "0.5"}
        with LiveServer(tmp_path, settings) as server:
            ann, bob = Person.new(server, "ann"), Person.new(server, "bob")
            chat_id = ann.make_chat(bob)
            slow, quick = bob.listen(chat_id, max_queue=1), ann.listen(chat_id)
            for number in range(100):
                ann.post(chat_id, f"{number}".ljust(60_000))
                assert receive_text(quick).startswith(f"{number} ")
            while bob.id in _online(ann, chat_id):
                pass
            assert closed_with(slow) == 1013
            ann.close()
            bob.close()


def _online(person: Person, chat_id: int) -> set[int]:
    """Ask the native dialect for the account ids with an open socket in this chat."""
    address = f"{person.server.base.replace('http', 'ws')}/v1/socket"
    with connect(address, proxy=None) as socket:
        _ask(socket, "hello", {"token": person.token})
        return {somebody["id"] for somebody in _ask(socket, "who", {"room_id": chat_id})["online"]}


def _ask(socket: ClientConnection, command: str, fields: dict[str, object]) -> Any:
    """Send a command and return its answer; heartbeats are answered, and events are skipped."""
    socket.send(json.dumps({"id": 1, command: fields}))
    while command not in (answer := json.loads(socket.recv(TIMEOUT))):
        assert "error" not in answer
        if not answer:
            socket.send("{}")
    return answer[command]
