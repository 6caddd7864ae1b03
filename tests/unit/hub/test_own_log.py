"""What an account's own log does to its connections: each entry after the beginning takes effect, once and in order."""

from __future__ import annotations

import itertools
import logging

import pytest

from veche.core.effects import End, Open
from veche.core.event import LogEvent
from veche.core.membership import MemberLeft, RoomExited
from veche.hub.hub import UNKNOWN_SEQ
from veche.hub.topics import PAGE

from .harness import Ear, Scene, person

ROOM, OTHER = 1, 2
ANN, BOB = 3, 4


def compare(scene: Scene) -> None:
    """Compare heads twice, as the server does from one second to the next."""
    for _ in range(2):
        scene.hub.compare_heads([(log_id, scene.store.head(log_id)) for log_id in scene.hub.log_ids()])
        scene.settle()


# Faults of the hub before it followed own logs.


def test_a_session_whose_end_was_not_announced_ends_when_heads_are_compared(scene: Scene) -> None:
    """A dialect that subscribes to no log, or to the lobby alone, hears of it too."""
    nowhere, somewhere = scene.ear(ANN), scene.live(ROOM, ANN)
    scene.settle()
    scene.store.ended(ANN)
    compare(scene)
    assert nowhere.told == [("session_ended",)]
    assert somewhere.told[-1] == ("session_ended",)


def test_a_late_exit_does_not_remove_a_member_who_has_joined_again(scene: Scene) -> None:
    ear = scene.ear(ANN)
    scene.settle()
    scene.hub.deliver(scene.store.joined(ROOM, ANN))
    scene.settle()
    left, joined = scene.store.left(ROOM, ANN), scene.store.joined(ROOM, ANN)
    scene.hub.unsubscribe(ear.subscriber, ROOM)  # as a dialect that checks the membership and subscribes by itself
    ear.hear(ROOM, 3, 3)
    scene.hub.deliver([event for event in left + joined if event.log_id == ROOM])
    scene.say(ROOM)
    scene.settle()
    ear.told.clear()
    scene.hub.deliver([event for event in left + joined if event.log_id == -ANN])
    scene.say(ROOM)
    scene.settle()
    assert ear.told == [], "the exit is older than the membership"
    assert ear.seqs(ROOM) == [1, 4, 5]


# Following.


def test_nothing_is_written_of_it_and_nobody_waits_for_it(scene: Scene) -> None:
    ear = scene.ear(ANN)
    scene.settle()
    scene.say(-ANN)
    scene.settle()
    assert (ear.writes, ear.told, ear.subscriber.behind, ear.subscriber.subscriptions) == ([], [], [], {})
    assert scene.hub.online(-ANN) == []


def test_it_is_heard_as_long_as_somebody_of_the_account_is_here(scene: Scene) -> None:
    phone, desk = scene.ear(ANN), scene.ear(ANN)
    assert scene.hub.log_ids() == [-ANN]
    phone.leave()
    assert scene.hub.log_ids() == [-ANN]
    desk.hear(-ANN).leave()
    assert scene.hub.log_ids() == []


def test_it_is_followed_on_when_it_is_subscribed_no_more(scene: Scene) -> None:
    ear = scene.live(-ANN, ANN)
    scene.hub.unsubscribe(ear.subscriber, -ANN)
    scene.hub.deliver([scene.store.ended(ANN)])
    assert ear.told[-1] == ("session_ended",)


def test_an_entry_may_have_several_effects_until_one_closes_the_connection(scene: Scene) -> None:
    class Banned(RoomExited, frozen=True):
        def effects(self):
            return (*super().effects(), End(ANN, "s", None), Open(ANN, OTHER, 0))

    one, other = scene.ear(ANN), scene.ear(ANN, session="t")
    scene.settle()
    scene.hub.deliver([scene.store.add(-ANN, Banned(-ANN, 1, 100, ROOM, 7))])
    assert one.told == [("removed", ROOM, 7), ("session_ended",)]
    assert other.told == [("removed", ROOM, 7), ("joined", OTHER, 0)]


def test_a_slow_connection_ends_at_once(scene: Scene) -> None:
    ear = scene.live(ROOM, ANN)
    scene.hub.mark_slow(ear.subscriber)
    scene.turn()
    scene.hub.deliver([scene.store.ended(ANN)])
    assert ear.told[-1] == ("session_ended",)


def test_a_slow_connection_is_removed_at_once(scene: Scene) -> None:
    ear = scene.live(ROOM, ANN)
    scene.hub.mark_slow(ear.subscriber)
    scene.turn()
    scene.hub.deliver([event for event in scene.store.left(ROOM, ANN) if event.log_id == -ANN])
    assert ear.told[-1] == ("removed", ROOM, 1)


def test_what_was_announced_before_is_written_before_the_removal(scene: Scene) -> None:
    ear = scene.live(ROOM, ANN)
    said = scene.store.add(ROOM)
    own = [event for event in scene.store.left(ROOM, ANN) if event.log_id == -ANN]
    scene.hub.deliver([said, *own])
    assert (ear.seqs(ROOM), ear.told[-1]) == ([1], ("removed", ROOM, 2))


def test_a_gap_of_the_own_log_is_filled_before_what_follows_takes_effect(scene: Scene) -> None:
    ear = scene.ear(ANN)
    scene.settle()
    scene.store.joined(ROOM, ANN)
    scene.hub.deliver(scene.store.left(ROOM, ANN))
    assert ear.told == []
    scene.settle()
    assert [told[:2] for told in ear.told] == [("joined", ROOM), ("removed", ROOM)]


def test_joins_of_rooms_that_are_subscribed_already_are_not_told(scene: Scene) -> None:
    ear = scene.live(ROOM, ANN)
    ear.told.clear()
    scene.hub.deliver(scene.store.joined(ROOM, ANN))
    scene.settle()
    assert (ear.told, ear.seqs(ROOM)) == ([], [1])


@pytest.mark.parametrize("effect", ["joined", "removed", "session_ended", "lost", "caught_up"])
def test_a_listener_that_fails_keeps_nobody_else_from_hearing(
    scene: Scene, effect: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken, ear = scene.ear(ANN), scene.ear(ANN)

    def fail(*what: object) -> None:
        raise KeyError(effect)

    setattr(broken, effect, fail)
    if effect == "lost":
        scene.turn()
        scene.store.answer(failed=True)
        assert ear.told == [("lost",)]
    else:
        scene.settle()
        scene.hub.deliver(scene.store.joined(ROOM, ANN) + scene.store.left(ROOM, ANN) + [scene.store.ended(ANN)])
        scene.settle()
        assert [told[0] for told in ear.told if told[0] != "caught_up"] == ["joined", "removed", "session_ended"]
    if effect != "caught_up":
        assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_listener_that_fails_when_it_has_caught_up_keeps_the_others_going(scene: Scene) -> None:
    scene.store.fill(ROOM, 3)
    broken, ear = scene.ear(ANN), scene.ear(BOB)

    def fail(log_id: int) -> None:
        raise KeyError(log_id)

    broken.caught_up = fail  # type: ignore[method-assign]
    broken.hear(ROOM, 3)
    ear.hear(ROOM, 3)
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert broken.seqs(ROOM) == ear.seqs(ROOM) == [4]


def test_a_connection_that_another_closes_in_the_same_effect_is_not_told(scene: Scene) -> None:
    first, second = scene.ear(ANN), scene.ear(ANN)
    scene.settle()
    first.session_ended = lambda: second.leave()  # type: ignore[method-assign]
    scene.hub.deliver([scene.store.ended(ANN)])
    assert second.told == []


# Beginning.


def test_who_has_not_begun_is_told_nothing_until_then(scene: Scene) -> None:
    ear = scene.ear(ANN, begun=False)
    scene.settle()
    own_seq = scene.store.head(-ANN)
    scene.hub.deliver(scene.store.joined(ROOM, ANN))
    scene.hub.deliver(scene.store.left(ROOM, ANN))
    scene.settle()
    assert ear.told == []
    ear.begin(own_seq)
    scene.settle()
    assert [told[:2] for told in ear.told] == [("joined", ROOM), ("removed", ROOM)]


def test_who_never_begins_hears_what_it_subscribes_and_is_still_removed_from_it(scene: Scene) -> None:
    ear = scene.ear(ANN, begun=False).hear(ROOM)
    scene.settle()
    scene.say(ROOM)
    scene.hub.deliver([*scene.store.left(ROOM, ANN), scene.store.add(ROOM), scene.store.ended(ANN)])
    scene.settle()
    assert (ear.seqs(ROOM), ear.told) == ([1, 2], [("caught_up", ROOM), ("removed", ROOM, 2)])


def possible(order: tuple[str, ...]) -> bool:
    """A dialect attaches first, and begins with what it has looked at since."""
    attach, look, begin = (order.index(moment) for moment in ("attach", "look", "begin"))
    return attach < look < begin and order.index("open") > attach


@pytest.mark.parametrize(
    "order",
    [order for order in itertools.permutations(("attach", "open", "look", "begin", "announce")) if possible(order)],
    ids="-".join,
)
def test_entries_after_the_snapshot_take_effect_in_every_order(scene: Scene, order: tuple[str, ...]) -> None:
    """After each of the moments something is committed; `look` reads the head of the own log."""
    ear, own_seq, flying = scene.ear(BOB), 0, list[LogEvent]()
    for number, moment in enumerate(order, 1):
        match moment:
            case "attach":
                ear = Ear(scene.hub, ANN)
            case "open":
                scene.settle()
            case "look":
                own_seq = scene.store.head(-ANN)
            case "begin":
                ear.begin(own_seq)
            case "announce":
                scene.hub.deliver(flying)
                flying = []
        flying += scene.store.joined(number, ANN)
    scene.hub.deliver(flying)
    scene.settle()
    assert own_seq < len(order)
    assert [told[1] for told in ear.told if told[0] == "joined"] == list(range(own_seq + 1, len(order) + 1))


def test_a_session_that_ends_after_the_snapshot_ends_at_the_beginning(scene: Scene) -> None:
    ear = scene.ear(ANN, begun=False)
    scene.settle()
    scene.hub.deliver([scene.store.ended(ANN)])
    assert ear.told == []
    ear.begin(0)
    scene.settle()
    assert ear.told == [("session_ended",)]


def test_a_session_that_was_opened_after_all_others_ended_stays(scene: Scene) -> None:
    """The announcement of the end is late; the snapshot that shows the new session is newer than the end."""
    end = scene.store.ended(ANN)
    ear = scene.ear(ANN)
    scene.settle()
    scene.hub.deliver([end])
    scene.settle()
    assert ear.told == []


def test_what_happens_while_the_beginning_is_read_comes_after_it(scene: Scene) -> None:
    ear = scene.ear(ANN, begun=False)
    scene.settle()
    scene.hub.deliver(scene.store.joined(ROOM, ANN))
    ear.begin(0)
    assert [question.what for question in scene.store.questions] == [("pull", -ANN, 0, 1)]
    scene.hub.deliver(scene.store.joined(OTHER, ANN))
    assert ear.told == []
    scene.settle()
    assert [told for told in ear.told if told[0] == "joined"] == [("joined", ROOM, 0), ("joined", OTHER, 0)]


def test_a_beginning_of_many_pages(scene: Scene) -> None:
    ear = scene.ear(ANN, begun=False)
    for room_id in range(1, PAGE + 2):
        scene.store.joined(room_id, ANN)
    scene.settle()
    ear.begin(0)
    scene.settle()
    assert [told[1] for told in ear.told if told[0] == "joined"] == list(range(1, PAGE + 2))


def test_a_beginning_that_cannot_be_read_loses_the_place(scene: Scene) -> None:
    ear = scene.ear(ANN, begun=False)
    scene.settle()
    scene.hub.deliver(scene.store.joined(ROOM, ANN))
    ear.begin(0)
    scene.store.answer(failed=True)
    scene.settle()
    assert ear.told == [("lost",)]


def test_an_own_log_that_cannot_be_opened_loses_the_place(scene: Scene) -> None:
    ear = scene.ear(ANN)
    scene.turn()
    scene.store.answer(failed=True)
    assert ear.told == [("lost",)]
    again = scene.ear(ANN)
    scene.settle()
    scene.hub.deliver(scene.store.joined(ROOM, ANN))
    scene.settle()
    assert ("joined", ROOM, 0) in again.told


def test_a_gap_of_an_own_log_that_cannot_be_read_twice_loses_the_place(scene: Scene) -> None:
    follows, subscribes = scene.ear(ANN), scene.live(-ANN, ANN)
    scene.store.joined(ROOM, ANN)
    for _ in range(2):
        scene.hub.deliver([scene.store.ended(ANN, "another")])
        scene.store.answer(failed=True)
    assert follows.told == [("lost",)]
    assert subscribes.told == [("caught_up", -ANN), ("lost",)], "once, although it also subscribes to it"


def test_a_late_answer_for_an_own_log_that_was_closed_meanwhile_harms_nobody(scene: Scene) -> None:
    scene.ear(ANN).leave()
    scene.turn()
    again = scene.ear(ANN)
    scene.store.answer(failed=True)
    scene.settle()
    assert again.told == []


def test_a_late_page_for_one_who_has_left_is_dropped(scene: Scene) -> None:
    ear = scene.ear(ANN, begun=False)
    scene.settle()
    scene.hub.deliver(scene.store.joined(ROOM, ANN))
    ear.begin(0)
    ear.leave()
    scene.settle()
    ear.begin(0)
    scene.settle()
    assert (ear.told, scene.hub.log_ids()) == ([], [])


# Closing.


def test_who_was_removed_between_the_snapshot_and_the_subscription_hears_nothing_after_it(scene: Scene) -> None:
    scene.store.fill(ROOM, 5)
    scene.live(ROOM, BOB)
    ear = scene.ear(ANN, begun=False)
    scene.settle()
    own_seq, head = scene.store.head(-ANN), scene.store.head(ROOM)
    scene.hub.deliver([*scene.store.left(ROOM, ANN), *scene.store.fill(ROOM, 3)])
    scene.settle()
    ear.hear(ROOM, head - 2, head).begin(own_seq)
    scene.settle()
    assert ear.seqs(ROOM) == [4, 5, 6]
    assert set(ear.told) == {("removed", ROOM, 6)}
    assert ear.subscriber.subscriptions == {}


def test_a_page_is_not_cut_at_a_removal_before_the_membership(scene: Scene) -> None:
    scene.store.joined(ROOM, ANN)
    scene.store.left(ROOM, ANN)
    scene.store.joined(ROOM, ANN)
    ear = scene.ear(ANN).hear(ROOM, 0, 3)
    scene.settle()
    assert (ear.seqs(ROOM), ear.told) == ([1, 2, 3], [("caught_up", ROOM)])


def test_a_page_is_not_cut_at_the_removal_of_another(scene: Scene) -> None:
    scene.store.left(ROOM, BOB)
    scene.store.add(ROOM)
    ear = scene.ear(ANN).hear(ROOM)
    scene.settle()
    assert ear.seqs(ROOM) == [1, 2]


def test_a_removal_in_the_room_is_enough(scene: Scene) -> None:
    ear = scene.live(ROOM, ANN)
    scene.hub.deliver([event for event in scene.store.left(ROOM, ANN) if event.log_id == ROOM])
    scene.say(ROOM)
    scene.settle()
    assert (ear.seqs(ROOM), ear.told[-1]) == ([1], ("removed", ROOM, 1))


def test_a_removal_in_the_room_that_is_announced_late_is_out_of_date(scene: Scene) -> None:
    scene.live(ROOM, BOB)
    flying = scene.store.left(ROOM, ANN) + scene.store.joined(ROOM, ANN)
    ear = scene.ear(ANN).hear(ROOM, 2, 2)
    scene.settle()
    scene.hub.deliver(flying)
    scene.say(ROOM)
    scene.settle()
    assert (ear.seqs(ROOM), ear.told) == ([3], [("caught_up", ROOM)])


def test_who_leaves_and_joins_again_with_the_next_entry_is_not_removed_by_the_late_room(scene: Scene) -> None:
    ear = scene.live(ROOM, ANN)
    scene.live(ROOM, BOB)
    events = scene.store.left(ROOM, ANN) + scene.store.joined(ROOM, ANN)
    scene.hub.deliver([event for event in events if event.log_id == -ANN])
    assert ear.told[-2:] == [("removed", ROOM, 1), ("joined", ROOM, 1)]
    scene.hub.deliver([event for event in events if event.log_id == ROOM])
    scene.say(ROOM)
    scene.settle()
    assert (ear.seqs(ROOM), ear.told[-1]) == ([2, 3], ("caught_up", ROOM))


def test_without_a_subscription_the_removal_is_told(scene: Scene) -> None:
    """A dialect may be between its check of the membership and its subscription."""
    ear = scene.ear(ANN)
    scene.settle()
    scene.hub.deliver(scene.store.left(ROOM, ANN))
    assert ear.told == [("removed", ROOM, 1)]


def test_subscribing_again_does_not_renew_the_membership(scene: Scene) -> None:
    """A later head, read without a look at the membership, says nothing about it."""
    ear = scene.live(ROOM, ANN)
    scene.store.left(ROOM, ANN)
    scene.store.add(ROOM)
    ear.hear(ROOM, 0, scene.store.head(ROOM))
    compare(scene)
    assert (ear.seqs(ROOM), ear.told[-1]) == ([1], ("removed", ROOM, 1))


@pytest.mark.parametrize("out", [True, False])
def test_a_position_after_the_look_at_the_membership_is_checked_up_to_it(scene: Scene, out: bool) -> None:
    """Whoever was removed between the two, without an announcement, hears nothing."""
    scene.live(ROOM, BOB)
    ear = scene.ear(ANN)
    scene.settle()
    scene.store.left(ROOM, ANN if out else BOB)
    scene.store.fill(ROOM, 2)
    scene.hub.subscribe(ear.subscriber, ROOM, ear.serializer, 2, since=0)
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert ear.seqs(ROOM) == ([] if out else [3, 4])
    assert ear.told == [("removed", ROOM, 1) if out else ("caught_up", ROOM)]


def test_a_later_position_in_place_of_another_is_not_read_up_to(scene: Scene) -> None:
    scene.store.fill(ROOM, PAGE * 3)
    scene.live(ROOM, BOB)
    ear = scene.ear(ANN).hear(ROOM, 0)
    scene.settle()
    ear.hear(ROOM, PAGE * 3 - 1)
    assert [question.what for question in scene.store.questions] == [("pull", ROOM, PAGE * 3 - 1, PAGE * 3)]


@pytest.mark.parametrize(("at", "closes"), [(99, False), (100, True), (101, True)])
@pytest.mark.parametrize("subscribed", [True, False])
def test_an_old_exit_closes_nothing_that_was_opened_after_it(
    scene: Scene, at: int, closes: bool, subscribed: bool
) -> None:
    ear = scene.live(ROOM, ANN) if subscribed else scene.ear(ANN)
    scene.settle()
    ear.told.clear()
    scene.hub.deliver([scene.store.add(-ANN, RoomExited(-ANN, 1, at, ROOM))])
    assert ear.told == ([("removed", ROOM, UNKNOWN_SEQ)] if closes else [])
    assert bool(ear.subscriber.subscriptions) == (subscribed and not closes)


def test_only_closes_of_its_own_log_count_in_a_room(scene: Scene) -> None:
    class Elsewhere(MemberLeft, frozen=True):
        def effects(self):
            return RoomExited(-ANN, 1, 100, OTHER, 9).effects()

    ear = scene.live(ROOM, ANN).hear(OTHER)
    scene.settle()
    ear.told.clear()
    scene.hub.deliver([scene.store.add(ROOM, Elsewhere(ROOM, 1, person(ANN), 1, 100))])
    scene.settle()
    assert (ear.told, set(ear.subscriber.subscriptions)) == ([], {ROOM, OTHER})
