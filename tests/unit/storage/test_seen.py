"""Who has seen a message, by the read pointers of the members."""

from __future__ import annotations

import pytest
from core import commands as c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from veche.core.values import LOBBY_ID, Kind
from veche.storage.database import Database
from veche.storage.seen import SeenBy, seen_by

from .conftest import Town

PEOPLE = (1, 2, 3)  # ann, who makes each room, bob and eve
BOUNDED = settings(
    max_examples=examples(25),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def town(database: Database) -> Town:
    return Town(database)


def seen(town: Town, room: int, message: int, asker: int = 1, after: int = 0, **bounds: int) -> SeenBy:
    with town.database.reading() as tx:
        return seen_by(tx, room, message, asker, after, **{"limit": 9, **bounds})


def all_pages(town: Town, room: int, message: int, limit: int, scanned: int) -> list[int]:
    found, after = [], 0
    while True:
        page = seen(town, room, message, after=after, limit=limit, scanned=scanned)
        assert len(page.people) <= limit
        found += [person.id for person in page.people]
        if page.last_id is None:
            return found
        assert page.last_id > after
        after = page.last_id


STEPS = st.lists(
    st.tuples(st.sampled_from(["say", "say", "read", "come or go", "hide or show"]), st.sampled_from(PEOPLE)),
    max_size=14,
)


@BOUNDED
@given(steps=STEPS, limit=st.integers(1, 3), scanned=st.integers(1, 4))
def test_those_have_seen_it_who_were_there_and_read_that_far(
    town: Town, steps: list[tuple[str, int]], limit: int, scanned: int
) -> None:
    """And hide nothing. However the pages are cut."""
    for person in PEOPLE:
        town.do(c.by(person, c.ChangeProfile(hides_reading=False)))
    room = town.do(c.by(1, c.CreateRoom(Kind.CHANNEL, "Channel"))).room.id
    inside, hiding = {1}, set()
    there: dict[int, set[int]] = {1: set()}  # for each member: the messages that were sent while it was there
    read: dict[int, set[int]] = {1: set()}
    said: dict[int, int] = {}
    for step, who in steps:
        if step == "come or go" and who != 1:
            if who in inside:
                town.do(c.by(who, c.LeaveRoom(room)))
                inside.remove(who)
            else:
                town.do(c.by(who, c.JoinRoom(room)))
                inside.add(who)
                there[who], read[who] = set(), set()
        elif step == "hide or show" and who != 1:
            hiding ^= {who}
            town.do(c.by(who, c.ChangeProfile(hides_reading=who in hiding)))
        elif step == "say" and who in inside:
            message = town.do(c.by(who, c.SendMessage(room, "hi"))).message
            said[message.id] = who
            for member in inside:
                there[member].add(message.id)
            read[who] |= there[who]
        elif step == "read" and who in inside:
            town.do(c.by(who, c.ReadUpTo(room, 2**31)))
            read[who] |= there[who]
    for id, sender in said.items():
        expected = [who for who in sorted(inside - hiding) if id in read[who] and who != sender]
        assert all_pages(town, room, id, limit, scanned) == expected


def test_who_hides_sees_nobody(town: Town) -> None:
    message = town.do(c.by(1, c.SendMessage(1, "hi"))).message
    assert not seen(town, 1, message.id, asker=2).hidden
    town.do(c.by(2, c.ChangeProfile(hides_reading=True)))
    assert seen(town, 1, message.id, asker=2) == SeenBy(message, True, [], None, 0)


def test_in_the_lobby_the_pointer_alone_counts(town: Town) -> None:
    message = town.do(c.by(1, c.SendMessage(LOBBY_ID, "hi"))).message
    assert seen(town, LOBBY_ID, message.id).people == []
    town.do(c.by(2, c.ReadUpTo(LOBBY_ID, message.seq)))
    assert [person.id for person in seen(town, LOBBY_ID, message.id).people] == [2]


def test_a_message_that_is_not_there_has_been_seen_by_nobody(town: Town) -> None:
    assert seen(town, 1, 99) == SeenBy(None, False, [], None, 0)
