"""A bad message is dropped: its socket stays open, and other clients are not affected."""

from __future__ import annotations

import json

import pytest
from messenger.harness import LiveServer

from .conftest import NewPerson

NESTED = "[" * 60 + "]" * 60
PAYLOADS = [
    "",
    ",7",
    ",-1.5",
    ",null",
    ",true",
    ",[]",
    ',["x"]',
    f",{NESTED}",
    ",{}",
    ',{"text":null}',
    ',{"text":7}',
    ',{"text":["x"]}',
    ',{"text":{"text":"x"}}',
    ',{"text":null,"content":"x"}',
    ',{"content":false}',
    ',{"userId":1}',
    ',{"__proto__":{"text":"x"}}',
    ',{"text":"a\\u0000b"}',
    ',{"content":"\\u0000"}',
    ',"\\u0000"',
    ',"\\ud800"',
    ',{"text":"\\udfff"}',
    ',{"id":"\\ud800","text":"\\udfff"}',
    ',{"text":"' + "x" * 65_537 + '"}',
    ',"' + "ж" * 33_000 + '"',
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_invalid_messages_are_dropped(new_person: NewPerson, payload: str) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    one, other = ann.connect(), bob.connect()
    one.send(f'42["message"{payload}]', f'427["message"{payload}]')
    one.emit("alive")
    one.expect_next("alive")
    other.expect_next("alive")


def test_other_invalid_fields_are_ignored(new_person: NewPerson) -> None:
    client = new_person("ann").connect()
    odd: list[object] = [None, 7, 10**30, [], {}, "\0", "\ud800", [[[[]]]], "x" * 1000, 1e308]
    for value in odd:
        client.emit({"text": "hi", "author": value, "userId": value, "timestamp": value, "extra": value}, value)
        client.expect_next("hi")
        client.emit({"text": f"hi {odd.index(value)}", "id": value})
        assert client.receive()["content"] == f"hi {odd.index(value)}"


def test_other_events_are_ignored(new_person: NewPerson) -> None:
    client = new_person("ann").connect()
    for name in ("", "Message", "messages", "disconnect", "connect", "init", "__proto__", "\ud800"):
        client.emit({"text": "hi"}, name=name)
    client.emit("alive")
    client.expect_next("alive")


def test_invalid_tokens(new_person: NewPerson) -> None:
    eve = new_person("eve")
    client = eve.open()
    for token in (7, [], {}, True, "\0", "\ud800", "é" * 1_000, "x" * 8_000, "a.b.c", "." * 100):
        client.send(f"40{json.dumps({'token': token})}")
        assert client.frame() == '44{"message":"Unauthorized"}'


def test_the_log_is_empty(server: LiveServer) -> None:
    assert "Traceback" not in server.log
