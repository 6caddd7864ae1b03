"""Hiding what one has read: a setting of the account, told to its other devices."""

from __future__ import annotations

import pytest

from veche.core.accounts import ACCOUNTS
from veche.core.profile import AccountChanged
from veche.core.reading import READERS
from veche.core.rooms import MEMBERS
from veche.core.values import Kind

from . import commands as c
from .conftest import People
from .world import Town


def hide(by: int, *, hides: bool = True) -> c.Request:
    return c.by(by, c.ChangeProfile(hides_reading=hides))


def test_it_is_told_to_ones_own_log(town: Town, people: People) -> None:
    assert town.do(hide(people.ann)).hides_reading
    assert isinstance(town.news[-1], AccountChanged)
    assert town.news[-1].log_id == -people.ann
    assert town.rows(ACCOUNTS)[people.ann].hides_reading
    town.do(hide(people.ann))
    assert town.news == []
    assert town.do(c.by(people.ann, c.ChangeProfile(name="Ann B."))).hides_reading, "another change leaves it"
    assert not town.do(hide(people.ann, hides=False)).hides_reading


@pytest.mark.parametrize("hider", ["ann", "bob"])
def test_no_author_hears_of_a_reader_if_one_of_the_two_hides(town: Town, people: People, hider: str) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob, people.eve)
    said = town.say(people.ann, room).message
    town.do(hide(getattr(people, hider)))
    town.do(c.by(people.bob, c.MarkRead(room, said.id)))
    assert town.kinds() == ["ReadMoved"]
    assert town.rows(MEMBERS)[room, people.bob].read_seq == said.seq
    assert town.rows(READERS) == {}
    town.do(hide(getattr(people, hider), hides=False))
    town.do(c.by(people.eve, c.MarkRead(room, said.id)))
    assert town.kinds() == ["ReadMoved", "MessageRead"], "the next one to read is the first of whom the author hears"
