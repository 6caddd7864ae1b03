"""One transaction: what a batch stores, what a refusal leaves, and what happens when the store does not take it."""

from __future__ import annotations

import logging
import random
import sqlite3

import msgspec
import pytest
from core import commands as c

from tests.collecting import living, without_collector
from veche.core.facts import Needs
from veche.core.state import State
from veche.core.values import LOBBY_ID, Kind
from veche.storage.commit import commit
from veche.storage.engines.sqlite import SqliteTransaction

from .conftest import Town, codes

CHANNEL, GROUP = 1, 2
ANN, BOB, EVE = 1, 2, 3


def test_seqs_have_no_holes_across_messages_and_events(town: Town) -> None:
    chance = random.Random(7)
    for _ in range(30):
        town.batch(
            *chance.choices(
                [
                    town.say(CHANNEL),
                    town.say(GROUP, by=BOB),
                    town.say(LOBBY_ID, by=EVE),
                    c.by(EVE, c.JoinRoom(CHANNEL)),
                    c.by(EVE, c.LeaveRoom(CHANNEL)),
                    c.by(EVE, c.JoinRoom(GROUP)),
                    c.by(BOB, c.ReadUpTo(CHANNEL, chance.randrange(40))),
                ],
                k=chance.randrange(1, 9),
            )
        )
    for log_id in (CHANNEL, GROUP, LOBBY_ID, -ANN, -BOB, -EVE):
        assert town.seqs(log_id) == list(range(1, town.head(log_id) + 1))
    ids = [id for (id,) in town.rows("SELECT id FROM messages ORDER BY id")]
    assert ids == list(range(1, len(ids) + 1))
    for room_id, number in town.rows("SELECT room_id, max(number) FROM messages GROUP BY room_id"):
        assert town.rows(f"SELECT count(*) FROM messages WHERE room_id = {room_id}") == [(number,)]
        assert town.rows(f"SELECT message_count FROM logs WHERE id = {room_id}") == [(number,)]


def test_a_batch_is_freed_without_the_garbage_collector(town: Town) -> None:
    town.batch(town.say(CHANNEL))
    with without_collector():
        town.batch(town.say(CHANNEL), c.by(EVE, c.JoinRoom(CHANNEL)), town.say(CHANNEL, "no", by=99))
        assert living(State, SqliteTransaction, Needs) == []


def test_a_refused_command_leaves_no_trace_and_disturbs_nobody(town: Town) -> None:
    outcomes = town.batch(
        town.say(CHANNEL, "one"),
        town.say(CHANNEL, "no", by=EVE),
        town.say(99, "nowhere"),
        c.by(c.NOBODY_ID, c.Register("h", username="ANN")),
        town.say(CHANNEL, "\0"),
        town.say(CHANNEL, "two", by=BOB),
    )
    assert codes(outcomes) == ["ok", "not_member", "not_found", "taken", "invalid", "ok"]
    assert town.rows("SELECT seq, text FROM messages ORDER BY seq") == [(3, "one"), (4, "two")]
    assert town.seqs(CHANNEL) == [1, 2, 3, 4]
    assert town.rows("SELECT count(*) FROM accounts WHERE id < 1000") == [(3,)]


def test_the_same_client_id_twice_in_one_batch_is_stored_once(town: Town) -> None:
    first, again, other, bobs = town.batch(
        town.say(CHANNEL, "hi", "c1"),
        town.say(CHANNEL, "hi", "c1"),
        town.say(CHANNEL, "ho", "c1"),
        town.say(CHANNEL, "ho", "c1", BOB),
    )
    assert (first.duplicate, again.duplicate, again.message) == (False, True, first.message)
    assert codes([other]) == ["idempotency_mismatch"]
    assert not bobs.duplicate
    assert town.rows("SELECT count(*) FROM messages") == [(2,)]


def test_a_repeat_gets_the_first_answer_after_a_restart(town: Town) -> None:
    first = town.do(town.say(CHANNEL, "hi", "c1"))
    town.database.close()
    assert town.do(town.say(CHANNEL, "hi", "c1")) == msgspec.structs.replace(first, duplicate=True)


def test_a_kick_counts_for_what_follows_it_in_the_batch(town: Town) -> None:
    outcomes = town.batch(
        town.say(GROUP, "in", by=BOB), c.by(ANN, c.RemoveMember(GROUP, BOB)), town.say(GROUP, "out", by=BOB)
    )
    assert codes(outcomes) == ["ok", "ok", "not_found"]
    assert town.rows("SELECT text FROM messages") == [("in",)]


@pytest.mark.parametrize("turns", [2, 3, 4, 5])
def test_one_person_comes_and_goes_in_one_batch(town: Town, turns: int) -> None:
    come, go = c.by(EVE, c.JoinRoom(CHANNEL)), c.by(EVE, c.LeaveRoom(CHANNEL))
    outcomes = town.batch(*[(come, go)[turn % 2] for turn in range(turns)])
    assert codes(outcomes) == ["ok"] * turns
    assert town.rows(f"SELECT count(*) FROM members WHERE room_id = 1 AND account_id = {EVE}") == [(turns % 2,)]
    assert town.seqs(CHANNEL) == list(range(1, 3 + turns))
    assert town.seqs(-EVE) == list(range(1, 1 + turns))


def test_a_batch_builds_on_what_it_made_itself(town: Town) -> None:
    outcomes = town.batch(
        c.by(c.NOBODY_ID, c.Register("h", username="dan")),
        c.by(ANN, c.CreateRoom(Kind.CHANNEL, "New")),
        c.by(4, c.JoinRoom(3)),
        town.say(3, "hi", by=4),
    )
    assert codes(outcomes) == ["not_found" if outcome is None else "ok" for outcome in outcomes]
    assert town.rows("SELECT room_id, seq, sender_id FROM messages") == [(3, 3, 4)]


def test_a_broken_constraint_is_the_fault_of_one_command(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    """A session id that exists already: a decision never sees it, since such ids are ours, and random."""
    town.do(c.by(ANN, c.OpenSession("s1", 60, "hash")))
    with caplog.at_level(logging.CRITICAL):
        outcomes = town.batch(
            town.say(CHANNEL, "one"),
            c.by(BOB, c.OpenSession("s1", 60, "hash")),
            town.say(CHANNEL, "two", "c1"),
            town.say(CHANNEL, "two", "c1"),
        )
    assert codes(outcomes) == ["ok", "internal", "ok", "ok"]
    assert outcomes[3].duplicate
    assert town.seqs(CHANNEL) == [1, 2, 3, 4]
    assert town.rows("SELECT account_id FROM sessions") == [(ANN,)]


def test_a_bug_is_the_fault_of_one_command(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL):
        outcomes = town.batch(town.say(CHANNEL, "one"), c.by(BOB, c.ReadUpTo(CHANNEL, None)), town.say(CHANNEL, "two"))  # type: ignore[arg-type]
    assert codes(outcomes) == ["ok", "internal", "ok"]
    assert town.rows("SELECT text FROM messages ORDER BY seq") == [("one",), ("two",)]


@pytest.mark.parametrize(
    "command",
    [
        c.by(ANN, c.SendMessage(CHANNEL, "hi", "\ud800")),
        c.by(c.NOBODY_ID, c.Register("h", username="a\ud800")),
        c.by(c.NOBODY_ID, c.Register("h", username="dan", email="a\ud800@x.org")),
    ],
)
def test_what_cannot_even_be_looked_up_is_refused_as_invalid(
    town: Town, command: c.Request, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL):
        assert codes(town.batch(town.say(CHANNEL), command)) == ["ok", "invalid"]


def test_events_are_given_in_the_order_of_the_log(town: Town) -> None:
    _, events = commit(town.database, [town.say(CHANNEL), c.by(EVE, c.JoinRoom(CHANNEL)), town.say(CHANNEL)])
    assert [(event.log_id, event.seq) for event in events] == [(CHANNEL, 3), (-EVE, 1), (CHANNEL, 4), (CHANNEL, 5)]


def test_a_refused_batch_announces_nothing(town: Town) -> None:
    assert commit(town.database, [town.say(CHANNEL, by=EVE)])[1] == []


def test_a_batch_of_thousands_is_one_transaction(town: Town) -> None:
    outcomes = town.batch(*[town.say(CHANNEL, f"m{n}", f"c{n}", (ANN, BOB)[n % 2]) for n in range(2000)])
    assert {outcome.duplicate for outcome in outcomes} == {False}
    assert [outcome.message.seq for outcome in outcomes] == list(range(3, 2003))


def test_a_database_that_fails_inside_a_decision_is_unavailable(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(SqliteTransaction, "new_id", fail)
    assert codes(town.batch(town.say(), town.say())) == ["unavailable", "unavailable"]


def test_a_commit_is_on_disk_before_it_is_answered(town: Town) -> None:
    """In the WAL with `synchronous=FULL` (2), each commit waits for an fsync."""
    with town.database.writing() as tx:
        settings = {
            name: tx.connection.execute(f"PRAGMA {name}").fetchone()[0]  # type: ignore[attr-defined]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
