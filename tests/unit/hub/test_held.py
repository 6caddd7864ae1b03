"""Held bytes: the answer to a command is one write with the entries that follow at once, or is written alone."""

from __future__ import annotations

import pytest

from .harness import Scene

ROOM, OTHER = 1, 2
ANSWER = b"0:0 "


def test_an_answer_and_the_event_that_follows_are_one_write(scene: Scene) -> None:
    sender, other = scene.live(ROOM), scene.live(ROOM, 3)
    scene.hub.hold(sender.subscriber, ANSWER)
    scene.say(ROOM)
    scene.turn()
    assert sender.writes == [ANSWER + b"1:1 "]
    assert other.writes == [b"1:1 "]
    scene.settle()
    assert len(sender.writes) == 1


def test_an_answer_that_no_event_follows_is_written_two_turns_later(scene: Scene) -> None:
    sender = scene.live(ROOM)
    scene.hub.hold(sender.subscriber, ANSWER)
    scene.turn()
    assert sender.writes == []
    scene.turn()
    assert sender.writes == [ANSWER]


def test_answers_of_one_turn_are_one_write_in_order(scene: Scene) -> None:
    sender = scene.live(ROOM)
    for seq in range(3):
        scene.hub.hold(sender.subscriber, b"0:%d " % seq)
        scene.say(ROOM)
    scene.turn()
    assert sender.writes == [b"0:0 0:1 0:2 1:1 1:2 1:3 "]


def test_an_answer_does_not_wait_for_a_room_that_pauses(scene: Scene) -> None:
    sender = scene.live(ROOM)
    topic = scene.hub._topics.get(ROOM)
    assert topic is not None
    topic.throttled_until = scene.turns.now + 1
    scene.hub.hold(sender.subscriber, ANSWER)
    scene.say(ROOM)
    scene.turn()
    scene.turn()
    assert sender.writes == [ANSWER]
    scene.settle()
    assert sender.writes == [ANSWER, b"1:1 "]


def test_an_answer_comes_before_the_page_of_a_client_that_is_behind(scene: Scene) -> None:
    scene.store.fill(ROOM, 2)
    sender = scene.connect().subscribe(ROOM)
    scene.turn()
    scene.store.answer()  # the head
    scene.hub.hold(sender.subscriber, ANSWER)
    scene.store.answer()  # the page
    assert sender.writes == [ANSWER + b"1:1 1:2 "]
    scene.settle()
    assert len(sender.writes) == 1


@pytest.mark.parametrize("turns", [0, 1])
def test_a_client_that_leaves_gets_its_answer_first(scene: Scene, turns: int) -> None:
    sender = scene.live(ROOM)
    scene.hub.hold(sender.subscriber, ANSWER)
    for _ in range(turns):
        scene.turn()
    sender.leave()
    assert sender.writes == [ANSWER]
    scene.settle()
    assert sender.writes == [ANSWER]


def test_a_closed_transport_disturbs_nobody(scene: Scene) -> None:
    gone, sender = scene.live(ROOM), scene.live(ROOM, 3)

    def fail(data: bytes) -> None:
        raise RuntimeError("the transport is closed")

    gone.subscriber.write = fail
    for connection in (gone, sender):
        scene.hub.hold(connection.subscriber, ANSWER)
    scene.settle()
    assert sender.writes == [ANSWER]


def test_an_answer_that_a_page_has_written_silences_nobody(scene: Scene) -> None:
    scene.store.fill(ROOM, 2)
    sender, other = scene.connect().subscribe(ROOM), scene.live(OTHER, 3)
    scene.hub.hold(sender.subscriber, ANSWER)
    scene.settle()
    sender.leave()
    scene.settle()
    scene.hub.hold(other.subscriber, b"0:1 ")
    scene.settle()
    assert other.writes == [b"0:1 "]


def test_nothing_is_kept_of_connections_that_are_gone(scene: Scene) -> None:
    scene.store.fill(ROOM, 2)
    for _ in range(20):
        sender = scene.connect().subscribe(ROOM)
        scene.turn()
        scene.hub.hold(sender.subscriber, ANSWER)
        scene.store.answer()
        sender.leave()
    scene.settle()
    assert not scene.hub._fan_out._holders
