"""Links: who makes and revokes them, who joins by them, and when they are over."""

from __future__ import annotations

import msgspec
import pytest

from veche.core import links
from veche.core.errors import Code
from veche.core.invitations import INVITATIONS
from veche.core.links import LINKS, MAX_LINK_SECONDS, MAX_USES, LinkMade, Unlinked, room_of
from veche.core.rooms import MEMBERS
from veche.core.values import LOBBY_ID, Kind, Link, Role

from . import commands as c
from .conftest import People
from .world import Town

SECOND = 1_000_000


def make(
    by: int, room: int, seconds: int | None = None, uses: int | None = None, client_id: str | None = None
) -> c.Request:
    return c.by(by, c.MakeLink(room, seconds, uses, client_id=client_id))


@pytest.fixture
def room(town: Town, people: People) -> int:
    """A group of Ann's, with Bob."""
    return town.room(people.ann, Kind.GROUP, people.bob)


def code(town: Town, request: c.Request) -> str:
    found: str = town.do(request).link.code
    return found


def test_who_has_the_code_joins(town: Town, people: People, room: int) -> None:
    made = town.do(make(people.ann, room))
    assert made.link == Link(made.link.code, room, people.ann, town.now)
    assert room_of(made.link.code) == room
    assert [type(event) for event in town.news] == [LinkMade]
    entered = town.do(c.by(people.eve, c.JoinByLink(made.link.code)))
    assert (entered.room.id, entered.new, entered.member.role) == (room, True, Role.MEMBER)
    assert town.kinds() == ["RoomEntered", "MemberJoined"]


def test_a_link_is_used_so_often(town: Town, people: People, room: int) -> None:
    link = code(town, make(people.ann, room, uses=1))
    assert not town.do(c.by(people.bob, c.JoinByLink(link))).new
    assert town.rows(LINKS)[room][0].uses_left == 1
    town.do(c.by(people.eve, c.JoinByLink(link)))
    assert town.rows(LINKS)[room][0].uses_left == 0
    assert not town.do(c.by(people.eve, c.JoinByLink(link))).new, "a retry is harmless"
    town.do(c.by(people.eve, c.LeaveRoom(room)))
    assert town.refuses(c.by(people.eve, c.JoinByLink(link))).code is Code.NOT_FOUND


def test_a_link_expires(town: Town, people: People, room: int) -> None:
    link = code(town, make(people.ann, room, 60))
    until = town.rows(LINKS)[room][0].until
    town.now = until - 2
    town.do(c.by(people.eve, c.JoinByLink(link)))
    town.do(c.by(people.eve, c.LeaveRoom(room)))
    town.now = until
    assert town.refuses(c.by(people.eve, c.JoinByLink(link))).code is Code.NOT_FOUND


def test_a_link_is_revoked(town: Town, people: People, room: int) -> None:
    link, other = code(town, make(people.ann, room)), code(town, make(people.ann, room))
    assert link != other
    assert town.do(c.by(people.ann, c.RevokeLink(room, link))) == Unlinked(room, link)
    assert town.refuses(c.by(people.eve, c.JoinByLink(link))).code is Code.NOT_FOUND
    town.do(c.by(people.ann, c.RevokeLink(room, link)))
    assert town.news == []
    town.do(c.by(people.eve, c.JoinByLink(other)))


def test_a_code_that_is_none_is_not_found(town: Town, people: People, room: int) -> None:
    link = code(town, make(people.ann, room))
    for wrong in ("", "x", link[:-1], link + "a", f"{room + 1}{link[1:]}", f"0{link}", "99-" + 24 * "a"):
        assert town.refuses(c.by(people.eve, c.JoinByLink(wrong))).code is Code.NOT_FOUND


def test_the_owner_and_the_moderators_make_links(town: Town, people: People, room: int) -> None:
    link = code(town, make(people.ann, room))
    for by, refused in ((people.bob, Code.FORBIDDEN), (people.eve, Code.NOT_FOUND)):
        assert town.refuses(make(by, room)).code is refused
        assert town.refuses(c.by(by, c.RevokeLink(room, link))).code is refused
    town.do(c.by(people.ann, c.ChangeRole(room, people.bob, Role.MODERATOR)))
    town.do(make(people.bob, room))
    town.do(c.by(people.bob, c.RevokeLink(room, link)))
    for place in (LOBBY_ID, town.room(people.ann, Kind.DIRECT, people.bob)):
        assert town.refuses(make(people.ann, place)).code is Code.FORBIDDEN


def test_who_is_banned_does_not_join(town: Town, people: People, room: int) -> None:
    link = code(town, make(people.ann, room, uses=1))
    town.do(c.by(people.ann, c.BanMember(room, people.eve)))
    assert town.refuses(c.by(people.eve, c.JoinByLink(link))).data["reason"] == "banned"
    assert town.rows(LINKS)[room][0].uses_left == 1


def test_nobody_joins_an_archived_room(town: Town, people: People, room: int) -> None:
    link = code(town, make(people.ann, room))
    town.do(c.by(people.ann, c.UpdateRoom(room, archived=True)))
    assert town.refuses(c.by(people.eve, c.JoinByLink(link))).data["reason"] == "archived"


def test_who_joins_by_a_link_is_not_invited_any_more(town: Town, people: People, room: int) -> None:
    link = code(town, make(people.ann, room))
    town.do(c.by(people.ann, c.InviteMember(room, people.eve)))
    town.do(c.by(people.eve, c.JoinByLink(link)))
    assert town.rows(INVITATIONS) == {}
    assert (room, people.eve) in town.rows(MEMBERS)


def test_a_room_has_so_many_links(town: Town, people: People, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_LINKS", 2)
    first = code(town, make(people.ann, room, 60))
    town.do(make(people.ann, room))
    assert town.refuses(make(people.ann, room)).code is Code.FORBIDDEN
    town.now += 60 * SECOND
    town.do(make(people.ann, room))
    assert town.kinds() == ["LinkEnded", "LinkMade"], "links that are over are forgotten"
    assert first not in [link.code for link in town.rows(LINKS)[room]]


@pytest.mark.parametrize(
    ("field", "value"),
    [("seconds", 0), ("seconds", MAX_LINK_SECONDS + 1), ("uses", 0), ("uses", MAX_USES + 1)],
)
def test_a_link_has_an_end_that_makes_sense(town: Town, people: People, room: int, field: str, value: int) -> None:
    refusal = town.refuses(c.by(people.ann, c.MakeLink(room, **{field: value})))
    assert (refusal.code, refusal.data["field"]) == (Code.INVALID, field)


def test_retries_are_harmless(town: Town, people: People, room: int) -> None:
    request = make(people.ann, room, 60, 5, "l-1")
    first = town.do(request)
    assert town.do(request) == msgspec.structs.replace(first, duplicate=True)
    assert town.news == []
    assert town.refuses(make(people.ann, room, 61, 5, "l-1")).code is Code.IDEMPOTENCY_MISMATCH
