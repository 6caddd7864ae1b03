"""Bans: who is banned by whom, what a ban prevents, and when it ends."""

from __future__ import annotations

import msgspec
import pytest

from veche.core.bans import MAX_BAN, Banned, MemberBanned, MemberUnbanned, Unbanned
from veche.core.errors import Code
from veche.core.membership import MemberLeft, RoomExited
from veche.core.rooms import BANS, MEMBERS
from veche.core.values import LOBBY_ID, Ban, Kind, Role

from . import commands as c
from .conftest import People
from .world import Town

SECOND = 1_000_000


def ban(by: int, room: int, account: int, seconds: int | None = None, client_id: str | None = None) -> c.Request:
    return c.by(by, c.BanMember(room, account, seconds, client_id=client_id))


def unban(by: int, room: int, account: int, client_id: str | None = None) -> c.Request:
    return c.by(by, c.UnbanMember(room, account, client_id=client_id))


@pytest.fixture
def room(town: Town, people: People) -> int:
    return town.room(people.ann, Kind.CHANNEL, people.bob)


def test_who_is_banned_is_removed_and_stays_out(town: Town, people: People, room: int) -> None:
    assert town.do(ban(people.ann, room, people.bob)) == Banned(room, 4, people.bob, None)
    banned, left, own = town.news
    assert isinstance(banned, MemberBanned)
    assert (banned.log_id, banned.seq, banned.person.id, banned.by_id, banned.until) == (room, 3, people.bob, 1, None)
    assert isinstance(left, MemberLeft)
    assert (left.seq, left.by_id) == (4, people.ann)
    assert isinstance(own, RoomExited)
    assert own.room_seq == left.seq
    for command in (c.by(people.bob, c.JoinRoom(room)), c.by(people.ann, c.AddMember(room, people.bob))):
        refusal = town.refuses(command)
        assert (refusal.code, refusal.data["reason"]) == (Code.FORBIDDEN, "banned")
    assert (room, people.bob) not in town.rows(MEMBERS)


def test_who_is_not_in_the_room_is_banned_without_leaving(town: Town, people: People, room: int) -> None:
    assert town.do(ban(people.ann, room, people.eve, 60)) == Banned(room, 3, people.eve, town.now + 60 * SECOND)
    assert town.kinds() == ["MemberBanned"]
    assert town.refuses(c.by(people.eve, c.JoinRoom(room))).code is Code.FORBIDDEN


def test_a_ban_ends(town: Town, people: People, room: int) -> None:
    town.do(ban(people.ann, room, people.bob, 60))
    until = town.now + 60 * SECOND
    assert town.rows(BANS)[room, people.bob] == Ban(room, people.bob, people.ann, town.now, until)
    town.now = until - 2
    assert town.refuses(c.by(people.bob, c.JoinRoom(room))).code is Code.FORBIDDEN
    assert town.do(c.by(people.bob, c.JoinRoom(room))).new
    assert (town.now, town.do(unban(people.ann, room, people.bob)).seq, town.news) == (until, 5, [])


def test_a_ban_is_taken_back(town: Town, people: People, room: int) -> None:
    town.do(ban(people.ann, room, people.bob))
    assert town.do(unban(people.ann, room, people.bob)) == Unbanned(room, 5, people.bob)
    [event] = town.news
    assert isinstance(event, MemberUnbanned)
    assert (event.seq, event.person.id, event.by_id) == (5, people.bob, people.ann)
    assert town.rows(BANS) == {}
    assert town.do(unban(people.ann, room, people.bob)).seq == 5
    assert town.news == []
    assert town.do(c.by(people.bob, c.JoinRoom(room))).member.role is Role.MEMBER


def test_the_last_ban_counts(town: Town, people: People, room: int) -> None:
    town.do(ban(people.ann, room, people.bob))
    assert town.do(ban(people.ann, room, people.bob)).seq == 4
    assert town.news == []
    town.do(ban(people.ann, room, people.bob, 60))
    assert town.kinds() == ["MemberBanned"]
    assert town.rows(BANS)[room, people.bob].until == town.now + 60 * SECOND


def test_only_who_has_a_lower_role_is_banned(town: Town, people: People, room: int) -> None:
    town.do(c.by(people.ann, c.AddMember(room, people.eve)))
    for account in (people.bob, people.eve):
        town.do(c.by(people.ann, c.ChangeRole(room, account, Role.MODERATOR)))
    for account in (people.ann, people.bob, people.eve):
        assert town.refuses(ban(people.bob, room, account)).code is Code.FORBIDDEN
    assert town.refuses(ban(people.ann, room, people.ann)).code is Code.FORBIDDEN
    town.do(ban(people.ann, room, people.eve))
    town.do(unban(people.bob, room, people.eve))


def test_nobody_is_banned_from_a_direct_room_or_the_lobby_and_nobody_who_is_not_there(
    town: Town, people: People, room: int
) -> None:
    for place in (LOBBY_ID, town.room(people.ann, Kind.DIRECT, people.bob)):
        for request in (ban(people.ann, place, people.bob), unban(people.ann, place, people.bob)):
            assert town.refuses(request).code is Code.FORBIDDEN
    for request in (ban(people.ann, room, 99), unban(people.ann, room, 99)):
        assert town.refuses(request).code is Code.NOT_FOUND


@pytest.mark.parametrize("seconds", [0, -1, MAX_BAN + 1])
def test_a_ban_has_a_length_that_makes_sense(town: Town, people: People, room: int, seconds: int) -> None:
    refusal = town.refuses(ban(people.ann, room, people.bob, seconds))
    assert (refusal.code, refusal.data["field"]) == (Code.INVALID, "seconds")


def test_retries_are_harmless(town: Town, people: People, room: int) -> None:
    requests = ban(people.ann, room, people.bob, 60, "b-1"), unban(people.ann, room, people.bob, "b-2")
    for request in requests:
        first = town.do(request)
        assert town.do(request) == msgspec.structs.replace(first, duplicate=True)
        assert town.news == []
    assert town.do(requests[0]).duplicate
    assert town.rows(BANS) == {}
    assert town.refuses(ban(people.ann, room, people.bob, 61, "b-1")).code is Code.IDEMPOTENCY_MISMATCH
