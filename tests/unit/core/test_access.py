"""Who may do what in a room: every command, in every kind of room, by everybody."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from veche.core.access import Right, check_access
from veche.core.errors import ChatError
from veche.core.rooms import MEMBERS, ROOMS
from veche.core.values import LOBBY_ID, Kind, Level, Role

from . import commands as c
from .world import Town

TABLE = """\
| right       | room    | outside    | reader    | member    | moderator | owner     |
|-------------|---------|------------|-----------|-----------|-----------|-----------|
| see         | group   | not_found  | yes       | yes       | yes       | yes       |
| see         | channel | yes        | yes       | yes       | yes       | yes       |
| see         | direct  | not_found  |           | yes       |           | yes       |
| see         | lobby   | yes        |           | yes       |           |           |
| read        | group   | not_found  | yes       | yes       | yes       | yes       |
| read        | channel | not_member | yes       | yes       | yes       | yes       |
| read        | direct  | not_found  |           | yes       |           | yes       |
| read        | lobby   | yes        |           | yes       |           |           |
| speak       | group   | not_found  | forbidden | yes       | yes       | yes       |
| speak       | channel | not_member | forbidden | yes       | yes       | yes       |
| speak       | direct  | not_found  |           | yes       |           | yes       |
| speak       | lobby   | yes        |           | yes       |           |           |
| join        | group   | not_found  | yes       | yes       | yes       | yes       |
| join        | channel | yes        | yes       | yes       | yes       | yes       |
| join        | direct  | not_found  |           | yes       |           | yes       |
| join        | lobby   | yes        |           | yes       |           |           |
| leave       | group   | not_found  | yes       | yes       | yes       | yes       |
| leave       | channel | not_member | yes       | yes       | yes       | yes       |
| leave       | direct  | not_found  |           | forbidden |           | forbidden |
| leave       | lobby   | yes        |           | yes       |           |           |
| manage      | group   | not_found  | forbidden | forbidden | forbidden | yes       |
| manage      | channel | not_member | forbidden | forbidden | forbidden | yes       |
| manage      | direct  | not_found  |           | forbidden |           | forbidden |
| manage      | lobby   | forbidden  |           | forbidden |           |           |
| invite      | group   | not_found  | forbidden | forbidden | yes       | yes       |
| invite      | channel | not_member | forbidden | forbidden | yes       | yes       |
| invite      | direct  | not_found  |           | forbidden |           | forbidden |
| invite      | lobby   | forbidden  |           | forbidden |           |           |
| remove      | group   | not_found  | forbidden | forbidden | yes       | yes       |
| remove      | channel | not_member | forbidden | forbidden | yes       | yes       |
| remove      | direct  | not_found  |           | forbidden |           | forbidden |
| remove      | lobby   | forbidden  |           | forbidden |           |           |
| rename      | group   | not_found  | forbidden | forbidden | forbidden | yes       |
| rename      | channel | not_member | forbidden | forbidden | forbidden | yes       |
| rename      | direct  | not_found  |           | forbidden |           | forbidden |
| rename      | lobby   | forbidden  |           | forbidden |           |           |
| adjust      | group   | not_found  | forbidden | forbidden | yes       | yes       |
| adjust      | channel | not_member | forbidden | forbidden | yes       | yes       |
| adjust      | direct  | not_found  |           | forbidden |           | forbidden |
| adjust      | lobby   | forbidden  |           | forbidden |           |           |
| archive     | group   | not_found  | forbidden | forbidden | forbidden | yes       |
| archive     | channel | not_member | forbidden | forbidden | forbidden | yes       |
| archive     | direct  | not_found  |           | forbidden |           | forbidden |
| archive     | lobby   | forbidden  |           | forbidden |           |           |
| moderate    | group   | not_found  | forbidden | forbidden | yes       | yes       |
| moderate    | channel | not_member | forbidden | forbidden | yes       | yes       |
| moderate    | direct  | not_found  |           | forbidden |           | forbidden |
| moderate    | lobby   | forbidden  |           | forbidden |           |           |
| mention_all | group   | not_found  | yes       | yes       | yes       | yes       |
| mention_all | channel | not_member | forbidden | forbidden | yes       | yes       |
| mention_all | direct  | not_found  |           | yes       |           | yes       |
| mention_all | lobby   | forbidden  |           | forbidden |           |           |
| pin         | group   | not_found  | forbidden | yes       | yes       | yes       |
| pin         | channel | not_member | forbidden | forbidden | yes       | yes       |
| pin         | direct  | not_found  |           | yes       |           | yes       |
| pin         | lobby   | forbidden  |           | forbidden |           |           |
"""
HEAD, _, *LINES = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines()]
CELLS = {
    (Right(line[0]), Kind(line[1]), who): cell for line in LINES for who, cell in zip(HEAD[2:], line[2:], strict=True)
}
SAID = 1  # the id of a message that nobody of the standings sent

COMMANDS: dict[Right, list[Callable[[int, int], c.Command[object]]]] = {
    Right.READ: [
        lambda room, guest: c.ReadUpTo(room, 1),
        lambda room, guest: c.MarkRead(room, SAID),
        lambda room, guest: c.SetLevel(room, Level.NONE),
    ],
    Right.SPEAK: [lambda room, guest: c.SendMessage(room, "hi")],
    Right.JOIN: [lambda room, guest: c.JoinRoom(room)],
    Right.LEAVE: [lambda room, guest: c.LeaveRoom(room)],
    Right.MANAGE: [
        lambda room, guest: c.AddMember(room, guest),
        lambda room, guest: c.ChangeRole(room, guest, Role.READER),
    ],
    Right.INVITE: [
        lambda room, guest: c.EndInvitation(room, guest),
        lambda room, guest: c.MakeLink(room),
        lambda room, guest: c.RevokeLink(room, "x"),
    ],
    Right.REMOVE: [
        lambda room, guest: c.RemoveMember(room, guest),
        lambda room, guest: c.BanMember(room, guest),
        lambda room, guest: c.UnbanMember(room, guest),
    ],
    Right.RENAME: [lambda room, guest: c.UpdateRoom(room, "Other")],
    Right.ADJUST: [
        lambda room, guest: c.UpdateRoom(room, topic="Lunch"),
        lambda room, guest: c.UpdateRoom(room, slow_seconds=5),
    ],
    Right.ARCHIVE: [lambda room, guest: c.UpdateRoom(room, archived=True)],
    Right.PIN: [lambda room, guest: c.PinMessage(room, SAID)],
    Right.MODERATE: [lambda room, guest: c.DeleteMessage(room, SAID)],
}


def stage(kind: Kind) -> tuple[Town, int, dict[str, int], int]:
    """Return a town, a room, the people by their standing in it, and one more member, who has said something."""
    town = Town()
    people = {who: town.person(f"{who}_") for who in HEAD[2:]}
    guest = town.person("guest")
    if kind is Kind.LOBBY:
        assert town.say(guest, LOBBY_ID).message.id == SAID
        town.do(c.by(people["member"], c.ReadUpTo(LOBBY_ID, 1)))
        return town, LOBBY_ID, {who: people[who] for who in ("outside", "member")}, guest
    if kind is Kind.DIRECT:
        room = town.room(people["owner"], kind, people["member"])
        town.do(c.by(people["owner"], c.PostNotice(room, "hi")))
        return town, room, {who: people[who] for who in ("outside", "member", "owner")}, guest
    room = town.room(people["owner"], kind, guest, *(people[who] for who in ("reader", "member", "moderator")))
    for who in ("reader", "moderator"):
        town.do(c.by(people["owner"], c.ChangeRole(room, people[who], Role(who))))
    assert town.say(guest, room).message.id == SAID
    return town, room, people, guest


def code_of(town: Town, request: c.Request) -> str:
    try:
        town.do(request)
    except ChatError as refusal:
        return str(refusal.code)
    return "yes"


def test_every_right_kind_and_role_has_a_cell() -> None:
    assert set(CELLS) == {(right, kind, who) for right in Right for kind in Kind for who in ("outside", *Role)}
    assert set(COMMANDS) == set(Right) - {Right.SEE, Right.MENTION_ALL}  # a query, and what is no command


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("right", Right)
def test_the_table_says_what_is_granted(right: Right, kind: Kind) -> None:
    town, room, people, _ = stage(kind)
    for who, account in people.items():
        try:
            check_access(right, town.rows(ROOMS)[room], town.rows(MEMBERS).get((room, account)))
            granted = "yes"
        except ChatError as refusal:
            granted = str(refusal.code)
        assert granted == CELLS[right, kind, who], who


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("right", COMMANDS)
def test_every_command_does_what_the_table_says(right: Right, kind: Kind) -> None:
    for make in COMMANDS[right]:
        _, _, everybody, _ = stage(kind)
        for who in everybody:
            town, room, people, guest = stage(kind)
            assert code_of(town, c.by(people[who], make(room, guest))) == CELLS[right, kind, who], who


@pytest.mark.parametrize("kind", [Kind.GROUP, Kind.CHANNEL])
@pytest.mark.parametrize("right", COMMANDS)
def test_an_archived_room_can_be_read_and_left_and_takes_nothing_else(right: Right, kind: Kind) -> None:
    left = {Right.READ, Right.LEAVE, Right.ARCHIVE}
    for make in COMMANDS[right]:
        _, _, everybody, _ = stage(kind)
        for who in everybody:
            town, room, people, guest = stage(kind)
            town.do(c.by(people["owner"], c.UpdateRoom(room, archived=True)))
            cell = CELLS[right, kind, who]
            expected = "forbidden" if cell == "yes" and right not in left else cell
            assert code_of(town, c.by(people[who], make(room, guest))) == expected, who
