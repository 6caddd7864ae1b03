"""Live subscriptions: order, one write for each turn, one encoding, slices of large rooms, and when writes end."""

from __future__ import annotations

import pytest

from veche.core.event import LogEvent
from veche.hub import fanout
from veche.hub.serializer import Serializer
from veche.hub.topic import BYTES_PER_TURN

from .harness import BULKY, FRAMED, PLAIN, Scene

ROOM, OTHER = 1, 2


def test_entries_arrive_in_order_and_once(scene: Scene) -> None:
    connection = scene.live(ROOM)
    for _ in range(3):
        scene.say(ROOM, 2)
        scene.turn()
    assert connection.seqs(ROOM) == [1, 2, 3, 4, 5, 6]


def test_what_was_announced_twice_is_written_once(scene: Scene) -> None:
    connection = scene.live(ROOM)
    events = scene.say(ROOM, 3)
    scene.hub.receive(events)
    scene.turn()
    scene.hub.receive(events)
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2, 3]


def test_a_turn_is_one_write_however_many_batches_it_brought(scene: Scene) -> None:
    connection = scene.live(ROOM)
    scene.say(ROOM, 2)
    scene.say(ROOM, 3)
    assert connection.writes == []
    scene.turn()
    assert len(connection.writes) == 1
    assert connection.seqs(ROOM) == [1, 2, 3, 4, 5]


def test_a_room_whose_writes_took_long_rests_as_long_and_joins_what_comes_meanwhile(scene: Scene) -> None:
    connection = scene.connect()
    connection.subscriber.write = lambda data: (
        connection.write(data),
        setattr(scene.turns, "now", scene.turns.now + 0.004),
    )
    connection.subscribe(ROOM)
    quick = scene.live(OTHER, 3)
    scene.settle()
    scene.say(ROOM)
    scene.turn()
    assert connection.seqs(ROOM) == [1]
    for _ in range(3):
        scene.say(ROOM)
        scene.say(OTHER)
        scene.turn()
    assert connection.seqs(ROOM) == [1], "it rests"
    assert quick.seqs(OTHER) == [1, 2, 3], "other rooms go on"
    scene.turns.now += 0.004
    scene.turn()
    assert (connection.seqs(ROOM), len(connection.writes)) == ([1, 2, 3, 4], 2)


def test_a_room_that_rests_still_writes_before_somebody_leaves(scene: Scene) -> None:
    connection = scene.connect()
    connection.subscriber.write = lambda data: (
        connection.write(data),
        setattr(scene.turns, "now", scene.turns.now + 0.004),
    )
    connection.subscribe(ROOM)
    scene.settle()
    scene.say(ROOM)
    scene.turn()
    scene.say(ROOM)
    scene.turn()
    assert connection.seqs(ROOM) == [1], "it rests"
    scene.hub.unsubscribe(connection.subscriber, ROOM)
    assert connection.seqs(ROOM) == [1, 2]


def test_a_turn_is_cut_by_its_size(scene: Scene) -> None:
    connection = scene.live(ROOM, serializer=BULKY)
    scene.say(ROOM, 12, "x" * 16_000)
    scene.turn()
    assert 0 < len(connection.writes[0]) < BYTES_PER_TURN + 20_000
    scene.settle()
    assert connection.seqs(ROOM) == list(range(1, 13))


def test_an_entry_is_encoded_once_for_all_of_a_serializer(scene: Scene) -> None:
    connections = [scene.live(ROOM, account_id) for account_id in range(2, 52)]
    before = scene.hub.encode_count
    scene.say(ROOM, 4)
    scene.turn()
    assert scene.hub.encode_count - before == 4
    assert all(connection.seqs(ROOM) == [1, 2, 3, 4] for connection in connections)
    assert len({id(connection.writes[0]) for connection in connections}) == 1, "the same bytes, not copies of them"


def test_forms_that_differ_in_framing_alone_share_the_encoding(scene: Scene) -> None:
    plain, framed = scene.live(ROOM, 2, PLAIN), scene.live(ROOM, 3, FRAMED)
    before = scene.hub.encode_count
    scene.say(ROOM, 2)
    scene.turn()
    assert scene.hub.encode_count - before == 2
    assert (plain.writes, framed.writes) == ([b"1:1 1:2 "], [b"<1:1 ><1:2 >"])


def test_what_a_form_does_not_show_counts_all_the_same(scene: Scene) -> None:
    connection = scene.live(ROOM)
    scene.say(ROOM, text="hidden")
    scene.turn()
    assert connection.writes == []
    scene.say(ROOM)
    scene.turn()
    assert connection.seqs(ROOM) == [2]


def test_a_room_of_thousands_is_written_in_slices_and_keeps_its_order(scene: Scene) -> None:
    connections = [scene.connect(account_id).subscribe(ROOM) for account_id in range(2, 2502)]
    scene.settle()
    scene.say(ROOM)
    scene.turn()
    assert sum(len(connection.writes) for connection in connections) == fanout.WRITES_PER_TURN
    scene.say(ROOM)
    scene.turn()
    assert sum(len(connection.writes) for connection in connections) == 2 * fanout.WRITES_PER_TURN
    scene.settle()
    assert all(connection.seqs(ROOM) == [1, 2] for connection in connections)


def test_whoever_leaves_between_two_slices_is_written_nothing_more(scene: Scene) -> None:
    connections = [scene.connect(account_id).subscribe(ROOM) for account_id in range(2, 1502)]
    scene.settle()
    scene.say(ROOM)
    scene.turn()
    waiting = next(connection for connection in connections if not connection.writes)
    waiting.leave()
    before = list(waiting.writes)  # entries announced before may be written before
    scene.say(ROOM)
    scene.settle()
    assert waiting.writes == before, (
        "written after the connection has left: after its close frame, or to a closed transport"
    )
    assert {tuple(connection.seqs(ROOM)) for connection in connections if connection is not waiting} == {(1, 2)}


def test_a_transport_that_refuses_a_write_harms_nobody_else(scene: Scene) -> None:
    connections = [scene.connect(account_id).subscribe(ROOM) for account_id in range(2, 12)]
    scene.settle()

    def refuse(data: bytes) -> None:
        raise RuntimeError("the handler is closed")

    broken = scene.connect(99)
    broken.subscriber.write = refuse
    broken.subscribe(ROOM)
    scene.settle()
    for _ in range(3):
        scene.say(ROOM)
        tolerant(scene)
    assert [connection.seqs(ROOM) for connection in connections] == [[1, 2, 3]] * len(connections)


def test_a_form_that_cannot_be_encoded_harms_no_other_form(scene: Scene) -> None:
    def broken(event: LogEvent) -> bytes:
        raise ValueError("a bug of one dialect")

    connection = scene.live(ROOM)
    scene.live(ROOM, 3, Serializer("broken", broken, bytes))
    for _ in range(3):
        scene.say(ROOM)
        tolerant(scene)
    assert connection.seqs(ROOM) == [1, 2, 3]


def tolerant(scene: Scene) -> None:
    """Step like asyncio, which logs an exception of a callback and goes on."""
    for _ in range(4):
        try:
            scene.settle()
        except (RuntimeError, ValueError):
            continue
        return


def test_who_subscribes_while_something_waits_receives_it_by_its_position_alone(scene: Scene) -> None:
    first = scene.live(ROOM)
    scene.say(ROOM, 2)
    at_head = scene.connect(3).subscribe(ROOM, 2)
    behind = scene.connect(4).subscribe(ROOM, 1)
    assert first.seqs(ROOM) == [1, 2], "written before the subscriptions change"
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert (first.seqs(ROOM), at_head.seqs(ROOM), behind.seqs(ROOM)) == ([1, 2, 3], [3], [2, 3])


def test_who_unsubscribes_while_something_waits_receives_that_and_no_more(scene: Scene) -> None:
    connection, other = scene.live(ROOM), scene.live(ROOM, 3)
    scene.say(ROOM)
    scene.hub.unsubscribe(connection.subscriber, ROOM)
    scene.say(ROOM)
    scene.settle()
    assert (connection.seqs(ROOM), other.seqs(ROOM)) == ([1], [1, 2])


def test_subscribing_again_moves_the_position(scene: Scene) -> None:
    connection = scene.live(ROOM)
    scene.say(ROOM, 3)
    scene.settle()
    connection.subscribe(ROOM, 1)
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert connection.seqs(ROOM) == [1, 2, 3, 2, 3, 4]


def test_a_detached_connection_receives_nothing(scene: Scene) -> None:
    connection = scene.live(ROOM)
    connection.subscribe(OTHER)
    connection.leave()
    scene.say(ROOM)
    scene.say(OTHER)
    scene.settle()
    assert (connection.writes, scene.hub.log_ids(), scene.hub.subscribers(2)) == ([], [], [])


def test_detaching_is_harmless_twice(scene: Scene) -> None:
    connection = scene.live(ROOM)
    connection.leave()
    connection.leave()


def test_one_who_joins_receives_their_own_join_first(scene: Scene) -> None:
    scene.live(ROOM)
    connection = scene.connect(3)
    scene.settle()
    scene.say(ROOM, 2)
    scene.hub.receive([*scene.store.joined(ROOM, 3), scene.store.add(ROOM)])
    scene.settle()
    assert connection.seqs(ROOM) == [3, 4]
    assert connection.calls[0] == ("joined", ROOM, 2)


def test_all_connections_of_one_who_joins_receive_the_room(scene: Scene) -> None:
    phone, desk = scene.connect(3), scene.connect(3)
    scene.hub.receive(scene.store.joined(ROOM, 3))
    scene.settle()
    assert phone.seqs(ROOM) == desk.seqs(ROOM) == [1]


def test_nothing_after_the_kick_reaches_the_kicked(scene: Scene) -> None:
    kicked, stays = scene.live(ROOM, 3), scene.live(ROOM, 4)
    before, kick, after = scene.store.add(ROOM), scene.store.left(ROOM, 3), scene.store.add(ROOM)
    scene.hub.receive([before, *kick, after])
    scene.say(ROOM)
    scene.settle()
    assert kicked.seqs(ROOM) == [1, 2]
    assert stays.seqs(ROOM) == [1, 2, 3, 4]
    assert kicked.calls[-1] == ("removed", ROOM, 2)


def test_nothing_after_the_kick_reaches_one_who_is_behind(scene: Scene) -> None:
    scene.store.fill(ROOM, 10)
    scene.live(ROOM, 4)
    kicked = scene.connect(3).subscribe(ROOM, 0)
    scene.turn()
    assert scene.store.questions, "a page is being read"
    scene.hub.receive([*scene.store.left(ROOM, 3), scene.store.add(ROOM)])
    scene.settle()
    assert kicked.writes == []


def test_out_and_in_again_in_one_batch(scene: Scene) -> None:
    connection = scene.live(ROOM, 3)
    scene.hub.receive([*scene.store.left(ROOM, 3), scene.store.add(ROOM), *scene.store.joined(ROOM, 3)])
    scene.settle()
    scene.say(ROOM)
    scene.settle()
    assert connection.seqs(ROOM) == [1, 3, 4]


@pytest.mark.parametrize(
    ("ended", "kept", "gone"), [("s1", None, {"s1"}), (None, "s1", {"s2"}), (None, None, {"s1", "s2"})]
)
def test_sessions_that_end_take_their_connections_along(
    scene: Scene, ended: str | None, kept: str | None, gone: set[str]
) -> None:
    connections = {name: scene.connect(3, session=name) for name in ("s1", "s2")}
    stranger = scene.connect(4, session="s1")
    scene.settle()
    scene.hub.receive([scene.store.ended(3, ended, kept)])
    assert {name for name, connection in connections.items() if connection.calls} == gone
    assert not stranger.calls


def test_online_names_each_person_once(scene: Scene) -> None:
    for account_id in (3, 2, 3):
        scene.live(ROOM, account_id)
    assert [person.id for person in scene.hub.online(ROOM, 0, 9)] == [2, 3]
    assert [person.id for person in scene.hub.online(ROOM, 0, 1)] == [2]
    assert [person.id for person in scene.hub.online(ROOM, 2, 1)] == [3]
    assert scene.hub.online(OTHER, 0, 9) == []


def test_rooms_do_not_mix(scene: Scene) -> None:
    one, other = scene.live(ROOM), scene.live(OTHER, 3)
    both = scene.live(ROOM, 4).subscribe(OTHER, 0)
    scene.settle()
    scene.hub.receive([scene.store.add(ROOM), scene.store.add(OTHER), scene.store.add(ROOM)])
    scene.settle()
    assert one.received == [(ROOM, 1), (ROOM, 2)]
    assert other.received == [(OTHER, 1)]
    assert sorted(both.received) == [(ROOM, 1), (ROOM, 2), (OTHER, 1)]
