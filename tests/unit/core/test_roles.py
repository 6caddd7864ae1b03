"""Roles: who gives them, what changes, and how a room is handed over."""

from __future__ import annotations

import msgspec
import pytest

from veche.core.errors import Code
from veche.core.ownership import OwnerChanged
from veche.core.roles import RoleChanged, RoleGiven
from veche.core.rooms import MEMBERS
from veche.core.values import LOBBY_ID, Kind, Role

from . import commands as c
from .conftest import People
from .world import Town


def role(by: int, room: int, account: int, role: Role, client_id: str | None = None) -> c.Request:
    return c.by(by, c.ChangeRole(room, account, role, client_id=client_id))


def roles(town: Town, room: int) -> dict[int, Role]:
    return {account: member.role for (id, account), member in town.rows(MEMBERS).items() if id == room}


@pytest.fixture
def room(town: Town, people: People) -> int:
    return town.room(people.ann, Kind.GROUP, people.bob, people.eve)


@pytest.mark.parametrize("given", [Role.MODERATOR, Role.READER])
def test_the_owner_gives_a_role_and_takes_it(town: Town, people: People, room: int, given: Role) -> None:
    assert town.do(role(people.ann, room, people.bob, given)) == RoleGiven(room, 4, people.bob, given)
    [event] = town.news
    assert isinstance(event, RoleChanged)
    assert (event.log_id, event.seq, event.person.id, event.role, event.by_id) == (room, 4, people.bob, given, 1)
    before = town.rows(MEMBERS)[room, people.bob]
    assert before.role is given
    town.do(role(people.ann, room, people.bob, Role.MEMBER))
    assert town.rows(MEMBERS)[room, people.bob] == msgspec.structs.replace(before, role=Role.MEMBER)


def test_who_has_the_role_already_keeps_it_without_an_event(town: Town, people: People, room: int) -> None:
    for account, has in ((people.ann, Role.OWNER), (people.bob, Role.MEMBER)):
        assert town.do(role(people.ann, room, account, has)) == RoleGiven(room, 3, account, has)
        assert town.news == []


def test_a_room_is_handed_over_and_the_owner_before_is_a_member(town: Town, people: People, room: int) -> None:
    town.do(role(people.ann, room, people.bob, Role.READER))
    assert town.do(role(people.ann, room, people.bob, Role.OWNER)) == RoleGiven(room, 5, people.bob, Role.OWNER)
    assert town.kinds() == [OwnerChanged.__name__]
    assert roles(town, room) == {people.ann: Role.MEMBER, people.bob: Role.OWNER, people.eve: Role.MEMBER}
    assert town.refuses(role(people.ann, room, people.eve, Role.MODERATOR)).code is Code.FORBIDDEN
    town.do(role(people.bob, room, people.ann, Role.OWNER))
    assert roles(town, room)[people.bob] is Role.MEMBER


@pytest.mark.parametrize("given", [Role.MODERATOR, Role.MEMBER, Role.READER])
def test_an_owner_cannot_give_its_role_to_nobody(town: Town, people: People, room: int, given: Role) -> None:
    assert town.refuses(role(people.ann, room, people.ann, given)).code is Code.FORBIDDEN


def test_only_members_have_roles(town: Town, people: People, room: int) -> None:
    for nobody in (town.person("dan"), 99):
        refusal = town.refuses(role(people.ann, room, nobody, Role.MODERATOR))
        assert (refusal.code, refusal.data["what"]) == (Code.NOT_FOUND, "account")


def test_nobody_has_roles_in_the_lobby_or_in_a_direct_room(town: Town, people: People) -> None:
    direct = town.room(people.ann, Kind.DIRECT, people.bob)
    for room in (LOBBY_ID, direct):
        for given in Role:
            assert town.refuses(role(people.ann, room, people.bob, given)).code is Code.FORBIDDEN


def test_a_retry_gets_the_first_answer_also_from_who_owns_the_room_no_more(
    town: Town, people: People, room: int
) -> None:
    hand_over = role(people.ann, room, people.bob, Role.OWNER, "r-1")
    first = town.do(hand_over)
    assert town.do(hand_over) == msgspec.structs.replace(first, duplicate=True)
    assert town.news == []
    other = role(people.ann, room, people.eve, Role.OWNER, "r-1")
    assert town.refuses(other).code is Code.IDEMPOTENCY_MISMATCH


def test_a_moderator_removes_members_and_readers_only(town: Town, people: People, room: int) -> None:
    dan, fay = town.person("dan"), town.person("fay")
    for account, given in ((dan, Role.MODERATOR), (fay, Role.READER)):
        town.do(c.by(people.ann, c.AddMember(room, account)))
        town.do(role(people.ann, room, account, given))
    town.do(role(people.ann, room, people.bob, Role.MODERATOR))
    for account in (people.ann, dan):
        assert town.refuses(c.by(people.bob, c.RemoveMember(room, account))).code is Code.FORBIDDEN
    for account in (people.eve, fay):
        town.do(c.by(people.bob, c.RemoveMember(room, account)))
    town.do(c.by(people.ann, c.RemoveMember(room, dan)))
    assert roles(town, room) == {people.ann: Role.OWNER, people.bob: Role.MODERATOR}
    town.do(c.by(people.bob, c.RemoveMember(room, people.bob)))
    assert roles(town, room) == {people.ann: Role.OWNER}


def test_whoever_comes_back_is_a_member(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.CHANNEL, people.bob)
    for given in (Role.MODERATOR, Role.READER):
        town.do(role(people.ann, room, people.bob, given))
        town.do(c.by(people.bob, c.LeaveRoom(room)))
        assert town.do(c.by(people.bob, c.JoinRoom(room))).member.role is Role.MEMBER


def test_a_reader_does_not_change_what_it_said_before(town: Town, people: People, room: int) -> None:
    message = town.say(people.bob, room).message
    town.do(role(people.ann, room, people.bob, Role.READER))
    for command in (c.EditMessage(room, message.id, "ho"), c.DeleteMessage(room, message.id)):
        assert town.refuses(c.by(people.bob, command)).code is Code.FORBIDDEN
