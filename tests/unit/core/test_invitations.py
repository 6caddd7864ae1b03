"""Invitations: who invites whom, how they are answered, and what ends them."""

from __future__ import annotations

import msgspec
import pytest

from veche.core import invitations
from veche.core.errors import Code
from veche.core.invitations import (
    INVITATIONS,
    InvitationCame,
    InvitationEnded,
    InvitationGone,
    Invited,
    MemberInvited,
)
from veche.core.membership import MemberJoined, RoomEntered
from veche.core.rooms import MEMBERS
from veche.core.values import LOBBY_ID, Kind, Role

from . import commands as c
from .conftest import People
from .world import Town


def invite(by: int, room: int, account: int, client_id: str | None = None) -> c.Request:
    return c.by(by, c.InviteMember(room, account, client_id=client_id))


def end(by: int, room: int, account: int, client_id: str | None = None) -> c.Request:
    return c.by(by, c.EndInvitation(room, account, client_id=client_id))


def request(town: Town, by: int, account: int) -> int:
    """Ask somebody for a direct room, and return its id."""
    return int(town.do(c.by(by, c.CreateRoom(Kind.DIRECT, "", (account,), invites=True))).room.id)


@pytest.fixture
def room(town: Town, people: People) -> int:
    """A group of Ann's, with Bob."""
    return town.room(people.ann, Kind.GROUP, people.bob)


def test_who_is_invited_is_not_in_the_room(town: Town, people: People, room: int) -> None:
    assert town.do(invite(people.ann, room, people.eve)) == Invited(room, 3, people.eve)
    invited, came = town.news
    assert isinstance(invited, MemberInvited)
    assert (invited.log_id, invited.seq, invited.person.id, invited.by_id) == (room, 3, people.eve, people.ann)
    assert isinstance(came, InvitationCame)
    assert (came.log_id, came.room.id, came.person.id) == (-people.eve, room, people.ann)
    assert (room, people.eve) not in town.rows(MEMBERS)
    assert town.refuses(c.by(people.eve, c.SendMessage(room, "hi"))).code is Code.NOT_FOUND
    assert town.do(invite(people.ann, room, people.eve)).seq == 3
    assert town.news == []


def test_who_joins_accepts(town: Town, people: People, room: int) -> None:
    assert town.refuses(c.by(people.eve, c.JoinRoom(room))).code is Code.NOT_FOUND
    town.do(invite(people.ann, room, people.eve))
    entered = town.do(c.by(people.eve, c.JoinRoom(room)))
    assert (entered.new, entered.member.role) == (True, Role.MEMBER)
    assert town.kinds() == ["InvitationAccepted", "RoomEntered", "MemberJoined"]
    assert town.rows(INVITATIONS) == {}
    town.do(c.by(people.eve, c.LeaveRoom(room)))
    assert town.refuses(c.by(people.eve, c.JoinRoom(room))).code is Code.NOT_FOUND


def test_who_is_invited_refuses(town: Town, people: People, room: int) -> None:
    assert town.refuses(end(people.eve, room, people.eve)).code is Code.NOT_FOUND
    town.do(invite(people.ann, room, people.eve))
    assert town.do(end(people.eve, room, people.eve)) == Invited(room, 4, people.eve)
    ended, gone = town.news
    assert isinstance(ended, InvitationEnded)
    assert (ended.person.id, ended.by_id) == (people.eve, people.eve)
    assert isinstance(gone, InvitationGone)
    assert (gone.log_id, gone.room_id) == (-people.eve, room)
    assert town.refuses(c.by(people.eve, c.JoinRoom(room))).code is Code.NOT_FOUND
    town.do(invite(people.ann, room, people.eve))


def test_the_first_members_of_a_room_are_invited(town: Town, people: People) -> None:
    entered = town.do(c.by(people.ann, c.CreateRoom(Kind.GROUP, "Team", (people.bob, people.eve), invites=True)))
    assert (entered.new, entered.head_seq, entered.member.role) == (True, 3, Role.OWNER)
    assert town.kinds() == ["RoomCreated", "RoomEntered", "MemberJoined", *["MemberInvited", "InvitationCame"] * 2]
    assert {account for _, account in town.rows(INVITATIONS)} == {people.bob, people.eve}
    assert [account for room, account in town.rows(MEMBERS) if room == entered.room.id] == [people.ann]
    town.do(c.by(people.bob, c.BlockPerson(people.ann)))
    with_bob = c.CreateRoom(Kind.GROUP, "Other", (people.eve, people.bob), invites=True)
    assert town.refuses(c.by(people.ann, with_bob)).code is Code.NOT_FOUND


def test_a_direct_room_is_a_request(town: Town, people: People) -> None:
    room = request(town, people.ann, people.bob)
    assert request(town, people.ann, people.bob) == room
    assert town.news == []
    town.say(people.ann, room)
    town.say(people.ann, room)
    assert town.refuses(c.by(people.bob, c.SendMessage(room, "hi"))).code is Code.NOT_FOUND
    entered = town.do(c.by(people.bob, c.JoinRoom(room)))
    assert town.kinds() == ["InvitationAccepted", "RoomEntered", "MemberJoined"]
    own = town.news[1]
    assert isinstance(own, RoomEntered)
    assert own.peer is not None
    assert own.peer.id == people.ann
    assert (entered.member.role, entered.member.read_seq, entered.member.read_count) == (Role.MEMBER, 5, 2)


def test_who_is_asked_accepts_by_asking_back(town: Town, people: People) -> None:
    room = request(town, people.ann, people.bob)
    town.say(people.ann, room)
    assert request(town, people.bob, people.ann) == room
    assert town.kinds() == ["InvitationAccepted", "RoomEntered", "MemberJoined"]
    own, joined = town.news[1:]
    assert isinstance(own, RoomEntered)
    assert isinstance(joined, MemberJoined)
    assert (own.peer and own.peer.id, joined.role, joined.read_count) == (people.ann, Role.MEMBER, 1)
    assert request(town, people.ann, people.bob) == room
    assert town.news == []


def test_who_has_refused_is_not_asked_again_but_may_enter(town: Town, people: People) -> None:
    room = request(town, people.ann, people.bob)
    town.do(end(people.bob, room, people.bob))
    assert request(town, people.ann, people.bob) == room
    assert town.news == []
    assert town.refuses(c.by(people.bob, c.JoinRoom(room))).code is Code.NOT_FOUND
    assert request(town, people.bob, people.ann) == room
    assert town.kinds() == ["RoomEntered", "MemberJoined"]


def test_an_older_contract_enters_the_room_of_a_request(town: Town, people: People) -> None:
    room = request(town, people.bob, people.ann)
    entered = town.do(c.by(people.ann, c.CreateRoom(Kind.DIRECT, "", (people.bob,))))
    assert (entered.room.id, entered.new) == (room, True)
    assert town.rows(INVITATIONS) == {}


def test_an_invitation_is_taken_back(town: Town, people: People, room: int) -> None:
    town.do(invite(people.ann, room, people.eve))
    assert town.do(end(people.ann, room, people.eve)).seq == 4
    assert town.rows(INVITATIONS) == {}
    assert town.do(end(people.ann, room, people.eve)).seq == 4
    assert town.news == []
    assert town.refuses(c.by(people.eve, c.JoinRoom(room))).code is Code.NOT_FOUND


def test_the_owner_and_the_moderators_invite(town: Town, people: People, room: int) -> None:
    for request in invite(people.bob, room, people.eve), end(people.bob, room, people.eve):
        assert town.refuses(request).code is Code.FORBIDDEN
    for request in invite(people.eve, room, people.bob), end(people.eve, room, people.bob):
        assert town.refuses(request).code is Code.NOT_FOUND
    town.do(c.by(people.ann, c.ChangeRole(room, people.bob, Role.MODERATOR)))
    town.do(invite(people.bob, room, people.eve))
    town.do(end(people.bob, room, people.eve))


def test_who_cannot_be_invited(town: Town, people: People, room: int) -> None:
    assert town.refuses(invite(people.ann, room, people.bob)).code is Code.INVALID
    assert town.refuses(invite(people.ann, room, 99)).code is Code.NOT_FOUND
    town.do(c.by(people.eve, c.BlockPerson(people.ann)))
    assert town.refuses(invite(people.ann, room, people.eve)).code is Code.NOT_FOUND
    town.do(c.by(people.eve, c.UnblockPerson(people.ann)))
    town.do(c.by(people.ann, c.BanMember(room, people.eve)))
    assert town.refuses(invite(people.ann, room, people.eve)).data["reason"] == "banned"
    for place in (LOBBY_ID, town.room(people.ann, Kind.DIRECT, people.bob)):
        assert town.refuses(invite(people.ann, place, people.eve)).code is Code.FORBIDDEN


def test_a_ban_ends_an_invitation(town: Town, people: People, room: int) -> None:
    town.do(invite(people.ann, room, people.eve))
    assert town.do(c.by(people.ann, c.BanMember(room, people.eve))).seq == 5
    assert town.kinds() == ["MemberBanned", "InvitationEnded", "InvitationGone"]
    town.do(c.by(people.ann, c.UnbanMember(room, people.eve)))
    assert town.refuses(c.by(people.eve, c.JoinRoom(room))).code is Code.NOT_FOUND


def test_nobody_joins_an_archived_room(town: Town, people: People, room: int) -> None:
    town.do(invite(people.ann, room, people.eve))
    town.do(c.by(people.ann, c.UpdateRoom(room, archived=True)))
    assert town.refuses(c.by(people.eve, c.JoinRoom(room))).data["reason"] == "archived"
    assert town.refuses(invite(people.ann, room, people.eve)).data["reason"] == "archived"
    town.do(end(people.eve, room, people.eve))


def test_who_is_added_is_not_invited_any_more(town: Town, people: People, room: int) -> None:
    town.do(invite(people.ann, room, people.eve))
    town.do(c.by(people.ann, c.AddMember(room, people.eve)))
    assert town.kinds() == ["InvitationAccepted", "RoomEntered", "MemberJoined"]
    assert town.rows(INVITATIONS) == {}


def test_somebody_has_so_many_invitations(
    town: Town, people: People, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "MAX_INVITATIONS", 1)
    other = town.room(people.ann, Kind.GROUP)
    town.do(invite(people.ann, room, people.eve))
    assert town.refuses(invite(people.ann, other, people.eve)).code is Code.FORBIDDEN
    with_eve = c.by(people.ann, c.CreateRoom(Kind.GROUP, "Third", (people.bob, people.eve), invites=True))
    assert town.refuses(with_eve).code is Code.FORBIDDEN
    town.do(c.by(people.eve, c.JoinRoom(room)))
    town.do(invite(people.ann, other, people.eve))


def test_retries_are_harmless(town: Town, people: People, room: int) -> None:
    requests = invite(people.ann, room, people.eve, "i-1"), end(people.eve, room, people.eve, "i-2")
    for request in requests:
        first = town.do(request)
        assert town.do(request) == msgspec.structs.replace(first, duplicate=True)
        assert town.news == []
    assert town.do(requests[0]).duplicate
    assert town.rows(INVITATIONS) == {}
    assert town.refuses(invite(people.ann, room, people.bob, "i-1")).code is Code.IDEMPOTENCY_MISMATCH
