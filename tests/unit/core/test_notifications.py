"""Notification levels: an account's own, of one room, told to its own log."""

from __future__ import annotations

import msgspec
import pytest

from veche.core.errors import Code
from veche.core.notifications import LevelChanged, LevelSet
from veche.core.reading import ReadMoved
from veche.core.rooms import MEMBERS
from veche.core.values import LOBBY_ID, Kind, Level, Role

from . import commands as c
from .conftest import People
from .world import Town


def level(by: int, room: int, level: Level, client_id: str | None = None) -> c.Request:
    return c.by(by, c.SetLevel(room, level, client_id=client_id))


@pytest.fixture
def room(town: Town, people: People) -> int:
    return town.room(people.ann, Kind.GROUP, people.bob)


def test_a_level_is_told_to_ones_own_log_and_to_nobody_else(town: Town, people: People, room: int) -> None:
    before = town.rows(MEMBERS)[room, people.bob]
    assert town.do(level(people.bob, room, Level.NONE)) == LevelSet(room, Level.NONE)
    [event] = town.news
    assert isinstance(event, LevelChanged)
    assert (event.log_id, event.seq, event.room_id, event.level) == (-people.bob, 2, room, Level.NONE)
    assert town.rows(MEMBERS)[room, people.bob] == msgspec.structs.replace(before, level=Level.NONE)
    assert town.rows(MEMBERS)[room, people.ann].level is Level.ALL


@pytest.mark.parametrize("same", list(Level))
def test_what_is_so_already_has_no_event(town: Town, people: People, room: int, same: Level) -> None:
    town.do(level(people.bob, room, same))
    assert town.do(level(people.bob, room, same)) == LevelSet(room, same)
    assert town.news == []


def test_a_retry_gets_the_first_answer(town: Town, people: People, room: int) -> None:
    first = town.do(level(people.bob, room, Level.NONE, "n-1"))
    town.do(level(people.bob, room, Level.ALL))
    assert town.do(level(people.bob, room, Level.NONE, "n-1")) == msgspec.structs.replace(first, duplicate=True)
    assert town.rows(MEMBERS)[room, people.bob].level is Level.ALL


def test_what_happens_in_the_room_leaves_it_and_leaving_does_not(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.CHANNEL, people.bob)
    town.do(level(people.bob, room, Level.MENTIONS))
    town.say(people.ann, room)
    town.say(people.bob, room)
    town.do(c.by(people.bob, c.ReadUpTo(room, 4)))
    town.do(c.by(people.ann, c.ChangeRole(room, people.bob, Role.READER)))
    town.do(c.by(people.ann, c.UpdateRoom(room, archived=True)))
    assert town.rows(MEMBERS)[room, people.bob].level is Level.MENTIONS
    town.do(level(people.bob, room, Level.NONE))  # also in an archived room, and by a reader
    town.do(c.by(people.ann, c.UpdateRoom(room, archived=False)))
    town.do(c.by(people.bob, c.LeaveRoom(room)))
    town.do(c.by(people.bob, c.JoinRoom(room)))
    assert town.rows(MEMBERS)[room, people.bob].level is Level.ALL


def test_in_the_lobby_the_pointer_goes_to_the_head_first(town: Town, people: People) -> None:
    town.say(people.ann, LOBBY_ID)
    town.do(level(people.bob, LOBBY_ID, Level.ALL))
    assert town.news == []
    town.do(level(people.bob, LOBBY_ID, Level.NONE))
    read, changed = town.news
    assert isinstance(read, ReadMoved)
    assert isinstance(changed, LevelChanged)
    member = town.rows(MEMBERS)[LOBBY_ID, people.bob]
    assert (member.read_seq, member.read_count, member.level) == (1, 1, Level.NONE)
    town.do(level(people.bob, LOBBY_ID, Level.MENTIONS))
    assert town.kinds() == ["LevelChanged"]


def test_who_may_not_read_has_no_level(town: Town, people: People, room: int) -> None:
    channel = town.room(people.ann, Kind.CHANNEL)
    for where, code in ((room, Code.NOT_FOUND), (channel, Code.NOT_MEMBER), (99, Code.NOT_FOUND)):
        assert town.refuses(level(people.eve, where, Level.NONE)).code is code
