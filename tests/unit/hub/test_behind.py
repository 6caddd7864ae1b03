"""Subscriptions that are behind: resuming, slow subscribers, failed reads, lost announcements."""

from __future__ import annotations

import logging

import pytest

from veche.core.event import LogEvent
from veche.hub.topic import BYTES_PER_TURN
from veche.hub.topics import PAGE

from .harness import BULKY, Own, Scene, message

ROOM, OTHER = 1, 2


def pulls(scene: Scene) -> list[tuple[int, int, int]]:
    return [question.what[1:] for question in scene.store.questions if question.what[0] == "pull"]


def test_a_position_is_continued_page_by_page_and_then_live(scene: Scene) -> None:
    scene.store.fill(ROOM, PAGE * 2 + 7)
    connection = scene.connect().subscribe(ROOM, 3)
    scene.settle()
    assert connection.seqs(ROOM) == list(range(4, PAGE * 2 + 8))
    assert len(connection.writes) == 3
    assert connection.calls == [("caught_up", ROOM)]
    scene.say(ROOM)
    scene.turn()
    assert connection.seqs(ROOM)[-1] == PAGE * 2 + 8


def test_without_a_position_one_begins_at_the_head(scene: Scene) -> None:
    scene.store.fill(ROOM, 5)
    connection = scene.connect().subscribe(ROOM, None)
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert connection.seqs(ROOM) == [6]


def test_what_is_said_while_one_catches_up_comes_after_it(scene: Scene) -> None:
    scene.store.fill(ROOM, 3)
    live = scene.live(ROOM, 3)
    connection = scene.connect().subscribe(ROOM, 0)
    assert pulls(scene) == [(ROOM, 0, 3)]
    scene.say(ROOM, 2)
    scene.turn()
    assert live.seqs(ROOM) == [4, 5]
    assert connection.seqs(ROOM) == []
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2, 3, 4, 5]


def test_only_one_page_is_on_its_way_for_a_connection(scene: Scene) -> None:
    scene.store.fill(ROOM, 5)
    scene.store.fill(OTHER, 5)
    scene.live(ROOM, 3)
    scene.live(OTHER, 3)
    connection = scene.connect().subscribe(ROOM, 0).subscribe(OTHER, 0)
    for _ in range(3):
        scene.turn()
    assert len(pulls(scene)) == 1
    scene.settle()
    assert (connection.seqs(ROOM), connection.seqs(OTHER)) == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])


def test_a_late_page_of_a_subscription_that_is_gone_is_not_written(scene: Scene) -> None:
    scene.store.fill(ROOM, 5)
    scene.live(ROOM, 3)
    connection = scene.connect().subscribe(ROOM, 0)
    scene.hub.unsubscribe(connection.subscriber, ROOM)
    scene.settle()
    assert connection.writes == []
    connection.subscribe(ROOM, 4)
    scene.settle()
    assert connection.seqs(ROOM) == [5]


def test_a_late_page_of_an_older_position_is_not_written(scene: Scene) -> None:
    scene.store.fill(ROOM, 5)
    scene.live(ROOM, 3)
    connection = scene.connect().subscribe(ROOM, 0)
    connection.subscribe(ROOM, 3)
    scene.settle()
    assert connection.seqs(ROOM) == [4, 5]


def test_one_whose_position_is_ahead_of_what_was_announced_waits_for_it(scene: Scene) -> None:
    scene.live(ROOM, 3)
    on_its_way = [scene.store.add(ROOM), scene.store.add(ROOM)]
    connection = scene.connect().subscribe(ROOM, 2)
    scene.settle()
    assert connection.calls == []
    scene.hub.receive(on_its_way)
    scene.settle()
    assert (connection.seqs(ROOM), connection.calls) == ([], [("caught_up", ROOM)])
    scene.say(ROOM)
    scene.settle()
    assert connection.seqs(ROOM) == [3]


# Slow.


def test_a_slow_connection_is_set_aside_in_the_very_turn_and_comes_back_without_hole_or_repeat(scene: Scene) -> None:
    slow, quick = scene.live(ROOM, 3), scene.live(ROOM, 4)
    slow.clogged = True
    scene.say(ROOM, 2)
    scene.turn()
    assert not slow.subscriber.subscriptions[ROOM].live
    for _ in range(3):
        scene.say(ROOM, 2)
        scene.settle()
    assert slow.seqs(ROOM) == [1, 2]
    assert quick.seqs(ROOM) == [1, 2, 3, 4, 5, 6, 7, 8]
    slow.drain()
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert slow.seqs(ROOM) == quick.seqs(ROOM) == list(range(1, 10))


def test_nothing_is_held_or_read_for_a_slow_connection(scene: Scene) -> None:
    slow = scene.live(ROOM, 3)
    slow.clogged = True
    scene.say(ROOM)
    scene.settle()
    scene.say(ROOM, 50)
    scene.turn()
    scene.turn()
    assert scene.store.questions == []


def test_a_slow_connection_gets_no_more_than_the_write_under_way(scene: Scene) -> None:
    slow, quick = scene.live(ROOM, 3, BULKY), scene.live(ROOM, 4, BULKY)
    slow.clogged = True
    scene.say(ROOM, 100, "x" * 16_000)
    scene.turn()
    assert sum(map(len, slow.writes)) < BYTES_PER_TURN + 20_000, "the whole backlog was written to a full transport"
    assert sum(map(len, quick.writes)) < BYTES_PER_TURN + 20_000, "the whole backlog was written in one turn"
    slow.drain()
    scene.settle()
    assert slow.seqs(ROOM) == quick.seqs(ROOM) == list(range(1, 101))


def test_a_slow_connection_does_not_undo_the_slices_of_a_great_room(scene: Scene) -> None:
    connections = [scene.connect(account_id).subscribe(ROOM) for account_id in range(2, 3002)]
    scene.settle()
    for connection in connections:
        connection.clogged = True
    scene.say(ROOM)
    scene.turn()
    assert sum(len(connection.writes) for connection in connections) == 1000
    scene.settle()
    for connection in connections:
        connection.drain()
    scene.settle()
    assert all(connection.seqs(ROOM) == [1] for connection in connections)


def test_a_connection_that_drains_while_something_waits_gets_it_once(scene: Scene) -> None:
    slow, quick = scene.live(ROOM, 3), scene.live(ROOM, 4)
    slow.clogged = True
    scene.say(ROOM)
    scene.settle()
    scene.say(ROOM)
    slow.drain()
    assert len(pulls(scene)) <= 1, "the same page is asked for twice"
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert slow.seqs(ROOM) == quick.seqs(ROOM) == [1, 2, 3]


def test_slow_and_drained_within_one_turn(scene: Scene) -> None:
    connection = scene.live(ROOM)
    scene.hub.mark_slow(connection.subscriber)
    scene.hub.mark_drained(connection.subscriber)
    scene.say(ROOM)
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2]
    assert connection.subscriber.subscriptions[ROOM].live


def test_slow_connections_in_several_rooms_continue_in_all(scene: Scene) -> None:
    connection = scene.live(ROOM)
    connection.subscribe(OTHER, 0)
    scene.settle()
    connection.clogged = True
    scene.say(ROOM)
    scene.say(OTHER)
    scene.settle()
    scene.say(ROOM, 3)
    scene.say(OTHER, 3)
    scene.settle()
    connection.drain()
    scene.settle()
    assert (connection.seqs(ROOM), connection.seqs(OTHER)) == ([1, 2, 3, 4], [1, 2, 3, 4])


def test_one_that_is_slow_while_it_catches_up_goes_on_when_it_drains(scene: Scene) -> None:
    scene.store.fill(ROOM, PAGE * 3)
    connection = scene.connect().subscribe(ROOM, 0)
    connection.clogged = True
    scene.settle()
    assert connection.seqs(ROOM) == list(range(1, PAGE + 1))
    connection.drain()
    scene.settle()
    assert connection.seqs(ROOM) == list(range(1, PAGE * 3 + 1))


def test_a_slow_connection_that_leaves_is_forgotten(scene: Scene) -> None:
    connection = scene.live(ROOM)
    scene.hub.mark_slow(connection.subscriber)
    connection.leave()
    scene.settle()
    assert scene.hub.log_ids() == []


# Announcements that get lost.


def test_a_gap_is_filled_from_the_log(scene: Scene) -> None:
    connection = scene.live(ROOM)
    scene.store.fill(ROOM, 2)
    scene.say(ROOM)
    scene.turn()
    assert (connection.writes, pulls(scene)) == ([], []), "the entries before it may come in a moment"
    scene.wait()
    assert pulls(scene) == [(ROOM, 0, 2)]
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2, 3]


def test_a_gap_is_asked_for_once_and_what_comes_meanwhile_is_not_lost(scene: Scene) -> None:
    connection = scene.live(ROOM)
    scene.store.add(ROOM)
    scene.say(ROOM)
    scene.wait()
    scene.say(ROOM, 2)
    assert pulls(scene) == [(ROOM, 0, 1)]
    scene.store.add(ROOM)
    scene.say(ROOM)
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2, 3, 4, 5, 6]


def test_a_gap_wider_than_a_page_is_filled(scene: Scene) -> None:
    connection = scene.live(ROOM)
    scene.store.fill(ROOM, PAGE * 2)
    scene.say(ROOM)
    scene.settle()
    assert connection.seqs(ROOM) == list(range(1, PAGE * 2 + 2))


def test_a_gap_that_could_not_be_read_is_filled_when_heads_are_compared(scene: Scene) -> None:
    connection = scene.live(ROOM)
    scene.store.add(ROOM)
    scene.say(ROOM)
    scene.wait()
    scene.store.answer(failed=True)
    scene.settle()
    assert connection.writes == []
    scene.compare()
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2]


@pytest.mark.parametrize("page", [None, [], [message(ROOM, 2)]], ids=["failed", "empty", "with a hole"])
def test_a_gap_that_cannot_be_read_twice_loses_the_place(
    scene: Scene, page: list[LogEvent] | None, caplog: pytest.LogCaptureFixture
) -> None:
    def answer() -> None:
        scene.wait()
        (question,) = scene.store.questions
        scene.store.questions.clear()
        question._reply(page)
        assert scene.store.questions == [], "the next announcement or comparison reads it again, nothing earlier"

    connections, elsewhere = [scene.live(ROOM), scene.live(ROOM, 3)], scene.live(OTHER)
    for connection in (*connections, elsewhere):
        connection.calls.clear()
    scene.store.add(ROOM)
    scene.say(ROOM)
    answer()
    assert [connection.calls for connection in connections] == [[], []]
    scene.say(ROOM)
    answer()
    assert [connection.calls for connection in connections] == [[("lost",)], [("lost",)]]
    assert elsewhere.calls == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert ROOM not in scene.hub.log_ids()


def test_a_failed_read_is_forgotten_once_the_topic_goes_on(scene: Scene) -> None:
    connection = scene.live(ROOM)
    for _ in range(3):
        scene.store.add(ROOM)
        scene.say(ROOM)
        scene.wait()
        scene.store.answer(failed=True)
        scene.say(ROOM)
        scene.settle()
    assert connection.seqs(ROOM) == list(range(1, 10))
    assert ("lost",) not in connection.calls


def test_a_topic_that_was_closed_starts_without_failed_reads(scene: Scene) -> None:
    for _ in range(2):
        connection = scene.connect().subscribe(ROOM, 0)
        scene.turn()
        scene.store.answer()
        scene.hub.receive([message(ROOM, 2)])
        scene.wait()
        scene.store.answer(failed=True)
        assert ("lost",) not in connection.calls
        connection.leave()


def test_the_last_announcement_when_lost_is_found_by_comparing(scene: Scene) -> None:
    connection = scene.live(ROOM)
    scene.store.fill(ROOM, 2)
    scene.compare()
    assert pulls(scene) == [(ROOM, 0, 2)]
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2]


def test_comparing_is_quiet_while_announcements_merely_follow_the_log(scene: Scene) -> None:
    connection = scene.live(ROOM)
    for _ in range(5):
        own = Own(scene)
        own.commit(ROOM)
        scene.compare()
        assert scene.store.questions == []
        own.announce()
        scene.settle()
    assert connection.seqs(ROOM) == [1, 2, 3, 4, 5]


def test_comparing_a_log_without_subscribers_is_harmless(scene: Scene) -> None:
    scene.hub.learn_heads({ROOM: 9})
    scene.connect().subscribe(OTHER, 0)
    scene.hub.learn_heads({OTHER: 9})
    assert scene.store.questions == []


def test_a_join_whose_announcement_was_lost_subscribes_the_room_later(scene: Scene) -> None:
    """Nobody here is subscribed to the room, so only the own log shows the join."""
    connection = scene.live(-3, 3)
    scene.store.joined(ROOM, 3)
    scene.compare()
    scene.settle()
    assert connection.seqs(-3) == [1]
    scene.say(ROOM)
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2], "the client knows that it joined the room, but does not receive the room"


# Opening.


def test_what_is_announced_while_the_head_is_read_is_neither_lost_nor_repeated(scene: Scene) -> None:
    scene.store.fill(ROOM, 3)
    connection = scene.connect().subscribe(ROOM, 1)
    scene.turn()
    question = scene.store.questions.pop()
    question.read()
    scene.say(ROOM, 2)
    scene.turn()
    question.reply()
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert connection.seqs(ROOM) == [2, 3, 4, 5, 6]


def test_what_was_read_as_head_and_is_announced_later_is_not_repeated(scene: Scene) -> None:
    on_its_way = scene.store.fill(ROOM, 3)
    connection = scene.connect().subscribe(ROOM, 0)
    scene.settle()
    scene.hub.receive(on_its_way)
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2, 3]


def test_logs_that_open_in_one_turn_are_read_in_one_question(scene: Scene) -> None:
    for log_id in (1, 2, 3):
        scene.connect().subscribe(log_id, 0)
    scene.turn()
    assert [question.what for question in scene.store.questions] == [("heads", -2, 1, 2, 3)]


def test_a_log_that_was_left_while_it_opened_and_is_subscribed_again(scene: Scene) -> None:
    scene.store.fill(ROOM, 2)
    connection = scene.connect().subscribe(ROOM, 0)
    scene.turn()
    scene.hub.unsubscribe(connection.subscriber, ROOM)
    connection.subscribe(ROOM, 1)
    scene.settle()
    assert connection.seqs(ROOM) == [2]


# Reads that fail.


@pytest.mark.parametrize("moment", ["opening", "page"])
def test_a_read_that_fails_loses_the_place_and_says_so(scene: Scene, moment: str) -> None:
    scene.store.fill(ROOM, 2)
    if moment == "page":
        scene.live(ROOM, 3)
    connection = scene.connect(4).subscribe(ROOM, 0)
    scene.turn()
    scene.store.answer(failed=True)
    assert connection.calls == [("lost",)]
    again = scene.connect(4).subscribe(ROOM, 0)
    scene.settle()
    assert again.seqs(ROOM) == [1, 2]


def test_a_hole_in_the_log_loses_the_place_and_is_not_hidden(scene: Scene) -> None:
    scene.store.fill(ROOM, 2)
    scene.live(ROOM, 3)
    connection = scene.connect(4).subscribe(ROOM, 0)
    scene.store.logs[ROOM] = []
    scene.settle()
    assert connection.calls == [("lost",)]
