"""The rules of the client, frame by frame and without a server: what it sends, keeps, applies and records."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from .client import Account, Connection, Memory, reconnect_delay, text_of
from .frames import Bye
from .records import ME, Ack, CaughtUp, Gone, Journal, Nack, Record, Recv, Reset, Unexpected, Welcome, judge

ROOM = 7


class ScriptedClient:
    """A client with one room; the test plays the server."""

    def __init__(self) -> None:
        self.memory = Memory(Account("ann", 1, "TOKEN"), {ME: 0, ROOM: 0})
        self.journal = Journal(clock=lambda: 0.0)
        self.connection = Connection(1, self.memory, self.journal, asyncio.Event())

    def receive(self, frame: object) -> Any:
        """Give the client a frame; return its reply, or None."""
        reply = self.connection.take(json.dumps(frame))
        return None if reply is None else json.loads(reply)

    def receive_message(self, seq: int) -> Any:
        body = {"id": seq, "room_id": ROOM, "seq": seq, "sender": {"id": 2}, "text": "t", "client_message_id": "bob-1"}
        return self.receive({"message": body})

    def send(self) -> Any:
        return json.loads(self.connection.send(self.memory.compose(ROOM)))

    @property
    def last(self) -> Record:
        return self.journal.records[-1]


@pytest.mark.parametrize(("seq", "verdict"), [(4, "next"), (3, "repeat"), (1, "repeat"), (5, "gap")])
def test_an_event_is_compared_with_the_position(seq: int, verdict: str) -> None:
    assert judge(3, seq) == verdict


def test_hello_has_the_epoch_and_all_positions() -> None:
    client = ScriptedClient()
    assert client.memory.hello() == {"token": "TOKEN", "rooms": {"7": 0}, "me": 0}
    client.connection.command("hello", client.memory.hello())
    rooms = [{"id": ROOM, "head_seq": 2}, {"id": 99, "head_seq": 5}]
    client.receive({"id": 1, "hello": {"epoch": "e", "me": {"id": 1, "seq": 4}, "rooms": rooms}})
    assert client.last == Welcome(0.0, "ann", 1, {ROOM: 2, ME: 4})
    client.receive_message(1)
    client.receive({"me": {"seq": 1, "joined": {}}})
    assert client.memory.hello() == {"token": "TOKEN", "epoch": "e", "rooms": {"7": 1}, "me": 1}


def test_a_send_waits_until_it_is_answered() -> None:
    client = ScriptedClient()
    body = {"room_id": ROOM, "text": text_of("ann-1"), "client_message_id": "ann-1"}
    assert client.send() == {"id": 1, "send": body}
    assert list(client.memory.unacked) == ["ann-1"]
    answer = {"room_id": ROOM, "seq": 3, "message_id": 9, "client_message_id": "ann-1", "duplicate": True, "at": ""}
    client.receive({"id": 1, "send": answer})
    assert client.last == Ack(0.0, "ann", 1, ROOM, "ann-1", 3, 9, True)
    assert not client.memory.unacked
    assert client.memory.positions[ROOM] == 0


@pytest.mark.parametrize(("temporary", "kept"), [(True, ["ann-1"]), (False, [])])
def test_a_temporarily_refused_send_is_kept(temporary: bool, kept: list[str]) -> None:
    client = ScriptedClient()
    client.send()
    client.receive({"id": 1, "error": {"code": "unavailable", "message": "", "temporary": temporary}})
    assert client.last == Nack(0.0, "ann", "ann-1", "unavailable", temporary)
    assert list(client.memory.unacked) == kept
    assert client.connection.must_reconnect is temporary


def test_a_gap_causes_one_sync() -> None:
    client = ScriptedClient()
    client.receive_message(1)
    assert client.receive_message(3) == {"id": 1, "sync": {"rooms": {"7": 1}, "me": 0}}
    assert client.receive_message(4) is None
    assert client.memory.positions[ROOM] == 1
    client.receive({"id": 1, "sync": {"rooms": {"7": 4}, "me": 0}})
    assert client.last == Welcome(0.0, "ann", 1, {ROOM: 4, ME: 0})
    assert client.receive_message(6) is not None


def test_a_repeated_frame_is_recorded_and_not_applied() -> None:
    client = ScriptedClient()
    client.receive_message(1)
    client.receive_message(1)
    assert [type(record) for record in client.journal.records] == [Recv, Recv]
    assert client.memory.positions[ROOM] == 1


def test_a_reset_moves_the_position() -> None:
    client = ScriptedClient()
    client.receive({"reset": {"room_id": ROOM, "seq": 812, "reason": "too_far"}})
    assert client.last == Reset(0.0, "ann", 1, ROOM, 812, "too_far")
    client.receive({"reset": {"me": True, "seq": 4, "reason": "epoch"}})
    assert client.last == Reset(0.0, "ann", 1, ME, 4, "epoch")
    assert client.memory.positions == {ROOM: 812, ME: 4}


def test_an_event_of_an_unknown_kind_moves_the_position() -> None:
    client = ScriptedClient()
    client.receive({"waved": {"room_id": ROOM, "seq": 1}})
    assert client.last == Recv(0.0, "ann", 1, ROOM, 1, "waved")
    assert client.memory.positions[ROOM] == 1


def test_other_frames_are_recorded() -> None:
    client = ScriptedClient()
    client.receive({"caught_up": {}})
    client.receive({"gone": {"room_id": ROOM, "room_ids": [ROOM]}})
    client.receive({"bye": {"code": 4200, "reason": "restart", "retry_after_ms": 350}})
    assert client.journal.records == [CaughtUp(0.0, "ann", 1), Gone(0.0, "ann", 1, ROOM)]
    assert client.connection.bye == Bye(4200, 350)


def test_the_heartbeat_is_answered() -> None:
    assert ScriptedClient().receive({}) == {}


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
def test_an_unknown_frame_is_unexpected(frame: object) -> None:
    client = ScriptedClient()
    client.receive(frame)
    assert isinstance(client.last, Unexpected)


def test_text_that_is_not_json_is_unexpected() -> None:
    client = ScriptedClient()
    client.connection.take("{")
    assert isinstance(client.last, Unexpected)


def test_the_answer_to_another_message_is_unexpected_and_acks_nothing() -> None:
    client = ScriptedClient()
    client.send()
    answer = {"room_id": ROOM, "seq": 3, "message_id": 9, "client_message_id": "ann-2", "duplicate": False}
    client.receive({"id": 1, "send": answer})
    assert isinstance(client.last, Unexpected)
    assert list(client.memory.unacked) == ["ann-1"]


@pytest.mark.parametrize(
    ("bye", "low", "high"),
    [(Bye(0), 0.05, 0.3), (Bye(4101), 1.05, 1.3), (Bye(4200, 350), 0.4, 0.65), (Bye(4202), 0.05, 0.3)],
)
def test_the_delay_follows_the_close_code(bye: Bye, low: float, high: float) -> None:
    pause = reconnect_delay(bye, random.Random(1))
    assert pause is not None
    assert low <= pause <= high


def test_no_reconnect_after_4000_to_4099() -> None:
    assert reconnect_delay(Bye(4001), random.Random(1)) is None
