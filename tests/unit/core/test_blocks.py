"""Blocks: what the blocked person cannot do, and what stays as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.core import blocks
from veche.core.actor import Actor
from veche.core.blocks import BLOCK_COUNTS, BLOCKS
from veche.core.command import Command
from veche.core.errors import Code
from veche.core.facts import Needs
from veche.core.state import HEADS
from veche.core.values import Kind, account_log

from . import commands as c
from .conftest import People
from .world import Town


def block(by: int, account: int) -> c.Request:
    return c.by(by, c.BlockPerson(account))


def unblock(by: int, account: int) -> c.Request:
    return c.by(by, c.UnblockPerson(account))


def not_found(town: Town, command: c.Request) -> None:
    refusal = town.refuses(command)
    assert (refusal.code, refusal.message, refusal.data) == (Code.NOT_FOUND, "No such account.", {"what": "account"})


@pytest.mark.parametrize("kind", [Kind.GROUP, Kind.CHANNEL])
def test_for_the_blocked_person_there_is_no_such_account(town: Town, people: People, kind: Kind) -> None:
    room = town.room(people.bob, kind)
    town.do(block(people.ann, people.bob))
    new = [
        c.CreateRoom(Kind.DIRECT, "", (people.ann,)),
        c.CreateRoom(kind, "Crew", (people.eve, people.ann)),
        c.AddMember(room, people.ann),
    ]
    for command in new:
        not_found(town, c.by(people.bob, command))
    town.do(unblock(people.ann, people.bob))
    for command in new:
        assert town.do(c.by(people.bob, command)).new


def test_the_blocker_and_others_are_free(town: Town, people: People) -> None:
    town.do(block(people.ann, people.bob))
    assert town.do(c.by(people.eve, c.CreateRoom(Kind.GROUP, "Crew", (people.ann, people.bob)))).new
    assert town.do(c.by(people.ann, c.CreateRoom(Kind.DIRECT, "", (people.bob,)))).new


def test_in_shared_rooms_both_stay(town: Town, people: People) -> None:
    room = town.room(people.bob, Kind.GROUP, people.ann)
    direct = town.do(c.by(people.bob, c.CreateRoom(Kind.DIRECT, "", (people.ann,)))).room.id
    town.do(block(people.ann, people.bob))
    town.say(people.bob, room)
    town.say(people.bob, direct)
    assert not town.do(c.by(people.bob, c.AddMember(room, people.ann))).new, "she is a member, so nothing changes"
    not_found(town, c.by(people.bob, c.CreateRoom(Kind.DIRECT, "", (people.ann,))))


def test_who_was_blocked_and_left_is_not_added_again(town: Town, people: People) -> None:
    room = town.room(people.bob, Kind.GROUP, people.ann)
    town.do(block(people.ann, people.bob))
    town.do(c.by(people.ann, c.LeaveRoom(room)))
    not_found(town, c.by(people.bob, c.AddMember(room, people.ann)))


def test_nobody_blocks_themselves_or_nobody(town: Town, people: People) -> None:
    refusal = town.refuses(block(people.ann, people.ann))
    assert (refusal.code, refusal.data["field"]) == (Code.INVALID, "account_id")
    for command in (c.BlockPerson(99), c.UnblockPerson(99), c.BlockPerson(c.NOBODY_ID)):
        not_found(town, c.by(people.ann, command))


def test_the_list_is_bounded(town: Town, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MAX_BLOCKS", 1)
    town.do(block(people.ann, people.bob))
    town.do(block(people.ann, people.bob))
    assert town.refuses(block(people.ann, people.eve)).code is Code.FORBIDDEN
    town.do(unblock(people.ann, people.bob))
    town.do(block(people.ann, people.eve))


def test_to_take_a_block_back_makes_room_for_one(town: Town, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MAX_BLOCKS", 2)
    dan = town.person("dan")
    for account in (people.bob, people.eve):
        town.do(block(people.ann, account))
    town.do(unblock(people.ann, people.bob))
    town.do(block(people.ann, people.bob))
    assert town.refuses(block(people.ann, dan)).code is Code.FORBIDDEN


@pytest.mark.usefixtures("town")  # which marks the tests that notice a need that is left out
@pytest.mark.parametrize("command", [c.BlockPerson(2), c.UnblockPerson(2)])
def test_the_log_of_the_blocker_is_the_lock_of_its_blocks(command: Command[object]) -> None:
    needs = Needs()
    command.needs(Actor(1, "native"), needs)
    assert (HEADS, account_log(1)) in set(needs.pairs())


STEPS = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["ann", "bob"]), st.sampled_from(["bob", "eve"])), max_size=12
)


@given(STEPS)
def test_the_last_word_counts(steps: list[tuple[bool, str, str]]) -> None:
    """And the counts are those of the rows."""
    town = Town()
    ids = {name: town.person(name) for name in ("ann", "bob", "eve")}
    blocked: set[tuple[int, int]] = set()
    for blocks_them, who, whom in steps:
        pair = (ids[who], ids[whom])
        if who == whom:
            continue
        town.do((block if blocks_them else unblock)(*pair))
        (blocked.add if blocks_them else blocked.discard)(pair)
    assert set(town.rows(BLOCKS)) == blocked
    counts = {account: count for account, count in town.rows(BLOCK_COUNTS).items() if count}
    assert counts == {account: sum(by == account for by, _ in blocked) for account in {by for by, _ in blocked}}
