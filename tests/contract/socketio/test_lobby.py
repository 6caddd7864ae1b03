"""What is said: both forms and plain strings, by whom, and what is stored once."""

from __future__ import annotations

import json
import re

import pytest
from messenger.harness import PATIENCE, Served, closed_with

from .conftest import Meet, opened

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_the_form_of_the_document(meet: Meet) -> None:
    ann, bob = meet("ann"), meet("bob")
    one, other = ann.connect(), bob.connect()
    one.emit({"userId": bob.id, "content": "hi"})
    frame = one.frame()
    assert other.frame() == frame
    said = json.loads(frame[2:])[1]
    assert TIME.fullmatch(said["timestamp"])
    assert type(said["id"]) is int
    assert frame == (
        f'42["message",{{"id":{said["id"]},"author":"{ann.name}","text":"hi","userId":{ann.id},"content":"hi",'
        f'"timestamp":"{said["timestamp"]}"}}]'
    )


def test_the_form_of_the_front_end(meet: Meet) -> None:
    ann, bob = meet("ann"), meet("bob")
    one, other = ann.connect(), bob.connect()
    one.emit({"id": "f3b1c0de-9b1d-4c57-8ae2-6f0e8a3cbb11", "author": bob.name, "text": "привет"})
    said = one.heard()
    assert other.heard() == said
    assert list(said) == ["id", "author", "text", "userId", "content", "timestamp"]
    assert said["id"] == "f3b1c0de-9b1d-4c57-8ae2-6f0e8a3cbb11"
    assert (said["author"], said["userId"]) == (ann.name, ann.id)
    assert said["text"] == said["content"] == "привет"


def test_a_plain_string(meet: Meet) -> None:
    ann, bob = meet("ann"), meet("bob")
    one, other = ann.connect(), bob.connect()
    for _ in range(2):
        one.emit("привет")
        assert one.frame() == other.frame() == '42["message","привет"]'


@pytest.mark.parametrize(
    "id", ["a", "", "ж", 7, 0, -1, 1.5, True, False, "7", '"', "a\\", "\0", "\u200b", "\ud800", [1], {"a": "b"}, "a:b"]
)
def test_the_id_comes_back_as_it_was(meet: Meet, id: object) -> None:
    client = meet("ann").connect()
    client.emit({"id": id, "text": "hi"})
    said = client.heard()
    assert said["id"] == id
    assert type(said["id"]) is type(id)


def test_an_id_that_is_too_long_is_not_kept(meet: Meet) -> None:
    client = meet("ann").connect()
    client.emit({"id": "x" * 45, "text": "hi"})
    assert client.heard()["id"] == "x" * 45
    for id in ("x" * 46, "ж" * 8, "x" * 10_000, [1] * 60, {"a": "b" * 60}):
        client.emit({"id": id, "text": "hi"})
        assert type(client.heard()["id"]) is int
    client.emit({"id": None, "text": "hi"})
    assert type(client.heard()["id"]) is int


def test_a_retry_is_heard_by_its_socket_alone(meet: Meet) -> None:
    ann, bob = meet("ann"), meet("bob")
    one, elsewhere, other = ann.connect(), ann.connect(), bob.connect()
    one.emit({"id": "a", "text": "hi"})
    first = one.frame()
    assert elsewhere.frame() == other.frame() == first
    one.emit({"id": "a", "content": "hi", "userId": 7})
    assert one.frame() == first
    elsewhere.emit({"id": "a", "text": "hi"})
    assert elsewhere.frame() == first
    one.emit({"id": "a", "text": "another"})
    for client in (one, elsewhere, other):
        said = client.heard()
        assert (said["id"], said["text"]) == ("a", "another")
    other.emit({"id": "a", "text": "hi"})  # of somebody else: no retry
    for client in (one, elsewhere, other):
        assert client.heard()["author"] == bob.name


def test_an_acknowledgement_comes_once_it_is_stored(meet: Meet) -> None:
    ann = meet("ann")
    client = ann.connect()
    client.send('427["message",{"text":"hi"}]')
    frames = {client.frame(), client.frame()}
    assert "437[]" in frames
    client.send('428["message",7]', '429["message"]', '4210["else",{"text":"hi"}]')
    client.emit("alive")
    client.hears_next("alive")


def test_nothing_is_replayed(meet: Meet) -> None:
    one = meet("ann").connect()
    one.emit("before")
    one.hears_next("before")
    other = meet("bob").connect()
    one.emit("after")
    other.hears_next("after")


@pytest.mark.parametrize(
    "auth", ["", "{}", '{"token":null}', '{"token":""}', '{"token":7}', '{"token":"x"}', '{"a":1}']
)
def test_no_good_token(server: Served, auth: str) -> None:
    with opened(server) as client:
        client.send(f"40{auth}")
        assert client.frame() == '44{"message":"Unauthorized"}'
        client.emit("unheard")
        client.send(f"40{auth}")  # it may try again
        assert client.frame() == '44{"message":"Unauthorized"}'


def test_another_namespace(meet: Meet) -> None:
    client = meet("ann").open()
    client.send("40/admin,")
    assert client.frame() == '44/admin,{"message":"Invalid namespace"}'


def test_leaving(meet: Meet) -> None:
    ann, bob = meet("ann"), meet("bob")
    one, other = ann.connect(), bob.connect()
    one.send("41")
    one.emit("unheard")
    one.send(f"40{json.dumps({'token': ann.token})}")
    assert one.frame().startswith('40{"sid":')
    other.emit("hi")
    one.hears_next("hi")
    other.hears_next("hi")


def test_logging_out_puts_out(meet: Meet) -> None:
    ann, bob = meet("ann"), meet("bob")
    one, other = ann.connect(), bob.connect()
    with ann.http() as http:
        http.post("/v1/logout").raise_for_status()
    assert one.frame() == "41"
    other.emit("hi")
    other.hears_next("hi")
    one.send(f"40{json.dumps({'token': ann.token})}")
    assert one.frame() == '44{"message":"Unauthorized"}'
    one.socket.close()


def test_a_heartbeat_of_the_transport_is_answered(meet: Meet) -> None:
    """A client that pings by WebSocket, as proxies' checks do, is answered by WebSocket."""
    client = meet("ann").connect()
    assert client.socket.ping().wait(PATIENCE)


def test_a_packet_that_breaks_the_protocol_ends_its_own_socket(meet: Meet) -> None:
    ann, bob = meet("ann"), meet("bob")
    other = bob.connect()
    for bad in ("42{", "9", "42[1]", '42["message",' + "[" * 100 + "]" * 100 + "]", "451-[]"):
        client = ann.connect()
        client.send(bad)
        assert closed_with(client.socket) == 1005, bad
    other.emit("undisturbed")
    other.hears_next("undisturbed")
