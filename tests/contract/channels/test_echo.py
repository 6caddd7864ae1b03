"""WebSocket /echo_ws/{username}: many texts, many conversations, and all ways to end one."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from socket import create_connection

import httpx
import pytest
from messenger.harness import TIMEOUT, LiveServer, closed_with, receive

from .conftest import NewPerson, Person, echo_history


def test_many_texts_at_once_are_echoed_in_order(new_person: NewPerson) -> None:
    ann = new_person("ann")
    socket = ann.connect("echo_ws")
    texts = [f"{number}" for number in range(3_000)]
    for text in texts:
        socket.send(text)
    assert [receive(socket) for _ in texts] == texts
    socket.close()
    assert ann.history == echo_history(*texts)


@pytest.mark.parametrize("text", ["", "\0", "a\0b", "\ufffe\uffff", "\x01\x1f\x7f", '"\\"', "\u202e", "😀" * 16_384])
def test_all_utf_8_text_is_echoed(new_person: NewPerson, text: str) -> None:
    ann = new_person("ann")
    socket = ann.connect("echo_ws")
    socket.send(text)
    assert receive(socket) == text
    socket.close()
    assert ann.history == echo_history(text)


def test_the_history_has_conversations_in_the_order_they_ended(new_person: NewPerson) -> None:
    ann = new_person("ann")
    sockets = [ann.connect("echo_ws") for _ in range(3)]
    for number in range(6):
        sockets[number % 3].send(f"{number}")
        assert receive(sockets[number % 3]) == f"{number}"
    assert ann.history == []
    for index in (2, 0, 1):
        sockets[index].close()
    assert ann.history == echo_history("2", "5", "0", "3", "1", "4")


def test_a_history_of_many_pages_is_complete(new_person: NewPerson) -> None:
    ann = new_person("ann")
    texts = [f"{number} {'x' * 40_000}" for number in range(7)] + [f"{number}" for number in range(10)]
    for _ in range(3):
        ann.connect("echo_ws").close()
        socket = ann.connect("echo_ws")
        for text in texts:
            socket.send(text)
            assert receive(socket) == text
        socket.close()
    assert ann.history == echo_history(*texts * 3)


def test_clients_that_do_not_read_a_long_history_need_little_memory(tmp_path: Path) -> None:
    with LiveServer(tmp_path) as server, contextlib.ExitStack() as readers:
        ann = Person.new(server, "ann")
        socket = ann.connect("echo_ws")
        for _ in range(300):
            socket.send("x" * 65_536)
            receive(socket)
        socket.close()
        before = server.peak_memory
        url = httpx.URL(server.base)
        head = f"GET /history HTTP/1.1\r\nHost: x\r\nAuthorization: {ann.http.headers['Authorization']}\r\n\r\n"
        for _ in range(5):
            reader = readers.enter_context(create_connection((str(url.host), url.port or 0), TIMEOUT))
            reader.sendall(head.encode())
            assert reader.recv(17) == b"HTTP/1.1 200 OK\r\n"
        assert len(ann.history) == 600
        assert server.peak_memory - before < 100_000_000
        ann.close()


@pytest.mark.parametrize("how", ["close", "drop", "sign out"])
def test_the_history_is_kept_after_each_kind_of_end(new_person: NewPerson, how: str) -> None:
    ann = new_person("ann")
    socket = ann.connect("echo_ws")
    socket.send("раз")
    assert receive(socket) == "раз"
    match how:
        case "close":
            socket.close()
        case "drop":
            socket.socket.close()
            while not ann.history:
                pass
        case "sign out":
            ann.http.post("/v1/logout").raise_for_status()
            assert closed_with(socket) == 1008
            body = {"username": ann.name, "password": "Secret123"}
            token = ann.http.post("/api/v1/login", json=body).raise_for_status().json()["token"]
            ann.http.headers["Authorization"] = f"Bearer {token}"
    assert ann.history == echo_history("раз")


def test_echoed_texts_survive_sigkill(tmp_path: Path) -> None:
    server = LiveServer(tmp_path).start()
    people = [Person.new(server, "ann") for _ in range(3)]
    sockets = [person.connect("echo_ws") for person in people for _ in range(2)]
    for socket in sockets:
        for number in range(200):
            socket.send(f"{number}")
    echoed = [[receive(socket) for _ in range(100)] for socket in sockets]  # more echoes are still on the way
    server.end(signal.SIGKILL)
    with server:
        for index, person in enumerate(people):
            again = server.http(person.http.headers["Authorization"].removeprefix("Bearer "))
            found = [(line["source"], line["message"]) for line in again.get("/history").raise_for_status().json()]
            again.close()
            first = found.index(("client", "0"), 1)
            for one in (found[:first], found[first:]):
                assert one[:200] == echo_history(*echoed[index])
                assert one == echo_history(*(f"{number}" for number in range(len(one) // 2)))
            person.close()


def test_the_log_is_empty(server: LiveServer) -> None:
    assert "Traceback" not in server.log
