"""Search in a database: what is found is what the asker may read, as it is now."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from core import commands as c

from veche.core.deletion import DeleteMessage
from veche.core.editing import EditMessage
from veche.core.search import Order, Wanted, parse
from veche.core.values import LOBBY_ID, Kind
from veche.storage.engines.index import Index
from veche.storage.search import entries_to_index, room_heads, search

from .conftest import Town

CHANNEL, GROUP, ANN, BOB, EVE = 1, 2, 1, 2, 3


class Searched:
    """A town whose index follows when it is told to."""

    def __init__(self, town: Town, index: Index) -> None:
        self.town = town
        self.index = index
        self.positions = index.positions()

    def follow(self, page: int = 3) -> None:
        with self.town.database.reading() as tx:
            for log_id, head in room_heads(tx, 0):
                while (after := self.positions.get(log_id, 0)) < head:
                    entries, reached = entries_to_index(tx, log_id, after, head, page)
                    assert self.index.store({log_id: (after, reached)}, entries)
                    self.positions[log_id] = reached

    def say(self, room_id: int, text: str, by: int = ANN) -> int:
        return int(self.town.do(self.town.say(room_id, text, by=by)).message.id)

    def find(
        self, by: int, q: str, order: Order = Order.NEWEST, limit: int = 1, room_id: int | None = None
    ) -> list[int]:
        """Return what is found, page by page."""
        found: list[int] = []
        place = None
        while True:
            wanted = Wanted(parse(q), room_id, order=order, place=place, limit=limit)
            with self.town.database.reading() as tx:
                page = search(tx, self.index, by, wanted)
            found += [one.message.id for one in page.found]
            if page.next is None:
                return found
            place = page.next


@pytest.fixture
def searched(town: Town) -> Iterator[Searched]:
    with contextlib.closing(town.database.index()) as index:
        yield Searched(town, index)


@pytest.mark.parametrize("order", Order)
def test_only_rooms_of_the_asker_and_the_lobby_are_searched(searched: Searched, order: Order) -> None:
    ids = {room: searched.say(room, "a word") for room in (CHANNEL, GROUP, LOBBY_ID)}
    private = searched.say(searched.town.do(c.by(ANN, c.CreateRoom(Kind.GROUP, "Private"))).room.id, "word")
    searched.follow()
    for limit in (1, 2, 10):
        assert sorted(searched.find(ANN, "word", order, limit)) == [*sorted(ids.values()), private]
        assert sorted(searched.find(BOB, "word", order, limit)) == sorted(ids.values())
        assert searched.find(EVE, "word", order, limit) == [ids[LOBBY_ID]]
        assert searched.find(ANN, "word", order, limit, room_id=GROUP) == [ids[GROUP]]


def test_whoever_leaves_finds_no_more(searched: Searched) -> None:
    id = searched.say(GROUP, "word")
    searched.follow()
    assert searched.find(BOB, "word") == [id]
    searched.town.do(c.by(BOB, c.LeaveRoom(GROUP)))
    assert searched.find(BOB, "word") == []


def test_an_edited_message_is_found_by_its_text_as_it_is(searched: Searched) -> None:
    id = searched.say(GROUP, "old")
    searched.follow()
    searched.town.do(c.by(ANN, EditMessage(GROUP, id, "new")))
    assert searched.find(ANN, "old ") == []  # before the index has followed
    searched.follow()
    assert searched.find(ANN, "new ") == [id]
    assert searched.find(ANN, "old ") == []


def test_a_deleted_message_is_not_found(searched: Searched) -> None:
    id = searched.say(GROUP, "word")
    searched.follow()
    searched.town.do(c.by(ANN, DeleteMessage(GROUP, id)))
    assert searched.find(ANN, "word") == []
    searched.follow()
    assert searched.find(ANN, "word") == []
    with searched.town.database.reading() as tx:
        assert searched.index.top(tx) == 1  # nothing of it is left


def test_changes_that_are_read_at_once_are_indexed_as_they_are_now(searched: Searched) -> None:
    edited, deleted = searched.say(GROUP, "first"), searched.say(GROUP, "second")
    searched.town.do(c.by(ANN, EditMessage(GROUP, edited, "third")))
    searched.town.do(c.by(ANN, DeleteMessage(GROUP, deleted)))
    searched.follow(page=100)
    assert [searched.find(ANN, q) for q in ("first ", "second ", "third ")] == [[], [], [edited]]


def test_long_texts_end_a_page_early(searched: Searched) -> None:
    ids = [searched.say(GROUP, "word " * 13_000) for _ in range(6)]
    searched.follow()
    with searched.town.database.reading() as tx:
        page = search(tx, searched.index, ANN, Wanted(parse("word "), order=Order.NEWEST, limit=6))
    assert 0 < len(page.found) < 6
    for order in Order:
        assert sorted(searched.find(ANN, "word ", order, limit=6)) == ids
