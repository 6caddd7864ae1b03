"""WebSocket /ws/{chat_id}: how a socket lives on, and how it ends."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from .conftest import Meet
from .harness import PATIENCE, Person, Served, closed_with, text_of


class TestTheEnd:
    def test_removed(self, ann: Person, bob: Person, chat_id: int) -> None:
        elsewhere = ann.make_chat(bob)
        stays, goes, others = ann.listen(chat_id), bob.listen(chat_id), bob.listen(elsewhere)
        ann.post(chat_id, "пока")
        ann.http.delete(f"/v1/rooms/{chat_id}/members/{bob.id}").raise_for_status()
        ann.post(chat_id, "без тебя")
        assert text_of(goes) == "пока"
        assert closed_with(goes) == 1008
        assert [text_of(stays), text_of(stays)] == ["пока", "без тебя"]
        ann.post(elsewhere, "ещё здесь")
        assert text_of(others) == "ещё здесь"

    def test_removed_while_coming_in(self, ann: Person, bob: Person) -> None:
        chats = [ann.make_chat(bob, name=f"{number}") for number in range(20)]

        def come(chat_id: int) -> int | None:
            try:
                with bob.server.listen(chat_id, bob.token) as socket:
                    return closed_with(socket)
            except InvalidStatus as refused:
                return refused.response.status_code

        with ThreadPoolExecutor(2) as threads:
            for chat_id in chats:
                code = threads.submit(come, chat_id)
                ann.http.delete(f"/v1/rooms/{chat_id}/members/{bob.id}").raise_for_status()
                assert code.result() in (403, 1008)

    def test_signed_out(self, meet: Meet) -> None:
        ann = meet("ann")
        chat_id = ann.make_chat()
        again = Person.known(ann.server, ann.email, "secretpassword", ann.id)
        socket, other = ann.listen(chat_id), again.listen(chat_id)
        ann.http.post("/v1/logout").raise_for_status()
        assert closed_with(socket) == 1008
        again.post(chat_id, "ещё здесь")
        assert text_of(other) == "ещё здесь"
        again.leave()

    def test_password_changed(self, meet: Meet) -> None:
        ann = meet("ann")
        chat_id = ann.make_chat()
        again, socket = Person.known(ann.server, ann.email, "secretpassword", ann.id), ann.listen(chat_id)
        body = {"old_password": "secretpassword", "new_password": "another one"}
        again.http.put("/v1/me/password", json=body).raise_for_status()
        assert closed_with(socket) == 1008
        again.leave()

    @pytest.mark.parametrize("code", [1000, 1001, 4321])
    def test_a_goodbye_is_answered(self, ann: Person, chat_id: int, code: int) -> None:
        socket = ann.listen(chat_id)
        socket.close(code)
        assert socket.close_code == code

    def test_the_server_stops(self, tmp_path: Path) -> None:
        with Served(tmp_path) as server:
            ann = Person.new(server, "ann")
            chat_id = ann.make_chat()
            sockets = [ann.listen(chat_id) for _ in range(3)]
            last = ann.post(chat_id, "последнее")["text"]
            server.tell_to_stop()
            for socket in sockets:
                assert text_of(socket) == last
                assert closed_with(socket) == 1012
            ann.leave()

    def test_the_heartbeat_is_a_ping(self, tmp_path: Path) -> None:
        with Served(tmp_path, {"PING_SECONDS": "0.5", "PONG_SECONDS": "0.2"}) as server:
            ann = Person.new(server, "ann")
            chat_id = ann.make_chat()
            socket = ann.listen(chat_id, create_connection=Pinged)
            assert isinstance(socket, Pinged)
            for _ in range(3):
                assert socket.pinged.wait(PATIENCE)
                socket.pinged.clear()
            ann.post(chat_id, "жив")
            assert text_of(socket) == "жив"
            ann.leave()

    def test_who_does_not_read_is_cut_with_1013(self, tmp_path: Path) -> None:
        settings = {"PING_SECONDS": "2.5", "PONG_SECONDS": "2", "STALL_SECONDS": "0.5"}
        with Served(tmp_path, settings) as server:
            ann, bob = Person.new(server, "ann"), Person.new(server, "bob")
            chat_id = ann.make_chat(bob)
            slow, quick = bob.listen(chat_id, max_queue=1), ann.listen(chat_id)
            for number in range(100):
                ann.post(chat_id, f"{number}".ljust(60_000))
                assert text_of(quick).startswith(f"{number} ")
            while bob.id in _online(ann, chat_id):
                pass
            assert closed_with(slow) == 1013
            ann.leave()
            bob.leave()


class Pinged(ClientConnection):
    """Tells when the server has pinged."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.pinged = Event()
        super().__init__(*args, **options)

    def process_event(self, event: Any) -> None:
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pinged.set()
        super().process_event(event)


def _online(person: Person, chat_id: int) -> set[int]:
    """Who has a socket that hears this chat, as the native door tells."""
    address = f"{person.server.base.replace('http', 'ws')}/v1/socket"
    with connect(address, proxy=None) as socket:
        socket.send(json.dumps({"id": 1, "hello": {"token": person.token}}))
        assert "hello" in json.loads(socket.recv(PATIENCE))
        socket.send(json.dumps({"id": 2, "who": {"room_id": chat_id}}))
        while True:
            answer = json.loads(socket.recv(PATIENCE))
            if "who" in answer:
                return {somebody["id"] for somebody in answer["who"]["online"]}
