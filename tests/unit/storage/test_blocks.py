"""Blocks in the database: the list, the count, and what one batch does."""

from __future__ import annotations

import pytest
from core import commands as c

from veche.core import blocks as core
from veche.core.errors import ChatError, Code
from veche.core.values import Kind
from veche.storage.blocks import blocked_by
from veche.storage.database import Database

from .conftest import Town


@pytest.fixture
def town(database: Database) -> Town:
    return Town(database)


def blocked(town: Town, account_id: int, after: int = 0, limit: int = 9) -> list[int]:
    with town.database.reading() as tx:
        return [person.id for person in blocked_by(tx, account_id, after, limit)]


def test_the_list_is_in_pages_by_id(town: Town) -> None:
    town.batch(c.by(1, c.BlockPerson(3)), c.by(1, c.BlockPerson(2)), c.by(2, c.BlockPerson(1)))
    assert (blocked(town, 1), blocked(town, 2), blocked(town, 3)) == ([2, 3], [1], [])
    assert (blocked(town, 1, limit=1), blocked(town, 1, after=2)) == ([2], [3])
    town.do(c.by(1, c.UnblockPerson(2)))
    assert blocked(town, 1) == [3]


def test_a_batch_blocks_and_takes_back_and_refuses_in_order(town: Town) -> None:
    room, block = c.by(2, c.CreateRoom(Kind.DIRECT, "", (1,))), c.by(1, c.BlockPerson(2))
    take_back = c.by(1, c.UnblockPerson(2))
    _, refused, _, _, again = town.batch(block, room, take_back, block, room)
    for outcome in (refused, again):
        assert isinstance(outcome, ChatError)
        assert outcome.code is Code.NOT_FOUND
    assert blocked(town, 1) == [2]
    _, entered = town.batch(take_back, room)
    assert entered.new
    assert blocked(town, 1) == []


def test_the_bound_counts_what_is_stored(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "MAX_BLOCKS", 1)
    town.do(c.by(1, c.BlockPerson(2)))
    town.do(c.by(1, c.BlockPerson(2)))
    with pytest.raises(ChatError, match="at most 1"):
        town.do(c.by(1, c.BlockPerson(3)))
    assert blocked(town, 1) == [2]
