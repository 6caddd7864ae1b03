"""WebSocket /connect where people come and speak at the same time."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from messenger.harness import PATIENCE, closed_with, heard
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from .conftest import Meet, Terminal

MANY = 400


def bodies_until(socket: ClientConnection, last: str) -> list[tuple[str, str]]:
    """All that is heard up to a line, as who said what."""
    found: list[tuple[str, str]] = []
    while not found or found[-1][1] != last:
        line = json.loads(heard(socket))
        assert list(line) == ["from", "body", "timestamp"]
        assert isinstance(line["timestamp"], int)
        found.append((line["from"], line["body"]))
    return found


def test_who_comes_while_others_speak_misses_nothing_and_hears_nothing_twice(meet: Meet) -> None:
    speaker, comers = meet("sp"), [meet("c") for _ in range(8)]
    said = speaker.connect()

    def speak() -> None:
        for number in range(MANY):
            said.send(f"line {number}")
        said.send("the end")

    def come(comer: Terminal) -> list[tuple[str, str]]:
        return bodies_until(comer.connect(), "the end")

    with ThreadPoolExecutor(len(comers) + 1) as threads:
        listening = [threads.submit(come, comer) for comer in comers]
        threads.submit(speak)
        heard_all = [future.result() for future in listening]
    heard_all.append(bodies_until(said, "the end"))
    assert all(one == heard_all[0] for one in heard_all)
    mine = [body for name, body in heard_all[0] if name == speaker.name]
    assert mine == [*(f"line {number}" for number in range(MANY)), "the end"]


def test_a_client_need_not_wait_before_it_speaks(meet: Meet) -> None:
    ann = meet("ann")
    socket = ann.open()
    token = ann.sign_in()
    with socket.protocol_mutex:  # one write: the token and all lines arrive together
        for text in (token, *(f"{ann.name} {number}" for number in range(3_000))):
            socket.protocol.send_text(text.encode())
        socket.send_data()
    mine = [body for name, body in bodies_until(socket, f"{ann.name} 2999") if name == ann.name]
    assert mine == [f"{ann.name} {number}" for number in range(3_000)]


def test_the_last_of_many_sockets_stays(meet: Meet) -> None:
    ann = meet("ann")
    token = ann.sign_in()
    with ThreadPoolExecutor(6) as threads:
        sockets = list(threads.map(lambda _: ann.connect(token), range(6)))

        def end(socket: ClientConnection) -> str:
            try:
                socket.send(f"{ann.name} says")
                bodies_until(socket, f"{ann.name} says")
            except ConnectionClosed as closed:
                return closed.rcvd.reason if closed.rcvd else "gone"
            return "lives"

        assert sorted(threads.map(end, sockets)) == ["lives", *["replaced"] * 5]


@pytest.mark.parametrize("how", ["close", "drop", "binary", "too long"])
def test_whoever_is_gone_is_no_longer_in(meet: Meet, how: str) -> None:
    ann = meet("ann")
    socket = ann.connect()
    socket.send("here")
    bodies_until(socket, "here")
    with ann.server.http() as http:
        body = {"username": ann.name, "password": "pw"}
        assert http.post("/signin", json=body).text == "Already in"
        match how:
            case "close":
                socket.close()
            case "drop":
                socket.socket.close()
            case "binary":
                socket.send(b"x")
                assert closed_with(socket) == 1003
            case "too long":
                socket.send("x" * 65_537)
                assert closed_with(socket) == 1009
        answer = http.post("/signin", json=body)
        while how == "drop" and answer.text == "Already in":
            answer = http.post("/signin", json=body)
        assert answer.status_code == 200


def test_a_socket_that_does_not_say_its_token_is_closed(meet: Meet) -> None:
    socket = meet("ann").open()
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(PATIENCE)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1005


def test_a_socket_without_a_token_is_nobodys(meet: Meet) -> None:
    ann = meet("ann")
    ann.open()
    ann.sign_in()
    ann.open().send("rubbish")
    ann.sign_in()


def test_a_password_changed_elsewhere_closes(meet: Meet) -> None:
    ann = meet("ann")
    socket = ann.connect()
    socket.send(f"{ann.name} is in")
    bodies_until(socket, f"{ann.name} is in")
    with ann.server.http() as http:
        body = {"username": ann.name, "password": "pw"}
        token = http.post("/v1/login", json=body).raise_for_status().json()["token"]
        changed = {"old_password": "pw", "new_password": "correct horse"}
        headers = {"Authorization": f"Bearer {token}"}
        http.put("/v1/me/password", json=changed, headers=headers).raise_for_status()
    assert closed_with(socket) == 1008
