"""Those who have caught up: order, one write a turn, encoded once, in slices; and who stops hearing when."""

from __future__ import annotations

import pytest

from veche.core.event import LogEvent
from veche.hub import fanout
from veche.hub.serializer import Serializer
from veche.hub.topic import BYTES_PER_TURN

from .harness import BULKY, FRAMED, PLAIN, Scene

ROOM, OTHER = 1, 2


def test_entries_arrive_in_order_and_once(scene: Scene) -> None:
    ear = scene.live(ROOM)
    for _ in range(3):
        scene.say(ROOM, 2)
        scene.turn()
    assert ear.seqs(ROOM) == [1, 2, 3, 4, 5, 6]


def test_what_was_announced_twice_is_written_once(scene: Scene) -> None:
    ear = scene.live(ROOM)
    events = scene.say(ROOM, 3)
    scene.hub.deliver(events)
    scene.turn()
    scene.hub.deliver(events)
    scene.settle()
    assert ear.seqs(ROOM) == [1, 2, 3]


def test_a_turn_is_one_write_however_many_batches_it_brought(scene: Scene) -> None:
    ear = scene.live(ROOM)
    scene.say(ROOM, 2)
    scene.say(ROOM, 3)
    assert ear.writes == []
    scene.turn()
    assert len(ear.writes) == 1
    assert ear.seqs(ROOM) == [1, 2, 3, 4, 5]


def test_a_room_whose_writes_took_long_rests_as_long_and_joins_what_comes_meanwhile(scene: Scene) -> None:
    ear = scene.ear()
    ear.subscriber.write = lambda data: (ear.write(data), setattr(scene.turns, "now", scene.turns.now + 0.004))
    ear.hear(ROOM)
    quick = scene.live(OTHER, 3)
    scene.settle()
    scene.say(ROOM)
    scene.turn()
    assert ear.seqs(ROOM) == [1]
    for _ in range(3):
        scene.say(ROOM)
        scene.say(OTHER)
        scene.turn()
    assert ear.seqs(ROOM) == [1], "it rests"
    assert quick.seqs(OTHER) == [1, 2, 3], "and others go on"
    scene.turns.now += 0.004
    scene.turn()
    assert (ear.seqs(ROOM), len(ear.writes)) == ([1, 2, 3, 4], 2)


def test_a_room_that_rests_still_writes_before_somebody_leaves(scene: Scene) -> None:
    ear = scene.ear()
    ear.subscriber.write = lambda data: (ear.write(data), setattr(scene.turns, "now", scene.turns.now + 0.004))
    ear.hear(ROOM)
    scene.settle()
    scene.say(ROOM)
    scene.turn()
    scene.say(ROOM)
    scene.turn()
    assert ear.seqs(ROOM) == [1], "it rests"
    scene.hub.unsubscribe(ear.subscriber, ROOM)
    assert ear.seqs(ROOM) == [1, 2]


def test_a_turn_is_cut_by_its_size(scene: Scene) -> None:
    ear = scene.live(ROOM, serializer=BULKY)
    scene.say(ROOM, 12, "x" * 16_000)
    scene.turn()
    assert 0 < len(ear.writes[0]) < BYTES_PER_TURN + 20_000
    scene.settle()
    assert ear.seqs(ROOM) == list(range(1, 13))


def test_an_entry_is_encoded_once_for_all_of_a_serializer(scene: Scene) -> None:
    ears = [scene.live(ROOM, account_id) for account_id in range(2, 52)]
    before = scene.hub.encode_count
    scene.say(ROOM, 4)
    scene.turn()
    assert scene.hub.encode_count - before == 4
    assert all(ear.seqs(ROOM) == [1, 2, 3, 4] for ear in ears)
    assert len({id(ear.writes[0]) for ear in ears}) == 1, "the same bytes, not copies of them"


def test_forms_that_differ_in_framing_alone_share_the_encoding(scene: Scene) -> None:
    plain, framed = scene.live(ROOM, 2, PLAIN), scene.live(ROOM, 3, FRAMED)
    before = scene.hub.encode_count
    scene.say(ROOM, 2)
    scene.turn()
    assert scene.hub.encode_count - before == 2
    assert (plain.writes, framed.writes) == ([b"1:1 1:2 "], [b"<1:1 ><1:2 >"])


def test_what_a_form_does_not_show_counts_all_the_same(scene: Scene) -> None:
    ear = scene.live(ROOM)
    scene.say(ROOM, text="hidden")
    scene.turn()
    assert ear.writes == []
    scene.say(ROOM)
    scene.turn()
    assert ear.seqs(ROOM) == [2]


def test_a_room_of_thousands_is_written_in_slices_and_keeps_its_order(scene: Scene) -> None:
    ears = [scene.ear(account_id).hear(ROOM) for account_id in range(2, 2502)]
    scene.settle()
    scene.say(ROOM)
    scene.turn()
    assert sum(len(ear.writes) for ear in ears) == fanout.WRITES_PER_TURN
    scene.say(ROOM)
    scene.turn()
    assert sum(len(ear.writes) for ear in ears) == 2 * fanout.WRITES_PER_TURN
    scene.settle()
    assert all(ear.seqs(ROOM) == [1, 2] for ear in ears)


def test_whoever_leaves_between_two_slices_is_written_nothing_more(scene: Scene) -> None:
    ears = [scene.ear(account_id).hear(ROOM) for account_id in range(2, 1502)]
    scene.settle()
    scene.say(ROOM)
    scene.turn()
    waiting = next(ear for ear in ears if not ear.writes)
    waiting.leave()
    before = list(waiting.writes)  # what was announced before may be written before
    scene.say(ROOM)
    scene.settle()
    assert waiting.writes == before, "written to after it was gone: behind its close frame, or on a closed transport"
    assert {tuple(ear.seqs(ROOM)) for ear in ears if ear is not waiting} == {(1, 2)}


def test_a_transport_that_refuses_a_write_harms_nobody_else(scene: Scene) -> None:
    ears = [scene.ear(account_id).hear(ROOM) for account_id in range(2, 12)]
    scene.settle()

    def refuse(data: bytes) -> None:
        raise RuntimeError("the handler is closed")

    broken = scene.ear(99)
    broken.subscriber.write = refuse
    broken.hear(ROOM)
    scene.settle()
    for _ in range(3):
        scene.say(ROOM)
        tolerant(scene)
    assert [ear.seqs(ROOM) for ear in ears] == [[1, 2, 3]] * len(ears)


def test_a_form_that_cannot_be_encoded_harms_no_other_form(scene: Scene) -> None:
    def broken(event: LogEvent) -> bytes:
        raise ValueError("a bug of one dialect")

    ear = scene.live(ROOM)
    scene.live(ROOM, 3, Serializer("broken", broken, bytes))
    for _ in range(3):
        scene.say(ROOM)
        tolerant(scene)
    assert ear.seqs(ROOM) == [1, 2, 3]


def tolerant(scene: Scene) -> None:
    """Step as asyncio does, which logs what a callback raises and goes on."""
    for _ in range(4):
        try:
            scene.settle()
        except (RuntimeError, ValueError):
            continue
        return


def test_who_subscribes_while_something_waits_hears_it_by_its_position_alone(scene: Scene) -> None:
    first = scene.live(ROOM)
    scene.say(ROOM, 2)
    at_head = scene.ear(3).hear(ROOM, 2)
    behind = scene.ear(4).hear(ROOM, 1)
    assert first.seqs(ROOM) == [1, 2], "written before the change of who hears it"
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert (first.seqs(ROOM), at_head.seqs(ROOM), behind.seqs(ROOM)) == ([1, 2, 3], [3], [2, 3])


def test_who_unsubscribes_while_something_waits_hears_that_and_no_more(scene: Scene) -> None:
    ear, other = scene.live(ROOM), scene.live(ROOM, 3)
    scene.say(ROOM)
    scene.hub.unsubscribe(ear.subscriber, ROOM)
    scene.say(ROOM)
    scene.settle()
    assert (ear.seqs(ROOM), other.seqs(ROOM)) == ([1], [1, 2])


def test_subscribing_again_moves_the_position(scene: Scene) -> None:
    ear = scene.live(ROOM)
    scene.say(ROOM, 3)
    scene.settle()
    ear.hear(ROOM, 1)
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert ear.seqs(ROOM) == [1, 2, 3, 2, 3, 4]


def test_a_detached_connection_hears_nothing(scene: Scene) -> None:
    ear = scene.live(ROOM)
    ear.hear(OTHER)
    ear.leave()
    scene.say(ROOM)
    scene.say(OTHER)
    scene.settle()
    assert (ear.writes, scene.hub.log_ids(), scene.hub.subscribers(2)) == ([], [], [])


def test_detaching_is_harmless_twice(scene: Scene) -> None:
    ear = scene.live(ROOM)
    ear.leave()
    ear.leave()


def test_one_who_joins_hears_their_own_joining_first(scene: Scene) -> None:
    scene.live(ROOM)
    ear = scene.ear(3)
    scene.settle()
    scene.say(ROOM, 2)
    scene.hub.deliver([*scene.store.joined(ROOM, 3), scene.store.add(ROOM)])
    scene.settle()
    assert ear.seqs(ROOM) == [3, 4]
    assert ear.told[0] == ("joined", ROOM, 2)


def test_all_connections_of_one_who_joins_hear_the_room(scene: Scene) -> None:
    phone, desk = scene.ear(3), scene.ear(3)
    scene.hub.deliver(scene.store.joined(ROOM, 3))
    scene.settle()
    assert phone.seqs(ROOM) == desk.seqs(ROOM) == [1]


def test_nothing_after_the_kick_reaches_the_kicked(scene: Scene) -> None:
    kicked, stays = scene.live(ROOM, 3), scene.live(ROOM, 4)
    before, kick, after = scene.store.add(ROOM), scene.store.left(ROOM, 3), scene.store.add(ROOM)
    scene.hub.deliver([before, *kick, after])
    scene.say(ROOM)
    scene.settle()
    assert kicked.seqs(ROOM) == [1, 2]
    assert stays.seqs(ROOM) == [1, 2, 3, 4]
    assert kicked.told[-1] == ("removed", ROOM, 2)


def test_nothing_after_the_kick_reaches_one_who_is_behind(scene: Scene) -> None:
    scene.store.fill(ROOM, 10)
    scene.live(ROOM, 4)
    kicked = scene.ear(3).hear(ROOM, 0)
    scene.turn()
    assert scene.store.questions, "a page is being read"
    scene.hub.deliver([*scene.store.left(ROOM, 3), scene.store.add(ROOM)])
    scene.settle()
    assert kicked.writes == []


def test_out_and_in_again_in_one_batch(scene: Scene) -> None:
    ear = scene.live(ROOM, 3)
    scene.hub.deliver([*scene.store.left(ROOM, 3), scene.store.add(ROOM), *scene.store.joined(ROOM, 3)])
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert ear.seqs(ROOM) == [1, 3, 4]


@pytest.mark.parametrize(
    ("ended", "kept", "gone"), [("s1", None, {"s1"}), (None, "s1", {"s2"}), (None, None, {"s1", "s2"})]
)
def test_sessions_that_end_take_their_connections_along(
    scene: Scene, ended: str | None, kept: str | None, gone: set[str]
) -> None:
    ears = {name: scene.ear(3, session=name) for name in ("s1", "s2")}
    stranger = scene.ear(4, session="s1")
    scene.settle()
    scene.hub.deliver([scene.store.ended(3, ended, kept)])
    assert {name for name, ear in ears.items() if ear.told} == gone
    assert not stranger.told


def test_online_names_each_person_once(scene: Scene) -> None:
    for account_id in (3, 2, 3):
        scene.live(ROOM, account_id)
    assert [person.id for person in scene.hub.online(ROOM)] == [2, 3]
    assert scene.hub.online(OTHER) == []


def test_rooms_do_not_mix(scene: Scene) -> None:
    one, other = scene.live(ROOM), scene.live(OTHER, 3)
    both = scene.live(ROOM, 4).hear(OTHER, 0)
    scene.settle()
    scene.hub.deliver([scene.store.add(ROOM), scene.store.add(OTHER), scene.store.add(ROOM)])
    scene.settle()
    assert one.heard == [(ROOM, 1), (ROOM, 2)]
    assert other.heard == [(OTHER, 1)]
    assert sorted(both.heard) == [(ROOM, 1), (ROOM, 2), (OTHER, 1)]
