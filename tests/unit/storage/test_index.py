"""Both indexes find what `ranges_in` says, no more and no less, in any order and page by page."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veche.core.errors import ChatError
from veche.core.search import Place, Query, parse, ranges_in
from veche.core.text import can_be_stored
from veche.storage import opening
from veche.storage.database import Database
from veche.storage.engines.index import ROOMS_AS_MARKS, Entry, Index, Scope
from veche.storage.engines.sqlite_index import SqliteIndex

from .conftest import Open

ALL = 2**62


class Library:
    """An index that grows. Each test writes to rooms of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.index = database.index()
        assert self.index.positions() == {}
        self.reached = 0
        self.ids = itertools.count(1)
        self.rooms = itertools.count(1)

    def add(self, *texts: str, room: int = 1, sender: int = 1, at: int = 0) -> list[int]:
        ids = [next(self.ids) for _ in texts]
        self.store([Entry(id, room, sender, at, 0, text) for id, text in zip(ids, texts, strict=True)])
        return ids

    def store(self, entries: list[Entry]) -> None:
        self.reached += 1
        assert self.index.store({1: (self.reached - 1, self.reached)}, entries)

    def newest(self, query: Query, scope: Scope, limit: int = 1000) -> list[int]:
        """Return all matches, page by page."""
        found: list[int] = []
        below: int | None = ALL
        with self.database.reading() as tx:
            while below is not None:
                matches, following = self.index.newest(tx, query, scope, below, limit)
                assert all(match.id < below for match in matches)
                assert following is None or following < below
                found += [match.id for match in matches]
                below = following
        return found

    def best(self, query: Query, scope: Scope, limit: int = 1000) -> list[int]:
        found: list[int] = []
        place = Place(ALL)
        with self.database.reading() as tx:
            while matches := self.index.best(tx, query, scope, place, limit).matches:
                found += [match.id for match in matches]
                place = Place(ALL, *matches[-1])
        return found


@pytest.fixture
def sqlite(open_new: Open) -> Iterator[Library]:
    library = Library(open_new())
    with contextlib.closing(library.index):
        yield library


@pytest.fixture
def postgresql(postgres_url: str) -> Iterator[Library]:
    with contextlib.closing(opening.open_to_serve(postgres_url)) as database:
        yield Library(database)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def library(request: pytest.FixtureRequest) -> Library:
    found: Library = request.getfixturevalue(request.param)
    return found


LETTERS = "аб1 a日本語เก่%'*\"-ёЕ👍\ue000"
words = st.sampled_from(
    ["миграция", "миграции", "мигр", "running", "runs", "日本語", "語", "手机iPhone", "it's", "100%"]
)
texts = (
    st.text(st.sampled_from(LETTERS), max_size=12) | st.lists(words, max_size=4).map(" ".join) | st.text(max_size=20)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, max_size=6), st.lists(texts, min_size=1, max_size=6), st.data())
def test_both_find_what_is_meant(
    sqlite: Library, postgresql: Library, stored: list[str], asked: list[str], data: st.DataObject
) -> None:
    stored = [text for text in stored if can_be_stored(text)]
    room = next(sqlite.rooms)
    ids = sqlite.add(*stored, room=room)
    assert postgresql.add(*stored, room=room) == ids
    many = range(10**6, 10**6 + ROOMS_AS_MARKS)
    scope = Scope(data.draw(st.sampled_from([(room,), (room, *many)])))
    for q in asked + [text[:8] for text in stored]:
        try:
            query = parse(q)
        except ChatError:
            continue
        meant = [id for id, text in zip(ids, stored, strict=True) if ranges_in(text, query) is not None][::-1]
        for library in (sqlite, postgresql):
            assert library.newest(query, scope, data.draw(st.integers(1, 3))) == meant
            assert sorted(library.best(query, scope, data.draw(st.integers(1, 3))), reverse=True) == meant


LONG = {
    "repeats": "a " * 300 + "b",
    "repeats of a stem": "run runs running " * 100 + "jumps",
    "too many": " ".join(map(str, range(10_500))),
    "long words": " ".join(f"{number:063}" for number in range(1000)),
    "what becomes many": " ".join(f"a{number}" + "\ufdfa" * 4 for number in range(4000)),
    "pairs": "日本語" * 7000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_texts_are_cut_alike(library: Library, text: str) -> None:
    (id,) = library.add(text)
    asked = [
        "a",
        '"a b"',
        "jumps",
        "running jumps",
        "9999",
        "10001",
        '"9998 9999"',
        "a3999" + "\ufdfa" * 4,
        "日本",
        "語",
    ]
    for q in asked:
        query = parse(q)
        assert library.newest(query, Scope((1,))) == ([id] if ranges_in(text, query) is not None else []), q


def test_filters(library: Library) -> None:
    (first,) = library.add("word", room=1, sender=7, at=10)
    (second,) = library.add("word", room=2, sender=8, at=20)
    (third,) = library.add("word", room=2, sender=7, at=30)
    many = (1, 2, *range(100, 100 + ROOMS_AS_MARKS))
    query = parse("word")

    def found(scope: Scope) -> list[int]:
        assert sorted(library.best(query, scope), reverse=True) == library.newest(query, scope)
        return library.newest(query, scope)

    assert found(Scope((1, 2))) == found(Scope(many)) == [third, second, first]
    assert found(Scope((2,))) == [third, second]
    assert found(Scope((3,))) == []
    assert found(Scope((1, 2), sender_id=7)) == found(Scope(many, sender_id=7)) == [third, first]
    assert found(Scope((1, 2), after=20)) == [third, second]
    assert found(Scope((1, 2), before=20)) == [first]


def test_an_entry_is_replaced_and_removed(library: Library) -> None:
    (id,) = library.add("old words")
    scope = Scope((1,))
    library.store([Entry(id, 1, 1, 0, 1, "new"), Entry(id, 1, 1, 0, 2, "newest")])
    assert library.newest(parse("old "), scope) == library.newest(parse("new "), scope) == []
    assert library.newest(parse("newest "), scope) == [id]
    library.store([Entry(id, 1, 0, 0, 3, "")])
    library.store([Entry(id + 1, 1, 0, 0, 3, "")])
    assert library.newest(parse("newest "), scope) == []


def test_better_matches_come_first(library: Library) -> None:
    long, short, often = library.add("apple " + "other words here " * 20, "apple pie", "apple apple apple")
    library.add(*["nothing"] * 10)
    found = library.best(parse("apple "), Scope((1,)), limit=1)
    assert sorted(found) == [long, short, often]
    assert found[-1] == long


def test_a_page_considers_only_so_many_matches(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = library.add(*["word"] * 30, room=2)
    mine = library.add("word word", room=1)
    theirs += library.add(*["word"] * 30, room=2)
    for module in ("veche.storage.engines.sqlite_index", "veche.storage.engines.postgres_index"):
        monkeypatch.setattr(f"{module}.CONSIDERED", 10)
        monkeypatch.setattr(f"{module}.ROOMS_AS_MARKS", 0)
    query = parse("word ")
    assert library.newest(query, Scope((1,))) == mine
    assert library.newest(query, Scope((2,)), limit=7) == theirs[::-1]
    with library.database.reading() as tx:
        assert library.index.newest(tx, query, Scope((1,)), ALL, 5) == ([], theirs[-10])
        found = library.index.best(tx, query, Scope((2,)), Place(ALL), 100)
        assert sorted(match.id for match in found.matches) == theirs[-10:]
        assert found.goes_on_below == theirs[-10]


def test_ids_may_be_far_apart(library: Library) -> None:
    ids = [1, 2, 2**13, 2**13 + 1, 2**17 - 1, 2**17, 2**20, 3 * 2**20 + 5, 2**27, 2**40]
    library.store([Entry(id, 1, 1, 0, 0, "word") for id in ids])
    scope = Scope((1,))
    assert library.newest(parse("word "), scope, limit=3) == ids[::-1]
    assert sorted(library.best(parse("word "), scope, limit=3)) == ids
    with library.database.reading() as tx:
        assert library.index.top(tx) == ids[-1] + 1
        for id in ids:
            found = library.index.newest(tx, parse("word "), scope, id, 100).matches
            assert [match.id for match in found] == [other for other in ids[::-1] if other < id]


def test_positions_are_where_the_last_store_left_them(library: Library, reopened: Callable[[], Index]) -> None:
    assert library.index.store({1: (0, 5), 2: (0, 3)}, [Entry(1, 1, 1, 0, 0, "word")])
    assert library.index.positions() == {1: 5, 2: 3}
    with contextlib.closing(reopened()) as again:
        assert again.positions() == {1: 5, 2: 3}


@pytest.fixture
def reopened(library: Library) -> Callable[[], Index]:
    return library.database.index


def test_a_slower_node_stores_nothing(postgresql: Library) -> None:
    other = postgresql.database.index()
    assert other.store({1: (0, 5)}, [Entry(1, 1, 1, 0, 1, "new")])
    assert not postgresql.index.store({1: (0, 3)}, [Entry(1, 1, 1, 0, 0, "old")])
    assert not postgresql.index.store({1: (3, 6), 2: (0, 1)}, [])
    assert postgresql.index.positions() == {1: 5}
    assert postgresql.newest(parse("new "), Scope((1,))) == [1]


def test_the_file_is_made_again_for_another_history_and_if_it_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "x.search"
    for epoch, expected in (("one", {}), ("one", {1: 5}), ("two", {})):
        with contextlib.closing(SqliteIndex(path, epoch)) as index:
            assert index.positions() == expected
            index.store({1: (0, 5)}, [])
    path.write_bytes(b"no database" * 1000)
    with contextlib.closing(SqliteIndex(path, "two")) as index:
        assert index.positions() == {}
