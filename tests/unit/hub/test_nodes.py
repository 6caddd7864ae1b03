"""Entries of other nodes, which write to the same logs. What they tell may be lost, doubled, delayed and reordered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from veche.core.event import LogEvent
from veche.hub.topics import EARLY

from .harness import Connection, Own, Scene, message
from .machine import bounded
from .test_behind import pulls

ROOM, OTHER = 1, 2
ACCOUNT = 2


def test_a_bell_reads_what_is_missing_at_once(scene: Scene) -> None:
    connection = scene.live(ROOM)
    scene.store.fill(ROOM, 3)
    scene.hub.learn_heads({ROOM: 3, OTHER: 9})
    assert pulls(scene) == [(ROOM, 0, 3)]
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2, 3]


def test_a_bell_for_what_is_known_reads_nothing(scene: Scene) -> None:
    scene.live(ROOM)
    scene.say(ROOM, 3)
    scene.hub.learn_heads({ROOM: 3})
    scene.hub.learn_heads({ROOM: 2})
    assert scene.store.questions == []


def test_a_bell_while_the_head_is_read_is_not_forgotten(scene: Scene) -> None:
    connection = scene.connect().subscribe(ROOM, 0)
    scene.turn()
    for question in scene.store.questions:
        question.read()
    scene.store.fill(ROOM, 2)
    scene.hub.learn_heads({ROOM: 2})
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2]


def test_an_own_entry_is_not_read_before_it_is_announced(scene: Scene) -> None:
    """The other node has written after an own batch, and its bell is faster than the own thread."""
    connection, own = scene.live(ROOM), Own(scene)
    own.commit(ROOM, 2)
    scene.store.fill(ROOM, 1)
    for _ in range(2):
        scene.hub.learn_heads({ROOM: 3})
    scene.compare()
    scene.settle()
    assert connection.seqs(ROOM) == [], "the entries have overtaken the answers to their commands"
    own.announce()
    assert pulls(scene) == [(ROOM, 2, 3)]
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2, 3]


def test_entries_before_an_own_one_are_read_although_it_is_not_announced(scene: Scene) -> None:
    """Else a node that writes without a pause would never read what the others write."""
    connection = scene.live(ROOM)
    scene.store.fill(ROOM, 2)
    first, second = Own(scene).commit(ROOM), Own(scene)
    scene.hub.learn_heads({ROOM: 2})
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2]
    scene.store.fill(ROOM, 2)
    second.commit(ROOM)
    scene.hub.learn_heads({ROOM: 5})
    first.announce()
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2, 3, 4, 5]
    second.announce()
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2, 3, 4, 5, 6]


def test_a_batch_that_stored_nothing_holds_nothing_up(scene: Scene) -> None:
    connection = scene.live(ROOM)
    refused: dict[int, int] = {}
    scene.unannounced.record(refused, [message(ROOM, 1)])  # its COMMIT fails; another node takes the seq
    scene.store.fill(ROOM, 1)
    scene.hub.learn_heads({ROOM: 1})
    scene.settle()
    assert connection.seqs(ROOM) == []
    scene.hub.receive([])
    scene.unannounced.end(refused)
    scene.settle()
    assert connection.seqs(ROOM) == [1]


def test_an_own_batch_of_another_log_holds_nothing_up(scene: Scene) -> None:
    connection = scene.live(ROOM)
    Own(scene).commit(OTHER)
    scene.store.fill(ROOM, 1)
    scene.compare()
    scene.settle()
    assert connection.seqs(ROOM) == [1]


def test_entries_that_come_in_any_order_are_not_read(scene: Scene) -> None:
    connection = scene.live(ROOM)
    first, second, third, fourth = scene.store.fill(ROOM, 4)
    for event in (fourth, second, third, third, first, second):
        scene.hub.receive([event])
    scene.turn()
    assert (connection.seqs(ROOM), scene.store.questions) == ([1, 2, 3, 4], [])


def test_early_entries_are_not_read_again(scene: Scene) -> None:
    connection = scene.live(ROOM)
    events = scene.store.fill(ROOM, 6)
    scene.hub.receive([events[2], events[5]])
    scene.wait()
    assert pulls(scene) == [(ROOM, 0, 2)]
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2, 3, 4, 5, 6]


def test_more_early_entries_than_are_kept_are_read(scene: Scene) -> None:
    connection = scene.live(ROOM)
    events = scene.store.fill(ROOM, EARLY + 50)
    scene.hub.receive(events[1:])
    topic = scene.hub._topics.get(ROOM)
    assert topic is not None
    assert len(topic.early) == EARLY
    scene.hub.receive(events[:1])
    scene.settle()
    assert connection.seqs(ROOM) == list(range(1, EARLY + 51))
    assert topic.early == {}


@pytest.mark.parametrize("early", [1, 2])
def test_a_topic_that_is_closed_while_entries_wait_reads_nothing(scene: Scene, early: int) -> None:
    connection, own = scene.live(ROOM), Own(scene).commit(ROOM)
    scene.hub.receive(scene.store.fill(ROOM, 2)[early - 1 :])
    scene.hub.learn_heads({ROOM: 3})
    connection.leave()
    own.announce()
    scene.settle()
    assert (connection.writes, scene.hub.log_ids()) == ([], [])


class Told(Connection):
    """Checks that no own entry comes before it was announced, that is before the answer to its command."""

    machine: Nodes

    def write(self, data: bytes) -> None:
        super().write(data)
        assert self.received == sorted(set(self.received), key=self.received.index), "an entry came twice"
        for log_id in (ROOM, OTHER):
            seqs = self.seqs(log_id)
            assert seqs == list(range(1, len(seqs) + 1)), f"{seqs} of log {log_id}"
        early = [event for own in self.machine.unannounced for event in own.events]
        assert not {(event.log_id, event.seq) for event in early}.intersection(self.received)


which = st.integers(0, 9)
logs = st.sampled_from((ROOM, ROOM, OTHER))


class Nodes(RuleBasedStateMachine):
    """This node and another one write to two logs. Everything that the other one tells may go wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene(page=3)
        self.running = self.scene.turns.running()
        self.running.__enter__()
        self.unannounced: list[Own] = []
        self.bells: list[tuple[int, int]] = []
        self.air: list[LogEvent] = []

    @initialize()
    def begin(self) -> None:
        self.connections = [Told(self.scene.hub, account, own_seq=0) for account in (ACCOUNT, ACCOUNT + 1)]
        for connection in self.connections:
            connection.machine = self
            connection.subscribe(ROOM, 0).subscribe(OTHER, 0)
        self.scene.settle()

    def one(self, things: list[Any], index: int) -> list[Any]:
        return [things[index % len(things)]] if things else []

    @rule(log_id=logs, count=st.integers(1, 3), more=st.booleans())
    def commit_here(self, log_id: int, count: int, more: bool) -> None:
        """Commit an own batch, or a further transaction of the batch that is being committed."""
        if not (more and self.unannounced):
            self.unannounced.append(Own(self.scene))
        self.unannounced[-1].commit(log_id, count)

    @rule()
    def announce(self) -> None:
        if self.unannounced:
            self.unannounced.pop(0).announce()

    @rule(log_id=logs, count=st.integers(1, 3), tells=st.sampled_from(["bell", "entries", "nothing"]))
    def commit_there(self, log_id: int, count: int, tells: str) -> None:
        events = self.scene.store.fill(log_id, count)
        if tells == "bell":
            self.bells.append((log_id, events[-1].seq))
        if tells == "entries":
            self.air += events

    @rule(index=which, again=st.booleans())
    def ring(self, index: int, again: bool) -> None:
        for bell in self.one(self.bells, index):
            if not again:
                self.bells.remove(bell)
            self.scene.hub.learn_heads(dict([bell]))

    @rule(index=which, again=st.booleans())
    def arrive(self, index: int, again: bool) -> None:
        for event in self.one(self.air, index):
            if not again:
                self.air.remove(event)
            self.scene.hub.receive([event])

    @rule()
    def compare(self) -> None:
        self.scene.compare()

    @rule(index=which, failed=st.sampled_from([False] * 15 + [True]))
    def reply(self, index: int, failed: bool) -> None:
        for question in self.one(self.scene.store.questions, index):
            self.scene.store.questions.remove(question)
            question.reply(failed=failed)

    @rule(index=which)
    def read(self, index: int) -> None:
        for question in self.one(self.scene.store.questions, index):
            question.read()

    @rule()
    def turn(self) -> None:
        self.scene.turn()

    @rule()
    def wait(self) -> None:
        self.scene.turns.leap()

    def teardown(self) -> None:
        try:
            for own in self.unannounced[:]:
                self.unannounced.remove(own)
                own.announce()
            self.scene.settle()
            self.scene.compare()
            self.scene.settle()
            for connection in self.connections:
                if ("lost",) not in connection.calls:  # the log could not be read twice: the client comes back
                    heads = {log_id: self.scene.store.head(log_id) for log_id in (ROOM, OTHER)}
                    assert {log_id: len(connection.seqs(log_id)) for log_id in heads} == heads
                    topics = [subscription.topic for subscription in connection.subscriber.subscriptions.values()]
                    assert not any(topic.early or topic.awaits_announcement for topic in topics)
        finally:
            self.running.__exit__(None, None, None)


Nodes.TestCase.settings = bounded(200, 50)
test_nodes = Nodes.TestCase
