"""A command that reads what it did not ask for: it is answered `internal`, and nobody else notices."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import pytest
from core import commands as c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from veche.core.accounts import ACCOUNTS, HANDLES
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.facts import Fact, Needs
from veche.core.membership import MemberLeft
from veche.core.messages import SENT
from veche.core.rooms import MEMBERS, ROOMS
from veche.core.state import HEADS, State
from veche.core.values import Kind, Person

from .conftest import Counted, Town, codes
from .test_writer import desk

CHANNEL = 1
ANN, BOB, EVE = 1, 2, 3


class Look(c.Command[None], frozen=True):
    """Asks for some rows, and reads some."""

    asks: tuple[Any, ...]
    reads: tuple[Any, ...]

    def needs(self, actor: c.Actor, needs: Needs) -> None:
        for fact, key in self.asks:
            needs.ask(fact, key)

    def decide(self, actor: c.Actor, state: State) -> None:
        for fact, key in self.reads:
            state.get(fact, key)


@pytest.mark.parametrize(
    ("pair", "shown"),
    [
        ((MEMBERS, (CHANNEL, BOB)), "members (1, 2)"),
        ((HEADS, -ANN), "heads -1"),
        ((HANDLES, "gretel"), "handles <6 characters>"),
        ((SENT, (BOB, "gretel")), "sent (2, <6 characters>)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_it_is_logged_with_the_command_the_fact_and_the_key_and_the_neighbours_are_stored(
    town: Town, caplog: pytest.LogCaptureFixture, pair: Any, shown: str
) -> None:
    heard: list[Any] = []
    async with desk(town) as at:
        at.ask("before", "gretel")
        at.writer.submit(c.Actor(BOB, "native", request_id="r-1"), Look((), (pair,)), heard.append)
        at.ask("after", "gretel")
        await at.writer.drain()
    assert codes(heard) == ["internal"]
    assert town.rows("SELECT client_message_id FROM messages ORDER BY seq") == [("before",), ("after",)]
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "Look by account 2 (native, request r-1) failed")
    assert f"NotAsked: {shown}\n" in caplog.text
    assert "gretel" not in caplog.text


PAIRS = [
    *[(ROOMS, key) for key in (CHANNEL, 2, 99)],
    *[(HEADS, key) for key in (CHANNEL, -ANN, -99)],
    *[(MEMBERS, key) for key in ((CHANNEL, ANN), (CHANNEL, EVE))],
    *[(ACCOUNTS, ANN), (HANDLES, "ann"), (HANDLES, "nobody")],
]
some = st.lists(st.sampled_from(PAIRS), max_size=4).map(tuple)
looks = st.builds(Look, some, some)


@settings(
    max_examples=examples(40),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(batch=st.lists(st.none() | looks, min_size=1, max_size=8))
def test_a_neighbour_that_asks_hides_nothing(
    town: Town, caplog: pytest.LogCaptureFixture, batch: list[Look | None]
) -> None:
    """None stands for a message: what it asks for, and what it changes, lets nobody else read it."""
    with caplog.at_level(logging.CRITICAL):
        outcomes = town.batch(*[c.by(BOB, look) if look else town.say(CHANNEL) for look in batch])
    sound = [look is None or set(look.reads) <= set(look.asks) for look in batch]
    assert codes(outcomes) == ["ok" if one else "internal" for one in sound]
    assert town.seqs(CHANNEL) == list(range(1, town.head(CHANNEL) + 1))


def test_rows_that_were_made_earlier_in_the_batch_count_as_asked(town: Town, database: Counted) -> None:
    begun = database.begun
    made = ((ROOMS, 3), (HEADS, 3), (MEMBERS, (3, ANN)), (ACCOUNTS, 4), (HEADS, -4), (HANDLES, "dan"))
    outcomes = town.batch(
        c.by(ANN, c.CreateRoom(Kind.CHANNEL, "New")),
        c.by(c.NOBODY_ID, c.Register("h", username="dan")),
        c.by(BOB, Look((), made)),
    )
    assert codes(outcomes) == ["ok", "ok", "ok"]
    assert database.begun == begun + 1


def test_a_message_of_the_same_batch_is_marked_read_at_once(town: Town, database: Counted) -> None:
    """Its author's head is known only once the message is: it is read then, and the batch is not stored in parts."""
    town.do(c.by(ANN, c.SetPassword("h", None)))
    begun, head = database.begun, town.head(-ANN)
    outcomes = town.batch(*[town.say(CHANNEL), c.by(BOB, c.MarkRead(CHANNEL, 1)), c.by(BOB, c.MarkRead(CHANNEL, 1))])
    assert codes(outcomes) == ["ok", "ok", "ok"]
    assert database.begun == begun + 1
    assert town.seqs(-ANN) == list(range(1, head + 2))


class RecordAndRefuse(c.Command[None], frozen=True):
    """Records an event and then refuses: a bug."""

    def needs(self, actor: c.Actor, needs: Needs) -> None:
        needs.ask(HEADS, CHANNEL)

    def decide(self, actor: c.Actor, state: State) -> None:
        state.record(MemberLeft(CHANNEL, state.next_seq(CHANNEL), state.now, Person(ANN, "ann", "Ann"), ANN))
        raise ChatError(Code.FORBIDDEN, "Too late.")


def test_a_command_that_refuses_after_it_recorded_stores_nothing(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    head = town.head(CHANNEL)
    outcomes = town.batch(town.say(CHANNEL, "before"), c.by(BOB, RecordAndRefuse()), town.say(CHANNEL, "after"))
    assert codes(outcomes) == ["ok", "internal", "ok"]
    assert town.head(CHANNEL) == head + 2
    assert town.rows("SELECT count(*) FROM events WHERE log_id = 1 AND kind = 'left'") == [(0,)]
    assert "RecordAndRefuse by account 2" in caplog.text


class RemoveUnseen(c.Command[None], frozen=True):
    """Removes a member without asking for the member's row."""

    def needs(self, actor: c.Actor, needs: Needs) -> None:
        needs.ask(HEADS, CHANNEL)

    def decide(self, actor: c.Actor, state: State) -> None:
        state.record(MemberLeft(CHANNEL, state.next_seq(CHANNEL), state.now, Person(EVE, "eve", "Eve"), ANN))


def test_a_member_that_no_decision_looked_at_is_removed_all_the_same(town: Town) -> None:
    town.do(c.by(EVE, c.JoinRoom(CHANNEL)))
    town.do(c.by(ANN, RemoveUnseen()))
    assert town.rows(f"SELECT count(*) FROM members WHERE room_id = {CHANNEL} AND account_id = {EVE}") == [(0,)]


class Unwritten(LogEvent, frozen=True, gc=False):
    """An event whose subject is not in the list of subjects."""

    kind: ClassVar[str] = "unwritten"


class RecordUnwritten(c.Command[None], frozen=True):
    """Records an event that nothing stores."""

    def needs(self, actor: c.Actor, needs: Needs) -> None:
        needs.ask(HEADS, CHANNEL)

    def decide(self, actor: c.Actor, state: State) -> None:
        state.record(Unwritten(CHANNEL, state.next_seq(CHANNEL), state.now))


def test_an_event_that_nothing_writes_is_not_acknowledged(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    head = town.head(CHANNEL)
    outcomes = town.batch(town.say(CHANNEL, "before"), c.by(BOB, RecordUnwritten()), town.say(CHANNEL, "after"))
    assert codes(outcomes) == ["ok", "internal", "ok"]
    assert town.head(CHANNEL) == head + 2
    assert "nothing in storage writes Unwritten: add its subject to storage/subjects.py" in caplog.text


UNLOADED: Fact[int, str] = Fact("unloaded")


def test_a_fact_that_nothing_loads_is_not_an_empty_table(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    look = Look(((UNLOADED, 1),), ((UNLOADED, 1),))
    assert codes(town.batch(town.say(CHANNEL), c.by(ANN, look))) == ["ok", "internal"]
    assert "nothing in storage loads unloaded" in caplog.text


def test_a_row_that_a_neighbour_removed_unread_still_has_to_be_asked_for(town: Town) -> None:
    outcomes = town.batch(c.by(ANN, c.RenameAccount("anna")), c.by(BOB, Look((), ((HANDLES, "ann"),))))
    assert codes(outcomes) == ["ok", "internal"]
    left = c.by(ANN, RemoveUnseen())
    town.do(c.by(EVE, c.JoinRoom(CHANNEL)))
    assert codes(town.batch(left, c.by(EVE, c.JoinRoom(CHANNEL)))) == ["ok", "ok"]
    assert town.rows(f"SELECT count(*) FROM members WHERE room_id = {CHANNEL} AND account_id = {EVE}") == [(1,)]
