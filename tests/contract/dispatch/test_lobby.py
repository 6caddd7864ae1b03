"""WebSocket /connect with many clients that connect and send at the same time."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from messenger.harness import TIMEOUT, LiveServer, closed_with, receive
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from .conftest import NewPerson, Terminal

MANY = 400


def bodies_until(socket: ClientConnection, last: str) -> list[tuple[str, str]]:
    """Receive up to a text; return the senders and texts."""
    found: list[tuple[str, str]] = []
    while not found or found[-1][1] != last:
        line = json.loads(receive(socket))
        assert list(line) == ["from", "body", "timestamp"]
        assert isinstance(line["timestamp"], int)
        found.append((line["from"], line["body"]))
    return found


def test_a_client_that_connects_while_others_send_receives_each_message_once(new_person: NewPerson) -> None:
    speaker, comers = new_person("sp"), [new_person("c") for _ in range(8)]
    speaker_socket = speaker.connect()

    def speak() -> None:
        for number in range(MANY):
            speaker_socket.send(f"line {number}")
        speaker_socket.send("the end")

    def come(comer: Terminal) -> list[tuple[str, str]]:
        return bodies_until(comer.connect(), "the end")

    with ThreadPoolExecutor(len(comers) + 1) as threads:
        listening = [threads.submit(come, comer) for comer in comers]
        threads.submit(speak)
        received_all = [future.result() for future in listening]
    received_all.append(bodies_until(speaker_socket, "the end"))
    assert all(one == received_all[0] for one in received_all)
    mine = [body for name, body in received_all[0] if name == speaker.name]
    assert mine == [*(f"line {number}" for number in range(MANY)), "the end"]


def test_a_client_may_send_texts_right_after_its_token(new_person: NewPerson) -> None:
    ann = new_person("ann")
    socket = ann.open()
    token = ann.sign_in()
    with socket.protocol_mutex:  # one write: the token and all texts arrive together
        for text in (token, *(f"{ann.name} {number}" for number in range(3_000))):
            socket.protocol.send_text(text.encode())
        socket.send_data()
    mine = [body for name, body in bodies_until(socket, f"{ann.name} 2999") if name == ann.name]
    assert mine == [f"{ann.name} {number}" for number in range(3_000)]


def test_texts_sent_right_before_a_close_are_stored(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    listening, socket = bob.connect(), ann.open()
    token = ann.sign_in()
    with socket.protocol_mutex:  # one write, with the close frame
        for text in (token, f"{ann.name} was here", "bye"):
            socket.protocol.send_text(text.encode())
        socket.protocol.send_close(1000)
        socket.socket.sendall(b"".join(socket.protocol.data_to_send()))
    assert bodies_until(listening, "bye")[-2:] == [(ann.name, f"{ann.name} was here"), (ann.name, "bye")]
    ann.sign_in()


def test_the_newest_socket_replaces_the_others(new_person: NewPerson) -> None:
    ann = new_person("ann")
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

        until = time.monotonic() + TIMEOUT
        while (ends := sorted(threads.map(end, sockets))).count("lives") > 1:
            assert time.monotonic() < until, ends  # another node hears of the newest one a moment later
        assert ends == ["lives", *["replaced"] * 5]


@pytest.mark.parametrize("how", ["close", "drop", "binary", "too long"])
def test_a_closed_socket_no_longer_counts_as_already_in(new_person: NewPerson, how: str) -> None:
    ann = new_person("ann")
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


def test_a_socket_that_sends_no_token_is_closed(new_person: NewPerson) -> None:
    socket = new_person("ann").open()
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(TIMEOUT)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1005


def test_a_socket_without_a_token_belongs_to_no_account(new_person: NewPerson) -> None:
    ann = new_person("ann")
    ann.open()
    ann.sign_in()
    ann.open().send("rubbish")
    ann.sign_in()


def test_a_password_change_in_another_dialect_closes_the_socket(new_person: NewPerson) -> None:
    ann = new_person("ann")
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


def test_a_client_that_does_not_read_is_closed_with_1013(tmp_path: Path) -> None:
    settings = {"PING_SECONDS": "2.5", "PONG_SECONDS": "2", "STALL_SECONDS": "0.5"}
    with LiveServer(tmp_path, settings) as server, ExitStack() as leaving, server.http() as http:
        ann, bob = (Terminal(server, name, leaving) for name in ("ann", "bob"))
        for person in (ann, bob):
            http.post("/signup", json={"username": person.name, "password": "pw"}).raise_for_status()
        quick, slow = ann.connect(), bob.connect(max_queue=1)
        for number in range(100):
            quick.send(f"{number}".ljust(60_000))
            receive(quick)
        while http.post("/signin", json={"username": "bob", "password": "pw"}).text == "Already in":
            pass
        assert closed_with(slow) == 1013


def test_a_token_lives_for_a_minute(new_person: NewPerson) -> None:
    claims = json.loads(urlsafe_b64decode(new_person("ann").sign_in().split(".")[1] + "=="))
    assert claims["exp"] - claims["iat"] == 60
