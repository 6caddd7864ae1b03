"""The ids that clients give their messages."""

from __future__ import annotations

import pytest

from .conftest import NewPerson


@pytest.mark.parametrize(
    "id", ["a", "", "ж", 7, 0, -1, 1.5, True, False, "7", '"', "a\\", "\0", "\u200b", "\ud800", [1], {"a": "b"}, "a:b"]
)
def test_an_id_is_returned_unchanged(new_person: NewPerson, id: object) -> None:
    client = new_person("ann").connect()
    client.emit({"id": id, "text": "hi"})
    received = client.receive()
    assert received["id"] == id
    assert type(received["id"]) is type(id)


@pytest.mark.parametrize("id", ["x" * 46, "ж" * 8, "😀" * 4, "x" * 10_000, [1] * 60, {"a": "b" * 60}])
def test_an_id_that_is_too_long_is_not_kept(new_person: NewPerson, id: object) -> None:
    client = new_person("ann").connect()
    client.emit({"id": id, "text": "hi"})
    assert type(client.receive()["id"]) is int


@pytest.mark.parametrize("id", ["x" * 45, "ж" * 7, "😀" * 3])
def test_the_longest_id_that_is_kept(new_person: NewPerson, id: str) -> None:
    client = new_person("ann").connect()
    client.emit({"id": id, "text": "hi"})
    assert client.receive()["id"] == id
