"""Renaming a room."""

from __future__ import annotations

import pytest

from veche.core.errors import Code
from veche.core.room_renaming import RoomRenamed
from veche.core.room_settings import RoomUpdated
from veche.core.rooms import ROOM_NAMES, ROOMS
from veche.core.values import LOBBY_ID, Kind

from . import commands as c
from .conftest import People
from .world import Town


@pytest.mark.parametrize("kind", [Kind.GROUP, Kind.CHANNEL])
def test_the_owner_renames_a_room_and_its_log_says_so(town: Town, people: People, kind: Kind) -> None:
    room = town.room(people.ann, kind, people.bob)
    assert town.do(c.by(people.ann, c.UpdateRoom(room, "Crew"))) == RoomUpdated(room, 3)
    [renamed] = town.news
    assert isinstance(renamed, RoomRenamed)
    assert (renamed.log_id, renamed.seq, renamed.name, renamed.person.id) == (room, 3, "Crew", people.ann)
    assert town.rows(ROOMS)[room].name == "Crew"
    assert town.do(c.by(people.ann, c.UpdateRoom(room, "Crew"))) == RoomUpdated(room, 3)
    assert town.news == [], "a retry changes nothing"


def test_others_may_not(town: Town, people: People) -> None:
    group, channel = town.room(people.ann, Kind.GROUP, people.bob), town.room(people.ann, Kind.CHANNEL)
    direct = town.room(people.ann, Kind.DIRECT, people.bob)
    for by, room, code in (
        (people.bob, group, Code.FORBIDDEN),
        (people.eve, group, Code.NOT_FOUND),
        (people.eve, channel, Code.NOT_MEMBER),
        (people.ann, direct, Code.FORBIDDEN),
        (people.eve, direct, Code.NOT_FOUND),
        (people.ann, LOBBY_ID, Code.FORBIDDEN),
        (people.ann, 99, Code.NOT_FOUND),
    ):
        assert town.refuses(c.by(by, c.UpdateRoom(room, "Crew"))).code is code
    assert town.refuses(c.by(people.ann, c.UpdateRoom(LOBBY_ID, "x"))).message == "The lobby cannot be renamed."
    assert town.refuses(c.by(people.ann, c.UpdateRoom(direct, "x"))).message == "A direct room cannot be renamed."


def test_a_unique_name_stays_unique_and_the_old_one_is_free(town: Town, people: People) -> None:
    one, two = (town.do(c.by(people.ann, c.CreateRoom(Kind.GROUP, name, unique=True))).room.id for name in ("a", "b"))
    refusal = town.refuses(c.by(people.ann, c.UpdateRoom(one, "b")))
    assert (refusal.code, refusal.data["field"]) == (Code.TAKEN, "name")
    town.do(c.by(people.ann, c.UpdateRoom(one, "c")))
    town.do(c.by(people.ann, c.UpdateRoom(two, "a")))
    assert [town.rows(ROOMS)[room].unique_name for room in (one, two)] == ["c", "a"]
    assert town.rows(ROOM_NAMES) == {"c": one, "a": two}
    plain = town.room(people.ann, name="b")
    town.do(c.by(people.ann, c.UpdateRoom(plain, "a")))
    assert town.rows(ROOMS)[plain].unique_name is None


def test_a_name_may_not_hide_anything(town: Town, people: People) -> None:
    room = town.room(people.ann)
    assert town.refuses(c.by(people.ann, c.UpdateRoom(room, "a\u200bb"))).data["field"] == "name"
