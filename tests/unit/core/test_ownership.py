"""Groups and channels: as long as they have members, one of them is the owner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.core.errors import ChatError, Code
from veche.core.facts import Needs
from veche.core.membership import MemberLeft, RoomExited
from veche.core.ownership import NAMED, OwnerChanged
from veche.core.rooms import MEMBERS
from veche.core.state import State
from veche.core.values import LOBBY_ID, Kind, Role

from . import commands as c
from .conftest import People
from .world import Town

OWNED = (Kind.GROUP, Kind.CHANNEL)


def roles(town: Town, room: int) -> dict[int, Role]:
    return {account: member.role for (id, account), member in town.rows(MEMBERS).items() if id == room}


def leave(by: int, room: int, how: str, account: int) -> c.Request:
    return c.by(by, c.LeaveRoom(room) if how == "leave" else c.RemoveMember(room, account))


def together(town: Town, *requests: c.Request) -> None:
    """Decide several requests in one transaction."""
    state, all_needs = State(town.everything.new_id), []
    for actor, command in requests:
        needs = Needs()
        command.needs(actor, needs)
        town.everything.load(state, needs)
        all_needs.append(needs)
    for (actor, command), needs in zip(requests, all_needs, strict=True):
        state.begin(needs, town.now + 1)
        command.decide(actor, state)
    town.everything.keep(state)


def owners(town: Town, room: int) -> list[int]:
    return [account for account, role in roles(town, room).items() if role is Role.OWNER]


@pytest.mark.parametrize("kind", OWNED)
def test_an_owner_who_leaves_hands_over_to_the_longest_member(town: Town, people: People, kind: Kind) -> None:
    room = town.room(people.ann, kind)
    town.do(c.by(people.ann, c.AddMember(room, people.eve)))
    town.do(c.by(people.ann, c.AddMember(room, people.bob)))
    town.do(c.by(people.ann, c.LeaveRoom(room)))
    changed, left, own = town.news
    assert isinstance(changed, OwnerChanged)
    assert (changed.log_id, changed.seq, changed.person.id, changed.by_id) == (room, 4, people.eve, people.ann)
    assert isinstance(left, MemberLeft)
    assert left.seq == 5
    assert isinstance(own, RoomExited)
    assert own.room_seq == left.seq
    assert roles(town, room) == {people.eve: Role.OWNER, people.bob: Role.MEMBER}
    assert town.do(c.by(people.eve, c.AddMember(room, people.ann))).member.role is Role.MEMBER
    assert town.refuses(c.by(people.ann, c.AddMember(room, people.bob))).code is Code.FORBIDDEN


@pytest.mark.parametrize("kind", OWNED)
def test_an_owner_who_removes_itself_hands_over_too(town: Town, people: People, kind: Kind) -> None:
    room = town.room(people.ann, kind, people.bob)
    town.do(c.by(people.ann, c.RemoveMember(room, people.ann)))
    assert owners(town, room) == [people.bob]


@pytest.mark.parametrize("leaving", ["leave", "remove"])
def test_of_members_who_joined_together_the_oldest_account_is_next(town: Town, people: People, leaving: str) -> None:
    room = town.room(people.bob, Kind.GROUP, people.eve, people.ann)
    town.do(leave(people.bob, room, leaving, people.bob))
    assert owners(town, room) == [people.ann]


@pytest.mark.parametrize("leaving", ["leave", "remove"])
@pytest.mark.parametrize("gone", range(NAMED - 1))
def test_others_who_leave_in_the_same_transaction_are_passed_over(
    town: Town, people: People, gone: int, leaving: str
) -> None:
    room = town.room(people.ann)
    others = [town.person(f"p{number}") for number in range(NAMED - 1)]
    for other in others:
        town.do(c.by(people.ann, c.AddMember(room, other)))
    commands = [leave(other if leaving == "leave" else people.ann, room, leaving, other) for other in others[:gone]]
    together(town, *commands, leave(people.ann, room, leaving, people.ann))
    assert owners(town, room) == [others[gone]]


def test_a_member_who_leaves_or_is_removed_changes_no_owner(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob, people.eve)
    town.do(c.by(people.bob, c.LeaveRoom(room)))
    assert town.kinds() == ["MemberLeft", "RoomExited"]
    town.do(c.by(people.ann, c.RemoveMember(room, people.eve)))
    assert town.kinds() == ["MemberLeft", "RoomExited"]
    assert owners(town, room) == [people.ann]


def test_whoever_joins_an_empty_channel_owns_it(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.CHANNEL)
    town.do(c.by(people.ann, c.LeaveRoom(room)))
    assert town.kinds() == ["MemberLeft", "RoomExited"]
    assert town.do(c.by(people.bob, c.JoinRoom(room))).member.role is Role.OWNER
    assert town.do(c.by(people.ann, c.JoinRoom(room))).member.role is Role.MEMBER


def test_the_lobby_has_no_owner(town: Town, people: People) -> None:
    town.do(c.by(people.ann, c.LeaveRoom(LOBBY_ID)))
    town.do(c.by(people.ann, c.JoinRoom(LOBBY_ID)))
    assert roles(town, LOBBY_ID) == {}


def test_a_room_with_more_members_than_are_named_is_handed_over_too(town: Town, people: People) -> None:
    others = [town.person(f"p{number}") for number in range(NAMED + 3)]
    room = town.room(people.ann, Kind.GROUP, *others)
    for next_owner in others:
        town.do(c.by(owners(town, room)[0], c.LeaveRoom(room)))
        assert owners(town, room) == [next_owner]


def test_an_owner_who_leaves_hands_over_to_a_moderator_first(town: Town, people: People) -> None:
    dan = town.person("dan")
    room = town.room(people.ann)
    for account in (people.eve, people.bob, dan):
        town.do(c.by(people.ann, c.AddMember(room, account)))
    for account, role in ((people.eve, Role.READER), (dan, Role.MODERATOR)):
        town.do(c.by(people.ann, c.ChangeRole(room, account, role)))
    for owner, next_owner in ((people.ann, dan), (dan, people.bob), (people.bob, people.eve)):
        town.do(c.by(owner, c.LeaveRoom(room)))
        assert owners(town, room) == [next_owner]


def test_a_role_that_is_given_in_the_same_transaction_counts(town: Town, people: People) -> None:
    others = [town.person(f"p{number}") for number in range(NAMED + 3)]
    room = town.room(people.ann, Kind.GROUP, *others)
    promote = c.by(people.ann, c.ChangeRole(room, others[-1], Role.MODERATOR))
    together(town, promote, c.by(people.ann, c.LeaveRoom(room)))
    assert owners(town, room) == [others[-1]]
    demote = c.by(others[-1], c.ChangeRole(room, others[0], Role.READER))
    together(town, demote, c.by(others[-1], c.LeaveRoom(room)))
    assert owners(town, room) == [others[1]]
    hand_over = c.by(others[1], c.ChangeRole(room, others[4], Role.OWNER))
    together(town, hand_over, c.by(others[4], c.LeaveRoom(room)))
    assert owners(town, room) == [others[1]]


verbs = st.sampled_from(["join", "leave", "add", "remove", *Role])
steps = st.lists(st.tuples(verbs, st.integers(0, 3), st.integers(0, 3)))


@given(kind=st.sampled_from(OWNED), steps=steps)
def test_a_room_with_members_has_one_owner_after_every_command(kind: Kind, steps: list[tuple[str, int, int]]) -> None:
    town = Town()
    people = [town.person(name) for name in ("ann", "bob", "eve", "dan")]
    room = town.room(people[0], kind)
    for verb, one, other in steps:
        command: c.Command[object] = {
            "join": c.JoinRoom(room),
            "leave": c.LeaveRoom(room),
            "add": c.AddMember(room, people[other]),
            "remove": c.RemoveMember(room, people[other]),
            **{str(role): c.ChangeRole(room, people[other], role) for role in Role},
        }[verb]
        try:
            town.do(c.by(people[one], command))
        except ChatError:
            continue
        assert len(owners(town, room)) == bool(roles(town, room))
