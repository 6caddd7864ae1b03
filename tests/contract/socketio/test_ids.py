"""The id that a client gives its message, of whatever sort."""

from __future__ import annotations

import pytest

from .conftest import Meet


@pytest.mark.parametrize(
    "id", ["a", "", "ж", 7, 0, -1, 1.5, True, False, "7", '"', "a\\", "\0", "\u200b", "\ud800", [1], {"a": "b"}, "a:b"]
)
def test_it_comes_back_as_it_was(meet: Meet, id: object) -> None:
    client = meet("ann").connect()
    client.emit({"id": id, "text": "hi"})
    said = client.heard()
    assert said["id"] == id
    assert type(said["id"]) is type(id)


@pytest.mark.parametrize("id", ["x" * 46, "ж" * 8, "😀" * 4, "x" * 10_000, [1] * 60, {"a": "b" * 60}])
def test_one_that_is_too_long_is_not_kept(meet: Meet, id: object) -> None:
    client = meet("ann").connect()
    client.emit({"id": id, "text": "hi"})
    assert type(client.heard()["id"]) is int


@pytest.mark.parametrize("id", ["x" * 45, "ж" * 7, "😀" * 3])
def test_the_longest_that_is_kept(meet: Meet, id: str) -> None:
    client = meet("ann").connect()
    client.emit({"id": id, "text": "hi"})
    assert client.heard()["id"] == id
