"""The analysis of what was switched on and off, in hand-made runs: each invariant has runs that break it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .check import check
from .evidence import Evidence, StoredTurn
from .records import Nack, Record, Turn, Turned
from .switches import Switches, stored_turn
from .test_check import ANN, ROOM, evidence

PIN = "pin 31"
STORED = (StoredTurn(ROOM, 1, PIN, True), StoredTurn(ROOM, 2, PIN, False))


def asked(number: int, *, on: bool) -> Turn:
    return Turn(0.0, ANN, f"ann-{number}", PIN, on)


def answered(number: int) -> Turned:
    return Turned(0.0, ANN, 1, f"ann-{number}", duplicate=False)


SENT: list[Record] = [asked(1, on=True), answered(1), asked(2, on=False), answered(2)]


def kinds(records: list[Record], *turns: StoredTurn) -> set[str]:
    found: Evidence = replace(evidence(records, []), turns=turns)
    about_turns = {"turn-twice", "turn-lost", "refused", "never-acked"}
    return {violation.kind for violation in check(found)} & about_turns


def test_turns_that_were_kept() -> None:
    assert kinds(SENT, *STORED) == set()
    assert kinds(SENT, *reversed(STORED)) == set(), "the order is that of the seqs"


@pytest.mark.parametrize("turns", [STORED[:1], STORED[1:], ()])
def test_1_an_answered_turn_is_lost(turns: tuple[StoredTurn, ...]) -> None:
    assert kinds(SENT, *turns) == {"turn-lost"}


def test_1_turns_are_made_in_another_order() -> None:
    swapped = [replace(turn, seq=3 - turn.seq) for turn in STORED]
    assert kinds(SENT, *swapped) == {"turn-lost"}


def test_2_a_turn_is_made_twice() -> None:
    assert kinds(SENT, *STORED, StoredTurn(ROOM, 3, PIN, False)) == {"turn-twice"}


def test_2_a_turn_that_nobody_asked_for() -> None:
    assert kinds(SENT, *STORED, StoredTurn(ROOM, 3, "pin 32", True)) == {"turn-twice"}


def test_a_turn_without_an_answer_and_one_that_was_refused() -> None:
    assert kinds(SENT[:-1], *STORED) == {"never-acked"}
    assert kinds([*SENT[:-1], Nack(0.0, ANN, "ann-2", "forbidden", False)], *STORED) == {"refused"}


def test_a_switch_is_turned_on_and_off_by_turns_and_has_the_name_of_its_entries() -> None:
    switches = Switches(2, [7], guest=9, deputy=3, kept={7: 31})
    names = [switch.name for switch in switches.all()]
    assert len(set(names)) == len(names)
    [pin] = [switch for switch in switches.all() if switch.name == PIN]
    assert [switches.turn(pin) for _ in range(3)] == [True, False, True]
    rows = [
        (7, 1, "reacted", 2, None, '{"message_id":31,"emoji":"\U0001f44d","added":true,"count":1}'),
        (7, 2, "pinned", 2, None, '{"message_id":31,"pinned":true}'),
        (-2, 1, "followed", None, 7, '{"thread_id":31,"follows":true}'),
        (-2, 2, "level", None, 7, '{"level":"none"}'),
        (7, 3, "invited", 9, None, '{"by":2}'),
        (7, 4, "role", 3, None, '{"role":"moderator","by":2}'),
    ]
    turns = [stored_turn(row) for row in rows]
    assert all(turn.on for turn in turns)
    assert {turn.switch for turn in turns} < set(names)
    assert not stored_turn((7, 5, "uninvited", 9, None, '{"by":9}')).on
