"""An account's own log and its connections: each entry after `begin` takes effect once and in order."""

from __future__ import annotations

import itertools
import logging

import pytest

from veche.core.effects import End, Open
from veche.core.event import LogEvent
from veche.core.membership import MemberLeft, RoomExited
from veche.hub.hub import UNKNOWN_SEQ
from veche.hub.topics import PAGE

from .harness import Connection, Scene, person

ROOM, OTHER = 1, 2
ANN, BOB = 3, 4


def compare(scene: Scene) -> None:
    """Compare heads, as the server does every second."""
    scene.compare()
    scene.settle()


# Faults that the hub had before it followed own logs.


def test_a_session_whose_end_was_not_announced_ends_when_heads_are_compared(scene: Scene) -> None:
    """Also for a dialect that subscribes to no log, or only to the lobby."""
    nowhere, somewhere = scene.connect(ANN), scene.live(ROOM, ANN)
    scene.settle()
    scene.store.ended(ANN)
    compare(scene)
    assert nowhere.calls == [("session_ended",)]
    assert somewhere.calls[-1] == ("session_ended",)


def test_a_late_exit_does_not_remove_a_member_who_has_joined_again(scene: Scene) -> None:
    connection = scene.connect(ANN)
    scene.settle()
    scene.hub.receive(scene.store.joined(ROOM, ANN))
    scene.settle()
    left, joined = scene.store.left(ROOM, ANN), scene.store.joined(ROOM, ANN)
    scene.hub.unsubscribe(
        connection.subscriber, ROOM
    )  # like a dialect that checks the membership and subscribes by itself
    connection.subscribe(ROOM, 3, 3)
    scene.hub.receive([event for event in left + joined if event.log_id == ROOM])
    scene.say(ROOM)
    scene.settle()
    connection.calls.clear()
    scene.hub.receive([event for event in left + joined if event.log_id == -ANN])
    scene.say(ROOM)
    scene.settle()
    assert connection.calls == [], "the exit is older than the membership"
    assert connection.seqs(ROOM) == [1, 4, 5]


# Following.


def test_nothing_of_the_own_log_is_written_and_nobody_waits_for_it(scene: Scene) -> None:
    connection = scene.connect(ANN)
    scene.settle()
    scene.say(-ANN)
    scene.settle()
    assert (connection.writes, connection.calls, connection.subscriber.behind, connection.subscriber.subscriptions) == (
        [],
        [],
        [],
        {},
    )
    assert scene.hub.online(-ANN, 0, 9) == []


def test_it_is_followed_while_the_account_has_a_connection(scene: Scene) -> None:
    phone, desk = scene.connect(ANN), scene.connect(ANN)
    assert scene.hub.log_ids() == [-ANN]
    phone.leave()
    assert scene.hub.log_ids() == [-ANN]
    desk.subscribe(-ANN).leave()
    assert scene.hub.log_ids() == []


def test_it_is_still_followed_after_an_unsubscribe(scene: Scene) -> None:
    connection = scene.live(-ANN, ANN)
    scene.hub.unsubscribe(connection.subscriber, -ANN)
    scene.hub.receive([scene.store.ended(ANN)])
    assert connection.calls[-1] == ("session_ended",)


def test_an_entry_may_have_several_effects_until_one_closes_the_connection(scene: Scene) -> None:
    class Banned(RoomExited, frozen=True):
        def effects(self):
            return (*super().effects(), End(ANN, "s", None), Open(ANN, OTHER, 0))

    one, other = scene.connect(ANN), scene.connect(ANN, session="t")
    scene.settle()
    scene.hub.receive([scene.store.add(-ANN, Banned(-ANN, 1, 100, ROOM, 7))])
    assert one.calls == [("removed", ROOM, 7), ("session_ended",)]
    assert other.calls == [("removed", ROOM, 7), ("joined", OTHER, 0)]


def test_a_slow_connection_ends_at_once(scene: Scene) -> None:
    connection = scene.live(ROOM, ANN)
    scene.hub.mark_slow(connection.subscriber)
    scene.turn()
    scene.hub.receive([scene.store.ended(ANN)])
    assert connection.calls[-1] == ("session_ended",)


def test_a_slow_connection_is_removed_at_once(scene: Scene) -> None:
    connection = scene.live(ROOM, ANN)
    scene.hub.mark_slow(connection.subscriber)
    scene.turn()
    scene.hub.receive([event for event in scene.store.left(ROOM, ANN) if event.log_id == -ANN])
    assert connection.calls[-1] == ("removed", ROOM, 1)


def test_what_was_announced_before_is_written_before_the_removal(scene: Scene) -> None:
    connection = scene.live(ROOM, ANN)
    said = scene.store.add(ROOM)
    own = [event for event in scene.store.left(ROOM, ANN) if event.log_id == -ANN]
    scene.hub.receive([said, *own])
    assert (connection.seqs(ROOM), connection.calls[-1]) == ([1], ("removed", ROOM, 2))


def test_a_gap_of_the_own_log_is_filled_before_what_follows_takes_effect(scene: Scene) -> None:
    connection = scene.connect(ANN)
    scene.settle()
    scene.store.joined(ROOM, ANN)
    scene.hub.receive(scene.store.left(ROOM, ANN))
    assert connection.calls == []
    scene.settle()
    assert [call[:2] for call in connection.calls] == [("joined", ROOM), ("removed", ROOM)]


def test_a_join_of_a_room_that_is_already_subscribed_calls_nothing(scene: Scene) -> None:
    connection = scene.live(ROOM, ANN)
    connection.calls.clear()
    scene.hub.receive(scene.store.joined(ROOM, ANN))
    scene.settle()
    assert (connection.calls, connection.seqs(ROOM)) == ([], [1])


@pytest.mark.parametrize("effect", ["joined", "removed", "session_ended", "lost", "caught_up"])
def test_other_listeners_are_called_if_one_fails(scene: Scene, effect: str, caplog: pytest.LogCaptureFixture) -> None:
    broken, connection = scene.connect(ANN), scene.connect(ANN)

    def fail(*what: object) -> None:
        raise KeyError(effect)

    setattr(broken, effect, fail)
    if effect == "lost":
        scene.turn()
        scene.store.answer(failed=True)
        assert connection.calls == [("lost",)]
    else:
        scene.settle()
        scene.hub.receive(scene.store.joined(ROOM, ANN) + scene.store.left(ROOM, ANN) + [scene.store.ended(ANN)])
        scene.settle()
        assert [call[0] for call in connection.calls if call[0] != "caught_up"] == [
            "joined",
            "removed",
            "session_ended",
        ]
    if effect != "caught_up":
        assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_listener_that_fails_when_it_has_caught_up_keeps_the_others_going(scene: Scene) -> None:
    scene.store.fill(ROOM, 3)
    broken, connection = scene.connect(ANN), scene.connect(BOB)

    def fail(log_id: int) -> None:
        raise KeyError(log_id)

    broken.caught_up = fail  # type: ignore[method-assign]
    broken.subscribe(ROOM, 3)
    connection.subscribe(ROOM, 3)
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert broken.seqs(ROOM) == connection.seqs(ROOM) == [4]


def test_a_connection_that_another_closes_in_the_same_effect_is_not_called(scene: Scene) -> None:
    first, second = scene.connect(ANN), scene.connect(ANN)
    scene.settle()
    first.session_ended = lambda: second.leave()  # type: ignore[method-assign]
    scene.hub.receive([scene.store.ended(ANN)])
    assert second.calls == []


# Beginning.


def test_who_has_not_begun_gets_no_calls_until_then(scene: Scene) -> None:
    connection = scene.connect(ANN, begun=False)
    scene.settle()
    own_seq = scene.store.head(-ANN)
    scene.hub.receive(scene.store.joined(ROOM, ANN))
    scene.hub.receive(scene.store.left(ROOM, ANN))
    scene.settle()
    assert connection.calls == []
    connection.begin(own_seq)
    scene.settle()
    assert [call[:2] for call in connection.calls] == [("joined", ROOM), ("removed", ROOM)]


def test_who_never_begins_receives_its_subscriptions_and_is_still_removed(scene: Scene) -> None:
    connection = scene.connect(ANN, begun=False).subscribe(ROOM)
    scene.settle()
    scene.say(ROOM)
    scene.hub.receive([*scene.store.left(ROOM, ANN), scene.store.add(ROOM), scene.store.ended(ANN)])
    scene.settle()
    assert (connection.seqs(ROOM), connection.calls) == ([1, 2], [("caught_up", ROOM), ("removed", ROOM, 2)])


def possible(order: tuple[str, ...]) -> bool:
    """A dialect attaches, then reads the snapshot, then begins. The log opens after the dialect has attached."""
    attach, look, begin = (order.index(moment) for moment in ("attach", "look", "begin"))
    return attach < look < begin and order.index("open") > attach


@pytest.mark.parametrize(
    "order",
    [order for order in itertools.permutations(("attach", "open", "look", "begin", "announce")) if possible(order)],
    ids="-".join,
)
def test_entries_after_the_snapshot_take_effect_in_every_order(scene: Scene, order: tuple[str, ...]) -> None:
    """An entry is committed after each step. `look` reads the head of the own log."""
    connection, own_seq, flying = scene.connect(BOB), 0, list[LogEvent]()
    for number, moment in enumerate(order, 1):
        match moment:
            case "attach":
                connection = Connection(scene.hub, ANN)
            case "open":
                scene.settle()
            case "look":
                own_seq = scene.store.head(-ANN)
            case "begin":
                connection.begin(own_seq)
            case "announce":
                scene.hub.receive(flying)
                flying = []
        flying += scene.store.joined(number, ANN)
    scene.hub.receive(flying)
    scene.settle()
    assert own_seq < len(order)
    assert [call[1] for call in connection.calls if call[0] == "joined"] == list(range(own_seq + 1, len(order) + 1))


def test_a_session_that_ends_after_the_snapshot_ends_at_the_beginning(scene: Scene) -> None:
    connection = scene.connect(ANN, begun=False)
    scene.settle()
    scene.hub.receive([scene.store.ended(ANN)])
    assert connection.calls == []
    connection.begin(0)
    scene.settle()
    assert connection.calls == [("session_ended",)]


def test_a_session_that_was_opened_after_all_others_ended_stays(scene: Scene) -> None:
    """The announcement of the end is late. The snapshot that shows the new session is newer than the end."""
    end = scene.store.ended(ANN)
    connection = scene.connect(ANN)
    scene.settle()
    scene.hub.receive([end])
    scene.settle()
    assert connection.calls == []


def test_what_happens_while_the_beginning_is_read_comes_after_it(scene: Scene) -> None:
    connection = scene.connect(ANN, begun=False)
    scene.settle()
    scene.hub.receive(scene.store.joined(ROOM, ANN))
    connection.begin(0)
    assert [question.what for question in scene.store.questions] == [("pull", -ANN, 0, 1)]
    scene.hub.receive(scene.store.joined(OTHER, ANN))
    assert connection.calls == []
    scene.settle()
    assert [call for call in connection.calls if call[0] == "joined"] == [("joined", ROOM, 0), ("joined", OTHER, 0)]


def test_a_beginning_of_many_pages(scene: Scene) -> None:
    connection = scene.connect(ANN, begun=False)
    for room_id in range(1, PAGE + 2):
        scene.store.joined(room_id, ANN)
    scene.settle()
    connection.begin(0)
    scene.settle()
    assert [call[1] for call in connection.calls if call[0] == "joined"] == list(range(1, PAGE + 2))


def test_a_beginning_that_cannot_be_read_loses_the_place(scene: Scene) -> None:
    connection = scene.connect(ANN, begun=False)
    scene.settle()
    scene.hub.receive(scene.store.joined(ROOM, ANN))
    connection.begin(0)
    scene.store.answer(failed=True)
    scene.settle()
    assert connection.calls == [("lost",)]


def test_an_own_log_that_cannot_be_opened_loses_the_place(scene: Scene) -> None:
    connection = scene.connect(ANN)
    scene.turn()
    scene.store.answer(failed=True)
    assert connection.calls == [("lost",)]
    again = scene.connect(ANN)
    scene.settle()
    scene.hub.receive(scene.store.joined(ROOM, ANN))
    scene.settle()
    assert ("joined", ROOM, 0) in again.calls


def test_a_gap_of_an_own_log_that_cannot_be_read_twice_loses_the_place(scene: Scene) -> None:
    follows, subscribes = scene.connect(ANN), scene.live(-ANN, ANN)
    scene.store.joined(ROOM, ANN)
    for _ in range(2):
        scene.hub.receive([scene.store.ended(ANN, "another")])
        scene.wait()
        scene.store.answer(failed=True)
    assert follows.calls == [("lost",)]
    assert subscribes.calls == [("caught_up", -ANN), ("lost",)], (
        "called once, although it follows and subscribes to the log"
    )


def test_a_late_answer_for_an_own_log_that_was_closed_meanwhile_harms_nobody(scene: Scene) -> None:
    scene.connect(ANN).leave()
    scene.turn()
    again = scene.connect(ANN)
    scene.store.answer(failed=True)
    scene.settle()
    assert again.calls == []


def test_a_late_page_for_one_who_has_left_is_dropped(scene: Scene) -> None:
    connection = scene.connect(ANN, begun=False)
    scene.settle()
    scene.hub.receive(scene.store.joined(ROOM, ANN))
    connection.begin(0)
    connection.leave()
    scene.settle()
    connection.begin(0)
    scene.settle()
    assert (connection.calls, scene.hub.log_ids()) == ([], [])


# Closing.


def test_who_was_removed_between_the_snapshot_and_the_subscription_receives_nothing_after_it(scene: Scene) -> None:
    scene.store.fill(ROOM, 5)
    scene.live(ROOM, BOB)
    connection = scene.connect(ANN, begun=False)
    scene.settle()
    own_seq, head = scene.store.head(-ANN), scene.store.head(ROOM)
    scene.hub.receive([*scene.store.left(ROOM, ANN), *scene.store.fill(ROOM, 3)])
    scene.settle()
    connection.subscribe(ROOM, head - 2, head).begin(own_seq)
    scene.settle()
    assert connection.seqs(ROOM) == [4, 5, 6]
    assert set(connection.calls) == {("removed", ROOM, 6)}
    assert connection.subscriber.subscriptions == {}


def test_a_page_is_not_cut_at_a_removal_before_the_membership(scene: Scene) -> None:
    scene.store.joined(ROOM, ANN)
    scene.store.left(ROOM, ANN)
    scene.store.joined(ROOM, ANN)
    connection = scene.connect(ANN).subscribe(ROOM, 0, 3)
    scene.settle()
    assert (connection.seqs(ROOM), connection.calls) == ([1, 2, 3], [("caught_up", ROOM)])


def test_a_page_is_not_cut_at_the_removal_of_another(scene: Scene) -> None:
    scene.store.left(ROOM, BOB)
    scene.store.add(ROOM)
    connection = scene.connect(ANN).subscribe(ROOM)
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2]


def test_a_removal_in_the_room_is_enough(scene: Scene) -> None:
    connection = scene.live(ROOM, ANN)
    scene.hub.receive([event for event in scene.store.left(ROOM, ANN) if event.log_id == ROOM])
    scene.say(ROOM)
    scene.settle()
    assert (connection.seqs(ROOM), connection.calls[-1]) == ([1], ("removed", ROOM, 1))


def test_a_removal_in_the_room_that_is_announced_late_is_out_of_date(scene: Scene) -> None:
    scene.live(ROOM, BOB)
    flying = scene.store.left(ROOM, ANN) + scene.store.joined(ROOM, ANN)
    connection = scene.connect(ANN).subscribe(ROOM, 2, 2)
    scene.settle()
    scene.hub.receive(flying)
    scene.say(ROOM)
    scene.settle()
    assert (connection.seqs(ROOM), connection.calls) == ([3], [("caught_up", ROOM)])


def test_who_leaves_and_joins_again_with_the_next_entry_is_not_removed_by_the_late_room(scene: Scene) -> None:
    connection = scene.live(ROOM, ANN)
    scene.live(ROOM, BOB)
    events = scene.store.left(ROOM, ANN) + scene.store.joined(ROOM, ANN)
    scene.hub.receive([event for event in events if event.log_id == -ANN])
    assert connection.calls[-2:] == [("removed", ROOM, 1), ("joined", ROOM, 1)]
    scene.hub.receive([event for event in events if event.log_id == ROOM])
    scene.say(ROOM)
    scene.settle()
    assert (connection.seqs(ROOM), connection.calls[-1]) == ([2, 3], ("caught_up", ROOM))


def test_without_a_subscription_removed_is_called(scene: Scene) -> None:
    """A dialect may have checked the membership and not subscribed yet."""
    connection = scene.connect(ANN)
    scene.settle()
    scene.hub.receive(scene.store.left(ROOM, ANN))
    assert connection.calls == [("removed", ROOM, 1)]


def test_subscribing_again_does_not_renew_the_membership(scene: Scene) -> None:
    """A later head does not prove that the account is still a member."""
    connection = scene.live(ROOM, ANN)
    scene.store.left(ROOM, ANN)
    scene.store.add(ROOM)
    connection.subscribe(ROOM, 0, scene.store.head(ROOM))
    scene.settle()
    compare(scene)
    assert (connection.seqs(ROOM), connection.calls[-1]) == ([1], ("removed", ROOM, 1))


@pytest.mark.parametrize("out", [True, False])
def test_a_position_after_the_look_at_the_membership_is_checked_up_to_it(scene: Scene, out: bool) -> None:
    """An account that was removed between the check and the position, without an announcement, receives nothing."""
    scene.live(ROOM, BOB)
    connection = scene.connect(ANN)
    scene.settle()
    scene.store.left(ROOM, ANN if out else BOB)
    scene.store.fill(ROOM, 2)
    scene.hub.subscribe(connection.subscriber, ROOM, connection.serializer, 2, since=0)
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert connection.seqs(ROOM) == ([] if out else [3, 4])
    assert connection.calls == [("removed", ROOM, 1) if out else ("caught_up", ROOM)]


def test_a_later_position_in_place_of_another_is_not_read_up_to(scene: Scene) -> None:
    scene.store.fill(ROOM, PAGE * 3)
    scene.live(ROOM, BOB)
    connection = scene.connect(ANN).subscribe(ROOM, 0)
    scene.settle()
    connection.subscribe(ROOM, PAGE * 3 - 1)
    assert [question.what for question in scene.store.questions] == [("pull", ROOM, PAGE * 3 - 1, PAGE * 3)]


@pytest.mark.parametrize(("at", "closes"), [(99, False), (100, True), (101, True)])
@pytest.mark.parametrize("subscribed", [True, False])
def test_an_old_exit_closes_nothing_that_was_opened_after_it(
    scene: Scene, at: int, closes: bool, subscribed: bool
) -> None:
    connection = scene.live(ROOM, ANN) if subscribed else scene.connect(ANN)
    scene.settle()
    connection.calls.clear()
    scene.hub.receive([scene.store.add(-ANN, RoomExited(-ANN, 1, at, ROOM))])
    assert connection.calls == ([("removed", ROOM, UNKNOWN_SEQ)] if closes else [])
    assert bool(connection.subscriber.subscriptions) == (subscribed and not closes)


def test_only_closes_of_its_own_log_count_in_a_room(scene: Scene) -> None:
    class Elsewhere(MemberLeft, frozen=True):
        def effects(self):
            return RoomExited(-ANN, 1, 100, OTHER, 9).effects()

    connection = scene.live(ROOM, ANN).subscribe(OTHER)
    scene.settle()
    connection.calls.clear()
    scene.hub.receive([scene.store.add(ROOM, Elsewhere(ROOM, 1, person(ANN), 1, 100))])
    scene.settle()
    assert (connection.calls, set(connection.subscriber.subscriptions)) == ([], {ROOM, OTHER})
