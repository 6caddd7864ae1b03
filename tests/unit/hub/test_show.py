"""What is shown at this moment alone: to the others who receive a room, if they are few, and never later."""

from __future__ import annotations

import pytest

from veche.core.typing import Typing
from veche.core.values import Person
from veche.hub import hub
from veche.hub.serializer import Serializer

from .harness import PLAIN, Scene

ROOM, OTHER = 1, 2
ANN = Person(2, "ann", "Ann")
SHOWING = Serializer("showing", PLAIN.encode, PLAIN.frame, lambda shown: b"%d:0 " % shown.log_id)


def test_it_is_written_to_the_others_who_receive_the_room(scene: Scene) -> None:
    ann, bob = (scene.live(ROOM, account, SHOWING) for account in (ANN.id, 3))
    old, outside = scene.live(ROOM, 4, PLAIN), scene.live(OTHER, 5, SHOWING)
    scene.hub.show(Typing(ROOM, ANN))
    assert [connection.received for connection in (ann, bob, old, outside)] == [[], [(ROOM, 0)], [], []]


def test_whoever_is_slow_or_behind_gets_nothing_also_not_later(scene: Scene) -> None:
    slow, behind = scene.live(ROOM, 3, SHOWING), scene.connect(4, SHOWING)
    slow.clogged = True
    scene.say(ROOM)
    scene.turn()
    behind.subscribe(ROOM, 0)
    scene.hub.show(Typing(ROOM, ANN))
    slow.drain()
    scene.settle()
    assert slow.received == behind.received == [(ROOM, 1)]


def test_in_a_large_room_nobody_sees_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MAX_SHOWN_TO", 1)
    bob = scene.live(ROOM, 3, SHOWING)
    scene.hub.show(Typing(ROOM, ANN))
    scene.live(ROOM, 4, SHOWING)
    scene.hub.show(Typing(ROOM, ANN))
    assert bob.received == [(ROOM, 0)]


def test_a_room_that_nobody_receives_shows_it_to_nobody(scene: Scene) -> None:
    scene.hub.show(Typing(ROOM, ANN))
    assert scene.hub.log_ids() == []


def test_a_closed_transport_does_not_keep_it_from_the_others(scene: Scene) -> None:
    closed, open_ = scene.live(ROOM, 3, SHOWING), scene.live(ROOM, 4, SHOWING)

    def refuse(data: bytes) -> None:
        raise RuntimeError("the transport is closed")

    closed.subscriber.write = refuse
    scene.hub.show(Typing(ROOM, ANN))
    assert open_.received == [(ROOM, 0)]
