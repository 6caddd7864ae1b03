"""Rooms: who may make, enter, leave them, bring somebody in, and put somebody out."""

from __future__ import annotations

import pytest

from veche.core.effects import Close
from veche.core.errors import Code
from veche.core.membership import MemberJoined, MemberLeft, RoomEntered, RoomExited
from veche.core.rooms import MEMBERS
from veche.core.state import HEADS
from veche.core.values import LOBBY_ID, Kind, Role

from . import commands as c
from .conftest import People
from .world import Town


def test_who_makes_a_room_owns_it_and_everybody_named_is_in(town: Town, people: People) -> None:
    entered = town.do(c.by(people.ann, c.CreateRoom(Kind.GROUP, "Team", (people.bob, people.bob, people.ann))))
    assert entered.new
    assert entered.head_seq == 2
    assert entered.member.role is Role.OWNER
    roles = {id: member.role for (room, id), member in town.rows(MEMBERS).items() if room == entered.room.id}
    assert roles == {people.ann: Role.OWNER, people.bob: Role.MEMBER}


def test_a_room_begins_with_as_many_as_were_named(town: Town, people: People) -> None:
    others = [people.bob, people.eve, town.person("dan"), town.person("fay")]
    entered = town.do(c.by(people.ann, c.CreateRoom(Kind.GROUP, "Team", tuple(others))))
    assert entered.head_seq == 5
    assert [town.rows(HEADS)[-account_id].last_seq for account_id in others] == [1, 1, 1, 1]


def test_each_entering_stands_in_the_own_log_and_in_the_rooms(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob)
    own, joined = town.news[3], town.news[4]
    assert isinstance(own, RoomEntered)
    assert (own.log_id, own.seq, own.room.id, own.room_seq) == (-people.bob, 1, room, 1)
    assert isinstance(joined, MemberJoined)
    assert (joined.log_id, joined.seq, joined.person.id, joined.by_id) == (room, 2, people.bob, people.ann)


def test_a_direct_room_is_made_once_whoever_asks(town: Town, people: People) -> None:
    first = town.do(c.by(people.ann, c.CreateRoom(Kind.DIRECT, "", (people.bob,))))
    again = town.do(c.by(people.bob, c.CreateRoom(Kind.DIRECT, "", (people.ann,))))
    assert (first.new, again.new, again.room) == (True, False, first.room)
    assert again.member.account_id == people.bob
    assert town.news == []
    again = town.do(c.by(people.ann, c.CreateRoom(Kind.DIRECT, "", (people.bob,))))
    assert (again.new, again.room, again.member.account_id) == (False, first.room, people.ann)
    assert again.head_seq == 2


def test_a_unique_name_is_taken_once_and_leaves_other_rooms_alone(town: Town, people: People) -> None:
    unique = c.CreateRoom(Kind.GROUP, "Team", unique=True)
    town.room(people.ann, name="Team")
    assert town.do(c.by(people.ann, unique)).new
    refusal = town.refuses(c.by(people.bob, unique))
    assert (refusal.code, refusal.data["field"]) == (Code.TAKEN, "name")
    town.room(people.bob, name="Team")


def test_who_enters_a_direct_room_is_told_who_the_other_one_is(town: Town, people: People) -> None:
    town.do(c.by(people.ann, c.CreateRoom(Kind.DIRECT, "", (people.bob,))))
    peers = {-event.log_id: event.peer for event in town.news if isinstance(event, RoomEntered)}
    assert {account_id: peer and peer.username for account_id, peer in peers.items()} == {
        people.ann: "bob",
        people.bob: "ann",
    }
    town.room(people.ann, Kind.GROUP, people.bob)
    assert [event.peer for event in town.news if isinstance(event, RoomEntered)] == [None, None]


def test_it_does_not_matter_whether_the_creator_of_a_direct_room_is_named(town: Town, people: People) -> None:
    first = town.do(c.by(people.ann, c.CreateRoom(Kind.DIRECT, "", (people.ann, people.bob, people.bob))))
    assert first.head_seq == 2
    assert not town.do(c.by(people.ann, c.CreateRoom(Kind.DIRECT, "", (people.bob, people.ann)))).new


@pytest.mark.parametrize("others", [(), (1,), (2, 3), (1, 2, 3)])
def test_a_direct_room_has_one_other_member(town: Town, people: People, others: tuple[int, ...]) -> None:
    assert town.refuses(c.by(1, c.CreateRoom(Kind.DIRECT, "", others))).code is Code.INVALID


def test_there_is_one_lobby(town: Town, people: People) -> None:
    assert town.refuses(c.by(people.ann, c.CreateRoom(Kind.LOBBY, "Mine"))).code is Code.INVALID


def test_a_room_with_somebody_who_is_not_there_is_not_made(town: Town, people: People) -> None:
    assert town.refuses(c.by(people.ann, c.CreateRoom(Kind.GROUP, "Team", (9,)))).code is Code.NOT_FOUND
    assert town.refuses(c.by(9, c.CreateRoom(Kind.GROUP, "Team"))).code is Code.NOT_FOUND


def test_a_rooms_name_may_not_hide_anything(town: Town, people: People) -> None:
    assert town.refuses(c.by(people.ann, c.CreateRoom(Kind.GROUP, "a\u200bb"))).data["field"] == "name"


def test_anybody_enters_a_channel_once(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.CHANNEL)
    first = town.do(c.by(people.bob, c.JoinRoom(room)))
    assert (first.new, first.head_seq, first.member.role) == (True, 2, Role.MEMBER)
    again = town.do(c.by(people.bob, c.JoinRoom(room)))
    assert (again.new, again.head_seq, town.news) == (False, 2, [])


def test_who_enters_has_read_what_was_said_before(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.CHANNEL)
    town.say(people.ann, room)
    town.say(people.ann, room)
    member = town.do(c.by(people.bob, c.JoinRoom(room))).member
    assert (member.read_seq, member.read_count) == (4, 2)


@pytest.mark.parametrize("kind", [Kind.GROUP, Kind.DIRECT])
def test_a_private_room_looks_to_others_as_if_it_were_not_there(town: Town, people: People, kind: Kind) -> None:
    room = town.room(people.ann, kind, people.bob)
    nowhere = town.refuses(c.by(people.eve, c.JoinRoom(99)))
    for command in (
        c.by(people.eve, c.JoinRoom(room)),
        c.by(people.eve, c.LeaveRoom(room)),
        c.by(people.eve, c.AddMember(room, people.eve)),
        c.by(people.eve, c.RemoveMember(room, people.bob)),
        c.by(people.eve, c.SendMessage(room, "hi")),
        c.by(people.eve, c.ReadUpTo(room, 1)),
    ):
        refusal = town.refuses(command)
        assert (refusal.code, refusal.message) == (nowhere.code, nowhere.message)


def test_everybody_is_in_the_lobby_and_nobody_enters_or_leaves_it(town: Town, people: People) -> None:
    entered = town.do(c.by(people.ann, c.JoinRoom(LOBBY_ID)))
    assert (entered.member, entered.new, town.news) == (None, False, [])
    town.do(c.by(people.ann, c.LeaveRoom(LOBBY_ID)))
    assert town.news == []
    assert town.refuses(c.by(people.ann, c.AddMember(LOBBY_ID, people.bob))).code is Code.FORBIDDEN
    assert town.refuses(c.by(people.ann, c.RemoveMember(LOBBY_ID, people.bob))).code is Code.FORBIDDEN


def test_leaving_stands_in_both_logs_and_ends_membership(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob)
    town.do(c.by(people.bob, c.LeaveRoom(room)))
    left, own = town.news
    assert isinstance(left, MemberLeft)
    assert isinstance(own, RoomExited)
    assert (left.log_id, left.seq, left.by_id) == (room, 3, people.bob)
    assert (own.log_id, own.seq, own.room_id, own.room_seq) == (-people.bob, 2, room, left.seq)
    assert left.effects() == own.effects() == (Close(people.bob, room, left.seq, left.at),)
    assert (room, people.bob) not in town.rows(MEMBERS)
    assert town.refuses(c.by(people.bob, c.LeaveRoom(room))).code is Code.NOT_FOUND


def test_leaving_a_channel_one_is_not_in_is_refused_as_such(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.CHANNEL)
    assert town.refuses(c.by(people.bob, c.LeaveRoom(room))).code is Code.NOT_MEMBER


def test_a_direct_room_cannot_be_left_nor_changed(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.DIRECT, people.bob)
    for command, reason in (
        (c.by(people.ann, c.LeaveRoom(room)), "A direct room cannot be left."),
        (c.by(people.ann, c.AddMember(room, people.eve)), "A direct room always has the same two members."),
        (c.by(people.ann, c.RemoveMember(room, people.bob)), "A direct room always has the same two members."),
    ):
        refusal = town.refuses(command)
        assert (refusal.code, refusal.message) == (Code.FORBIDDEN, reason)


def test_only_the_owner_brings_in_and_puts_out(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.CHANNEL, people.bob)
    assert town.refuses(c.by(people.bob, c.AddMember(room, people.eve))).code is Code.FORBIDDEN
    assert town.refuses(c.by(people.bob, c.RemoveMember(room, people.ann))).code is Code.FORBIDDEN
    assert town.do(c.by(people.ann, c.AddMember(room, people.eve))).new
    assert not town.do(c.by(people.ann, c.AddMember(room, people.eve))).new
    assert town.news == []
    town.do(c.by(people.ann, c.RemoveMember(room, people.eve)))
    assert (town.news[0].person.id, town.news[0].by_id) == (people.eve, people.ann)  # type: ignore[union-attr]
    assert town.refuses(c.by(people.ann, c.RemoveMember(room, people.eve))).data["what"] == "account"


def test_nobody_who_is_not_there_is_brought_in(town: Town, people: People) -> None:
    room = town.room(people.ann)
    assert town.refuses(c.by(people.ann, c.AddMember(room, 9))).data["what"] == "account"
