"""The answer to adding a member, when the members change meanwhile. There is no server here."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from veche.core.actor import Actor
from veche.core.membership import AddMember, Entered
from veche.core.values import Account, Kind, Member, Person, Role, Room
from veche.core.views import MemberView
from veche.dialects.native.rest import MemberBody, add_member
from veche.service.accounts import Login

ANN, BOB = Account(1, "ann", "Ann", "ann", None, 0), Account(2, "bob", "Bob", "bob", None, 0)
ROOM_ID = 7


@pytest.mark.parametrize("left", [[], [MemberView(Person(3, "carl", "Carl"), Role.OWNER, 0)]], ids=["last", "not last"])
@pytest.mark.parametrize(("new", "status"), [(True, 201), (False, 200)])
async def test_it_is_the_member_that_was_added_even_if_it_has_left_since(
    left: list[MemberView], new: bool, status: int
) -> None:
    async def add(actor: Actor, command: AddMember) -> Entered:
        member = Member(command.room_id, command.account_id, Role.MEMBER, 1_000_000)
        return Entered(Room(ROOM_ID, Kind.GROUP, "room", 1, 0), member, 9, new)

    async def members(by: int, room_id: int, after: int, limit: int) -> list[MemberView]:
        return left

    async def by_id(by: int, account_id: int) -> Account | None:
        return {1: ANN, 2: BOB}.get(account_id)

    chat: Any = SimpleNamespace(do_limited=add, members=members)
    accounts: Any = SimpleNamespace(by_id=by_id)
    login = Login(ANN, Actor(1, "native", "session"), 0)
    response = await add_member(ROOM_ID, MemberBody(account_id=2), login, chat, accounts)
    assert response.status_code == status
    shown = json.loads(response.body)
    assert (shown["id"], shown["username"], shown["role"]) == (2, "bob", "member")
