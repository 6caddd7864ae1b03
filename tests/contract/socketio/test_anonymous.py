"""The operator lets people without a token in: the original front end runs unchanged."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from messenger.harness import Served

from .conftest import Client, Meet, opened

ANONYMOUS = 2**31 - 2


@pytest.fixture
def two(open_server: Served) -> Iterator[tuple[Client, Client]]:
    with contextlib.ExitStack() as leaving:
        yield leaving.enter_context(entered(open_server)), leaving.enter_context(entered(open_server, '{"token":null}'))


@contextlib.contextmanager
def entered(server: Served, auth: str = "") -> Iterator[Client]:
    with opened(server) as client:
        client.send(f"40{auth}")
        assert client.frame().startswith('40{"sid":"')
        yield client


def test_who_they_say_to_be(two: tuple[Client, Client]) -> None:
    one, other = two
    one.emit({"id": "a", "author": "алиса", "text": "hi"})
    said = one.heard()
    assert other.heard() == said
    assert (said["id"], said["author"], said["userId"]) == ("a", "алиса", ANONYMOUS)
    one.emit({"userId": 1, "content": "hi"})
    assert (one.heard()["author"], other.heard()["userId"]) == ("anonymous", ANONYMOUS)
    one.emit("hi")
    assert one.frame() == other.frame() == '42["message","hi"]'


def test_an_id_means_the_same_within_a_session_only(two: tuple[Client, Client]) -> None:
    one, other = two
    said = {"id": "a", "author": "ann", "text": "hi"}
    one.emit(said)
    first = one.frame()
    assert other.frame() == first
    one.emit(said)
    assert one.frame() == first
    other.emit(said)
    assert other.heard()["id"] == one.heard()["id"] == "a"
    one.emit(said | {"author": "bob"})
    assert one.heard()["author"] == other.heard()["author"] == "bob"


def test_a_name_that_hides_something_drops_the_line(two: tuple[Client, Client]) -> None:
    one, other = two
    for author in ("a\u202eb", "\0", "\ud800", "x" * 101):
        one.emit({"author": author, "text": "unheard"})
    one.emit("alive")
    one.hears_next("alive")
    other.hears_next("alive")


def test_a_token_counts_and_a_bad_one_is_refused(open_server: Served, meet: Meet, two: tuple[Client, Client]) -> None:
    ann = meet("ann", at=open_server)
    client = ann.connect()
    client.emit({"author": "bob", "text": "hi"})
    assert (client.heard()["author"], two[0].heard()["userId"]) == (ann.name, ann.id)
    with opened(open_server) as stranger:
        stranger.send('40{"token":"x"}')
        assert stranger.frame() == '44{"message":"Unauthorized"}'
