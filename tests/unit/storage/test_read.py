"""Pages of messages, entries of logs, and what a connection begins with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from core import commands as c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from veche.core.event import LogEvent
from veche.core.membership import RoomEntered
from veche.core.messages import Message
from veche.core.values import LOBBY_ID, Kind
from veche.storage.database import Database
from veche.storage.engines.engine import READERS, Transaction
from veche.storage.entries import read_entries
from veche.storage.log import head_seqs
from veche.storage.membership import list_members
from veche.storage.messages import history, history_by_offset
from veche.storage.reader import Reader
from veche.storage.rooms import public_rooms, room, rooms_of, welcome
from veche.storage.tables import PAGE_BYTES

from .conftest import Town

CHANNEL = 1
BOUNDED = settings(
    max_examples=examples(60),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def town(database: Database) -> Iterator[Town]:
    """The channel holds messages and, between them, people who come and go."""
    town = Town(database)
    for number in range(12):
        town.batch(*[town.say(CHANNEL, f"m{number}.{n}") for n in range(number % 4)])
        town.batch(c.by(3, c.JoinRoom(CHANNEL)) if number % 2 == 0 else c.by(3, c.LeaveRoom(CHANNEL)))
    return town


def messages(town: Town) -> list[int]:
    return [seq for (seq,) in town.rows(f"SELECT seq FROM messages WHERE room_id = {CHANNEL} ORDER BY seq")]


where = st.integers(0, 60) | st.sampled_from([2**31, 2**63 - 1])
limits = st.integers(1, 30)


@BOUNDED
@given(seq=where, limit=limits)
def test_a_page_before_is_what_stands_directly_before(town: Town, seq: int, limit: int) -> None:
    with town.database.reading() as connection:
        page = history(connection, CHANNEL, limit, before=seq)
    every = messages(town)
    assert [message.seq for message in page.items] == [one for one in every if one < seq][-limit:]
    check_ends(page.items, page.more_before, page.more_after, every, seq - 1)


@BOUNDED
@given(seq=where, limit=limits)
def test_a_page_after_is_what_stands_directly_after(town: Town, seq: int, limit: int) -> None:
    with town.database.reading() as connection:
        page = history(connection, CHANNEL, limit, after=seq)
    every = messages(town)
    assert [message.seq for message in page.items] == [one for one in every if one > seq][:limit]
    check_ends(page.items, page.more_before, page.more_after, every, seq)


@BOUNDED
@given(seq=where, limit=limits)
def test_a_page_around_holds_what_it_is_around_and_has_no_holes(town: Town, seq: int, limit: int) -> None:
    with town.database.reading() as connection:
        page = history(connection, CHANNEL, limit, around=seq)
    every, found = messages(town), [message.seq for message in page.items]
    assert len(found) <= limit
    if found:
        start = every.index(found[0])
        assert found == every[start : start + len(found)]
    if seq in every:
        assert seq in found
    check_ends(page.items, page.more_before, page.more_after, every, seq)


def check_ends(items: list[Message], before: bool, after: bool, every: list[int], empty_at: int) -> None:
    """Whether there is more is true of both ends; an empty page stands behind `empty_at`."""
    first = items[0].seq if items else empty_at + 1
    last = items[-1].seq if items else empty_at
    assert before is any(seq < first for seq in every)
    assert after is any(seq > last for seq in every)


def test_without_a_seq_one_gets_the_newest(town: Town) -> None:
    with town.database.reading() as connection:
        page = history(connection, CHANNEL, 5)
    assert [message.seq for message in page.items] == messages(town)[-5:]
    assert (page.more_before, page.more_after, page.head_seq) == (True, False, town.head(CHANNEL))


def test_going_back_page_by_page_meets_every_message_once(town: Town) -> None:
    found: list[int] = []
    before = None
    with town.database.reading() as connection:
        while True:
            page = history(connection, CHANNEL, 4, before=before)
            found = [message.seq for message in page.items] + found
            if not page.more_before:
                break
            before = page.items[0].seq
    assert found == messages(town)


@pytest.mark.parametrize("room_id", [99, LOBBY_ID, 2])
def test_a_room_without_messages_has_an_empty_page(town: Town, room_id: int) -> None:
    with town.database.reading() as connection:
        page = history(connection, room_id, 5)
    assert (page.items, page.more_before, page.more_after) == ([], False, False)


@BOUNDED
@given(after=st.integers(0, 45), span=st.integers(0, 45), limit=st.integers(1, 30))
def test_entries_follow_each_other_and_are_as_many_as_there_are(town: Town, after: int, span: int, limit: int) -> None:
    head = town.head(CHANNEL)
    with town.database.reading() as connection:
        found = read_entries(connection, CHANNEL, after, after + span, limit)
    expected = list(range(after + 1, min(after + span, head) + 1))[:limit]
    assert [event.seq for event in found] == expected


def walk(town: Town, log_id: int, limit: int) -> Iterator[list[LogEvent]]:
    after, head = 0, town.head(log_id)
    with town.database.reading() as connection:
        while after < head:
            page = read_entries(connection, log_id, after, head, limit)
            assert page, f"no way on after {after}"
            assert [event.seq for event in page] == list(range(after + 1, after + 1 + len(page)))
            after = page[-1].seq
            yield page


@pytest.mark.parametrize("char", ["x", "é", "€", "😀"])
def test_a_page_of_entries_is_bounded_in_bytes_and_always_goes_on(town: Town, char: str) -> None:
    size = len(char.encode())
    for number in range(12):
        town.batch(
            town.say(CHANNEL, char * (60_000 // size)),
            c.by(3, c.JoinRoom(CHANNEL)) if number % 2 else c.by(3, c.LeaveRoom(CHANNEL)),
        )
    pages = list(walk(town, CHANNEL, 200))
    assert max(sum(len(getattr(event, "text", "").encode()) for event in page) for page in pages) <= PAGE_BYTES + 65_536


def back(town: Town, tx: Transaction) -> Iterator[list[Message]]:
    before = None
    while (page := history(tx, CHANNEL, 200, before=before)).items:
        yield page.items
        before = page.items[0].seq
        assert page.more_before == (before != messages(town)[0])


def forth(town: Town, tx: Transaction) -> Iterator[list[Message]]:
    after = 0
    while (page := history(tx, CHANNEL, 200, after=after)).items:
        yield page.items
        after = page.items[-1].seq
        assert page.more_after == (after != messages(town)[-1])


def by_offset(town: Town, tx: Transaction) -> Iterator[list[Message]]:
    offset = 0
    while page := history_by_offset(tx, CHANNEL, offset, 200)[0]:
        yield page
        offset += len(page)


@pytest.mark.parametrize("read", [back, forth, by_offset])
def test_a_page_of_history_is_bounded_in_bytes_and_all_pages_have_every_message_once(
    town: Town, read: Callable[[Town, Transaction], Iterator[list[Message]]]
) -> None:
    for _ in range(8):
        town.batch(town.say(CHANNEL, "é" * 30_000))
    with town.database.reading() as tx:
        pages = list(read(town, tx))
        around = history(tx, CHANNEL, 200, around=town.head(CHANNEL) - 4).items
    found = [message.seq for page in pages for message in page]
    assert (found if read is not back else sorted(found)) == messages(town)
    assert max(map(bytes_of, pages)) <= PAGE_BYTES + 65_536
    assert bytes_of(around) <= 2 * (PAGE_BYTES + 65_536)


def bytes_of(page: list[Message]) -> int:
    return sum(len(message.text.encode()) for message in page)


@pytest.mark.parametrize("log_id", [-1, -2, -3, CHANNEL, 2, LOBBY_ID])
def test_every_log_can_be_walked_to_its_end(town: Town, log_id: int) -> None:
    town.do(c.by(1, c.SetPassword("h", None)))
    town.do(c.by(2, c.ReadUpTo(CHANNEL, 9)))
    town.do(town.say(LOBBY_ID))
    assert sum(map(len, walk(town, log_id, 3))) == town.head(log_id)


def test_entries_stop_in_front_of_a_hole(town: Town) -> None:
    hole = messages(town)[3]
    with town.database.writing() as connection:
        connection.connection.execute(f"DELETE FROM messages WHERE room_id = {CHANNEL} AND seq = {hole}")
    with town.database.reading() as connection:
        assert read_entries(connection, CHANNEL, 0, 99, 200)[-1].seq == hole - 1
        assert read_entries(connection, CHANNEL, hole - 1, 99, 200) == []


def test_what_one_begins_with_is_of_one_moment(town: Town) -> None:
    with town.database.reading() as connection:
        before = welcome(connection, 2, "s1")
        town.batch(town.say(CHANNEL), c.by(2, c.LeaveRoom(CHANNEL)))
        assert welcome(connection, 2, "s1") == before, "a snapshot does not move"
    with town.database.reading() as connection:
        assert [view.room.id for view in welcome(connection, 2, "s1").rooms] == [2]


def test_unread_is_what_was_said_after_ones_pointer(town: Town) -> None:
    town.do(c.by(3, c.JoinRoom(CHANNEL)))
    town.batch(*[town.say(CHANNEL) for _ in range(3)])
    with town.database.reading() as connection:
        view = room(connection, CHANNEL, 3)
        assert view is not None
        assert view.unread == 3
        assert view.last_message is not None
        assert view.last_message.seq == view.head.last_seq


def test_a_direct_room_shows_the_other_one(town: Town) -> None:
    room_id = town.do(c.by(1, c.CreateRoom(Kind.DIRECT, "", (2,)))).room.id
    with town.database.reading() as connection:
        names = [view.name for account in (1, 2) if (view := room(connection, room_id, account))]
    assert names == ["bob", "ann"]


def test_an_own_log_names_the_other_person_of_a_direct_room(town: Town) -> None:
    town.do(c.by(1, c.CreateRoom(Kind.DIRECT, "", (2,))))
    with town.database.reading() as tx:
        for account_id, other in ((1, "bob"), (2, "ann")):
            *others, last = read_entries(tx, -account_id, 0, town.head(-account_id), 200)
            assert isinstance(last, RoomEntered)
            assert last.peer is not None
            assert last.peer.name == other
            assert [event.peer for event in others if isinstance(event, RoomEntered)] == [None, None]


def test_people_and_rooms_come_by_pages(town: Town) -> None:
    for name in ("dan", "fay"):
        town.do(c.by(c.NOBODY_ID, c.Register("h", username=name)))
    with town.database.reading() as connection:
        assert [view.person.id for view in list_members(connection, LOBBY_ID, 0, 3)] == [1, 2, 3]
        assert [view.person.id for view in list_members(connection, LOBBY_ID, 3, 9)] == [4, 5]
        assert [view.person.id for view in list_members(connection, CHANNEL, 0, 1)] == [1]
        assert [view.room.id for view in rooms_of(connection, 1, 0, 1)] == [1]
        assert [view.room.id for view in rooms_of(connection, 1, 1, 9)] == [2]
        assert [view.room.id for view in public_rooms(connection, 3, 0, 9)] == [CHANNEL, LOBBY_ID]


def test_a_channel_is_not_among_those_to_join_while_it_is_archived(town: Town) -> None:
    for archived, listed in ((True, [LOBBY_ID]), (False, [CHANNEL, LOBBY_ID])):
        town.do(c.by(1, c.UpdateRoom(CHANNEL, archived=archived)))
        with town.database.reading() as connection:
            assert [view.room.id for view in public_rooms(connection, 3, 0, 9)] == listed


async def test_readers_hold_no_connection_while_they_are_idle(town: Town) -> None:
    reader = Reader(town.database)
    await asyncio.gather(*[reader.read(1, head_seqs, [CHANNEL]) for _ in range(50)])
    assert town.database._engine._readers.qsize() == READERS  # type: ignore[attr-defined]
    town.do(town.say(CHANNEL))
    assert town.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0, "an old snapshot is still held"
    reader.stop()


async def test_a_query_that_fails_gives_its_connection_back_is_logged_and_calls_back_with_none(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    reader = Reader(town.database)
    answers: asyncio.Queue[object] = asyncio.Queue()

    def fail(connection: object) -> None:
        raise ValueError("a bug of a query")

    for _ in range(10):
        reader.call(1, answers.put_nowait, fail)
    found = {await answers.get() for _ in range(10)}
    assert caplog.text.count("ValueError: a bug of a query") == 10
    with pytest.raises(ValueError, match="a bug"):
        await reader.read(1, fail)
    assert found == {None}
    assert town.database._engine._readers.qsize() == READERS  # type: ignore[attr-defined]
    reader.stop()


def test_a_client_is_welcomed_with_the_rooms_of_the_newest_messages_and_the_heads_of_all(town: Town) -> None:
    for number in range(3, 8):
        town.do(c.by(1, c.CreateRoom(Kind.GROUP, f"Room {number}", (2,))))
    for number in (6, 1, 4):
        town.do(town.say(number))
    town.do(c.by(1, c.ReadUpTo(LOBBY_ID, 0)))
    with town.database.reading() as tx:
        few, all = welcome(tx, 2, "", 3), welcome(tx, 2, "", 7)
    assert [view.room.id for view in few.rooms] == [1, 4, 6]
    assert [view.room.id for view in all.rooms] == [1, 2, 3, 4, 5, 6, 7]
    assert (few.more, all.more) == (True, False)
    logs = (-2, LOBBY_ID, *range(1, 8))
    assert few.heads == all.heads == {log_id: town.head(log_id) for log_id in logs}
    assert {view.last_message for view in all.rooms} == {None}
