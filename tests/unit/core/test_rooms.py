"""Rooms: who may make, enter, leave them, bring somebody in, and put somebody out."""

from __future__ import annotations

import pytest

from veche.core import commands as c
from veche.core.effects import Close
from veche.core.errors import Code
from veche.core.events import MemberJoined, MemberLeft, RoomEntered, RoomExited
from veche.core.rooms import LOBBY_ID, Kind, Role

from .conftest import People
from .world import Town


def test_who_makes_a_room_owns_it_and_everybody_named_is_in(town: Town, people: People) -> None:
    entered = town.do(c.CreateRoom(people.ann, Kind.GROUP, "Team", (people.bob, people.bob, people.ann)))
    assert entered.new
    assert entered.head_seq == 2
    assert entered.member.role is Role.OWNER
    roles = {id: member.role for (room, id), member in town.state.members.items() if room == entered.room.id}
    assert roles == {people.ann: Role.OWNER, people.bob: Role.MEMBER}


def test_each_entering_stands_in_the_own_log_and_in_the_rooms(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob)
    own, joined = town.news[3], town.news[4]
    assert isinstance(own, RoomEntered)
    assert (own.log_id, own.seq, own.room.id, own.room_seq) == (-people.bob, 1, room, 1)
    assert isinstance(joined, MemberJoined)
    assert (joined.log_id, joined.seq, joined.person.id, joined.by_id) == (room, 2, people.bob, people.ann)


def test_a_direct_room_is_made_once_whoever_asks(town: Town, people: People) -> None:
    first = town.do(c.CreateRoom(people.ann, Kind.DIRECT, "", (people.bob,)))
    again = town.do(c.CreateRoom(people.bob, Kind.DIRECT, "", (people.ann,)))
    assert (first.new, again.new, again.room) == (True, False, first.room)
    assert again.member.account_id == people.bob
    assert town.news == []


@pytest.mark.parametrize("others", [(), (1,), (2, 3), (1, 2, 3)])
def test_a_direct_room_has_one_other_member(town: Town, people: People, others: tuple[int, ...]) -> None:
    assert town.refuses(c.CreateRoom(1, Kind.DIRECT, "", others)).code is Code.INVALID


def test_there_is_one_lobby(town: Town, people: People) -> None:
    assert town.refuses(c.CreateRoom(people.ann, Kind.LOBBY, "Mine")).code is Code.INVALID


def test_a_room_with_somebody_who_is_not_there_is_not_made(town: Town, people: People) -> None:
    assert town.refuses(c.CreateRoom(people.ann, Kind.GROUP, "Team", (9,))).code is Code.NOT_FOUND
    assert town.refuses(c.CreateRoom(9, Kind.GROUP, "Team")).code is Code.NOT_FOUND


def test_a_rooms_name_may_not_hide_anything(town: Town, people: People) -> None:
    assert town.refuses(c.CreateRoom(people.ann, Kind.GROUP, "a\u200bb")).data["field"] == "name"


def test_anybody_enters_a_channel_once(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.CHANNEL)
    first = town.do(c.JoinRoom(people.bob, room))
    assert (first.new, first.head_seq, first.member.role) == (True, 2, Role.MEMBER)
    again = town.do(c.JoinRoom(people.bob, room))
    assert (again.new, again.head_seq, town.news) == (False, 2, [])


def test_who_enters_has_read_what_was_said_before(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.CHANNEL)
    town.say(people.ann, room)
    town.say(people.ann, room)
    member = town.do(c.JoinRoom(people.bob, room)).member
    assert (member.read_seq, member.read_count) == (4, 2)


@pytest.mark.parametrize("kind", [Kind.GROUP, Kind.DIRECT])
def test_a_private_room_looks_to_others_as_if_it_were_not_there(town: Town, people: People, kind: Kind) -> None:
    room = town.room(people.ann, kind, people.bob)
    nowhere = town.refuses(c.JoinRoom(people.eve, 99))
    for command in (
        c.JoinRoom(people.eve, room),
        c.LeaveRoom(people.eve, room),
        c.AddMember(people.eve, room, people.eve),
        c.RemoveMember(people.eve, room, people.bob),
        c.SendMessage(people.eve, room, "hi", "native"),
        c.ReadUpTo(people.eve, room, 1),
    ):
        refusal = town.refuses(command)
        assert (refusal.code, refusal.message) == (nowhere.code, nowhere.message)


def test_everybody_is_in_the_lobby_and_nobody_enters_or_leaves_it(town: Town, people: People) -> None:
    entered = town.do(c.JoinRoom(people.ann, LOBBY_ID))
    assert (entered.member, entered.new, town.news) == (None, False, [])
    town.do(c.LeaveRoom(people.ann, LOBBY_ID))
    assert town.news == []
    assert town.refuses(c.AddMember(people.ann, LOBBY_ID, people.bob)).code is Code.FORBIDDEN
    assert town.refuses(c.RemoveMember(people.ann, LOBBY_ID, people.bob)).code is Code.FORBIDDEN


def test_leaving_stands_in_both_logs_and_ends_membership(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob)
    town.do(c.LeaveRoom(people.bob, room))
    left, own = town.news
    assert isinstance(left, MemberLeft)
    assert isinstance(own, RoomExited)
    assert (left.log_id, left.seq, left.by_id) == (room, 3, people.bob)
    assert (own.log_id, own.seq, own.room_id, own.room_seq) == (-people.bob, 2, room, left.seq)
    assert left.effects() == own.effects() == (Close(people.bob, room, left.seq, left.at),)
    assert (room, people.bob) not in town.state.members
    assert town.refuses(c.LeaveRoom(people.bob, room)).code is Code.NOT_FOUND


def test_leaving_a_channel_one_is_not_in_is_refused_as_such(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.CHANNEL)
    assert town.refuses(c.LeaveRoom(people.bob, room)).code is Code.NOT_MEMBER


def test_a_direct_room_cannot_be_left_nor_changed(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.DIRECT, people.bob)
    for command in (
        c.LeaveRoom(people.ann, room),
        c.AddMember(people.ann, room, people.eve),
        c.RemoveMember(people.ann, room, people.bob),
    ):
        assert town.refuses(command).code is Code.FORBIDDEN


def test_only_the_owner_brings_in_and_puts_out(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.CHANNEL, people.bob)
    assert town.refuses(c.AddMember(people.bob, room, people.eve)).code is Code.FORBIDDEN
    assert town.refuses(c.RemoveMember(people.bob, room, people.ann)).code is Code.FORBIDDEN
    assert town.do(c.AddMember(people.ann, room, people.eve)).new
    assert not town.do(c.AddMember(people.ann, room, people.eve)).new
    assert town.news == []
    town.do(c.RemoveMember(people.ann, room, people.eve))
    assert (town.news[0].person.id, town.news[0].by_id) == (people.eve, people.ann)  # type: ignore[union-attr]
    assert town.refuses(c.RemoveMember(people.ann, room, people.eve)).data["what"] == "account"


def test_nobody_who_is_not_there_is_brought_in(town: Town, people: People) -> None:
    room = town.room(people.ann)
    assert town.refuses(c.AddMember(people.ann, room, 9)).data["what"] == "account"
