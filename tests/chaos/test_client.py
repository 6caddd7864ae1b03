"""The client's rules, frame by frame and without a server: what it says, keeps, applies and writes down."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from .client import Account, Memory, Visit, pause_before_return, text_of
from .frames import Bye
from .records import ME, Ack, CaughtUp, Gone, Journal, Nack, Odd, Record, Recv, Reset, Welcome, judge

ROOM = 7


class Talk:
    """A client with one room on a socket that a test plays."""

    def __init__(self) -> None:
        self.memory = Memory(Account("ann", 1, "TOKEN"), {ME: 0, ROOM: 0})
        self.journal = Journal(clock=lambda: 0.0)
        self.visit = Visit(1, self.memory, self.journal, asyncio.Event())

    def hears(self, frame: object) -> Any:
        """What the client says to a frame, or None."""
        reply = self.visit.take(json.dumps(frame))
        return None if reply is None else json.loads(reply)

    def hears_message(self, seq: int) -> Any:
        body = {"id": seq, "room_id": ROOM, "seq": seq, "sender": {"id": 2}, "text": "t", "client_message_id": "bob-1"}
        return self.hears({"message": body})

    def sends(self) -> Any:
        return json.loads(self.visit.send(self.memory.compose(ROOM)))

    @property
    def last(self) -> Record:
        return self.journal.records[-1]


@pytest.mark.parametrize(("seq", "verdict"), [(4, "next"), (3, "repeat"), (1, "repeat"), (5, "gap")])
def test_an_event_is_judged_by_the_position(seq: int, verdict: str) -> None:
    assert judge(3, seq) == verdict


def test_hello_says_all_that_is_held() -> None:
    talk = Talk()
    assert talk.memory.hello() == {"token": "TOKEN", "rooms": {"7": 0}, "me": 0}
    talk.visit.command("hello", talk.memory.hello())
    rooms = [{"id": ROOM, "head_seq": 2}, {"id": 99, "head_seq": 5}]
    talk.hears({"id": 1, "hello": {"epoch": "e", "me": {"id": 1, "seq": 4}, "rooms": rooms}})
    assert talk.last == Welcome(0.0, "ann", 1, {ROOM: 2, ME: 4})
    talk.hears_message(1)
    talk.hears({"me": {"seq": 1, "joined": {}}})
    assert talk.memory.hello() == {"token": "TOKEN", "epoch": "e", "rooms": {"7": 1}, "me": 1}


def test_a_send_waits_until_it_is_answered() -> None:
    talk = Talk()
    body = {"room_id": ROOM, "text": text_of("ann-1"), "client_message_id": "ann-1"}
    assert talk.sends() == {"id": 1, "send": body}
    assert list(talk.memory.unacked) == ["ann-1"]
    answer = {"room_id": ROOM, "seq": 3, "message_id": 9, "client_message_id": "ann-1", "duplicate": True, "at": ""}
    talk.hears({"id": 1, "send": answer})
    assert talk.last == Ack(0.0, "ann", 1, ROOM, "ann-1", 3, 9, True)
    assert not talk.memory.unacked
    assert talk.memory.positions[ROOM] == 0


@pytest.mark.parametrize(("temporary", "kept"), [(True, ["ann-1"]), (False, [])])
def test_a_refused_send_is_kept_when_it_may_pass_later(temporary: bool, kept: list[str]) -> None:
    talk = Talk()
    talk.sends()
    talk.hears({"id": 1, "error": {"code": "unavailable", "message": "", "temporary": temporary}})
    assert talk.last == Nack(0.0, "ann", "ann-1", "unavailable", temporary)
    assert list(talk.memory.unacked) == kept
    assert talk.visit.retreat is temporary


def test_a_gap_is_asked_for_once() -> None:
    talk = Talk()
    talk.hears_message(1)
    assert talk.hears_message(3) == {"id": 1, "sync": {"rooms": {"7": 1}, "me": 0}}
    assert talk.hears_message(4) is None
    assert talk.memory.positions[ROOM] == 1
    talk.hears({"id": 1, "sync": {"rooms": {"7": 4}, "me": 0}})
    assert talk.last == Welcome(0.0, "ann", 1, {ROOM: 4, ME: 0})
    assert talk.hears_message(6) is not None


def test_a_repeated_frame_is_written_down_and_not_applied() -> None:
    talk = Talk()
    talk.hears_message(1)
    talk.hears_message(1)
    assert [type(record) for record in talk.journal.records] == [Recv, Recv]
    assert talk.memory.positions[ROOM] == 1


def test_a_reset_moves_the_position() -> None:
    talk = Talk()
    talk.hears({"reset": {"room_id": ROOM, "seq": 812, "reason": "too_far"}})
    assert talk.last == Reset(0.0, "ann", 1, ROOM, 812, "too_far")
    talk.hears({"reset": {"me": True, "seq": 4, "reason": "epoch"}})
    assert talk.last == Reset(0.0, "ann", 1, ME, 4, "epoch")
    assert talk.memory.positions == {ROOM: 812, ME: 4}


def test_an_event_of_a_kind_that_is_new_counts() -> None:
    talk = Talk()
    talk.hears({"waved": {"room_id": ROOM, "seq": 1}})
    assert talk.last == Recv(0.0, "ann", 1, ROOM, 1, "waved")
    assert talk.memory.positions[ROOM] == 1


def test_the_rest_is_written_down() -> None:
    talk = Talk()
    talk.hears({"caught_up": {}})
    talk.hears({"gone": {"room_id": ROOM}})
    talk.hears({"bye": {"code": 4200, "reason": "restart", "retry_after_ms": 350}})
    assert talk.journal.records == [CaughtUp(0.0, "ann", 1), Gone(0.0, "ann", 1, ROOM)]
    assert talk.visit.bye == Bye(4200, 350)


def test_the_heartbeat_is_answered() -> None:
    assert Talk().hears({}) == {}


@pytest.mark.parametrize(
    "frame",
    [
        [],
        {"id": 5, "send": {}},
        {"message": {"seq": 1}},
        {"error": {"code": "bad_request"}},
        {"surprise": 1},
    ],
)
def test_what_the_contract_does_not_know_is_odd(frame: object) -> None:
    talk = Talk()
    talk.hears(frame)
    assert isinstance(talk.last, Odd)


def test_what_is_not_json_is_odd() -> None:
    talk = Talk()
    talk.visit.take("{")
    assert isinstance(talk.last, Odd)


def test_the_answer_to_another_message_is_odd_and_acks_nothing() -> None:
    talk = Talk()
    talk.sends()
    answer = {"room_id": ROOM, "seq": 3, "message_id": 9, "client_message_id": "ann-2", "duplicate": False}
    talk.hears({"id": 1, "send": answer})
    assert isinstance(talk.last, Odd)
    assert list(talk.memory.unacked) == ["ann-1"]


@pytest.mark.parametrize(
    ("bye", "low", "high"),
    [(Bye(0), 0.05, 0.3), (Bye(4101), 1.05, 1.3), (Bye(4200, 350), 0.4, 0.65), (Bye(4202), 0.05, 0.3)],
)
def test_the_way_back_follows_the_code(bye: Bye, low: float, high: float) -> None:
    pause = pause_before_return(bye, random.Random(1))
    assert pause is not None
    assert low <= pause <= high


def test_there_is_no_way_back_unchanged() -> None:
    assert pause_before_return(Bye(4001), random.Random(1)) is None
