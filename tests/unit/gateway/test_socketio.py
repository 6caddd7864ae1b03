"""Moving a subscriber from polling to a WebSocket: no entry is lost, repeated or reordered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.engineio.talk import FakeWebSocket

from veche.core.event import LogEvent
from veche.core.messages import Message
from veche.core.values import Person
from veche.gateway.socketio import Serializers, move
from veche.hub.hub import Hub
from veche.hub.serializer import Serializer
from veche.hub.topic import Subscriber
from veche.wire.engineio.connection import EngineConnection
from veche.wire.socketio import Ack, Namespaces, Socket, packets

ROOM = 7
OWN = -1
SERIALIZERS = Serializers.of(
    "socketio", lambda event: packets.event("message", event.seq) if type(event) is Message else None
)


class World:
    """A log, a hub that gets its entries, and one client that polls until it upgrades."""

    def __init__(self) -> None:
        self.log: list[LogEvent] = []
        self.replies: list[Any] = []
        self.hub = Hub(self.pull, self.heads)
        self.engine = EngineConnection(self, "SID", "127.0.0.1")
        self.got: list[str] = []
        self.websocket = FakeWebSocket(self.got)
        self.moves: list[bool] = []
        self.engine.application = Namespaces(self.engine, {"/": lambda: self})
        self.after: int | None = 0
        self.is_connected = asyncio.Event()

    def message(self) -> None:
        seq = len(self.log) + 1
        self.log.append(Message(ROOM, seq, 0, seq, ANN, "hi", None, "test", seq))
        self.hub.receive(self.log[-1:])

    # The storage.

    def pull(self, reply, log_id, after, upto, limit, party):
        page = self.log[after:upto][:limit]
        self.replies.append(lambda: reply(page))

    def heads(self, reply, log_ids):
        heads = {log_id: len(self.log) for log_id in log_ids}
        self.replies.append(lambda: reply(heads))

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
            replies, self.replies[:] = self.replies[:], []
            for reply in replies:
                reply()

    # The dialect.

    async def connect(self, socket: Socket, auth: dict[str, Any]) -> None:
        self.socket = socket

    def connected(self) -> None:
        self.subscriber = Subscriber(ANN, "session", self.socket.write, self)
        self.hub.attach(self.subscriber)
        self.hub.subscribe(self.subscriber, ROOM, SERIALIZERS.current(self.socket), self.after)
        self.is_connected.set()

    def event(self, name: str, data: list[Any], ack: Ack | None) -> None: ...

    def upgraded(self) -> None:
        self.moves.append(move(self.hub, self.subscriber, self.socket, SERIALIZERS))

    def caught_up(self, log_id: int) -> None:
        move(self.hub, self.subscriber, self.socket, SERIALIZERS)

    def paused(self) -> None:
        self.hub.mark_slow(self.subscriber)

    def resumed(self) -> None:
        self.hub.mark_drained(self.subscriber)

    def disconnected(self, reason: str) -> None:
        self.hub.detach(self.subscriber)

    def connected_world(self, event: Any) -> None: ...
    def removed(self, room_id: int, seq: int) -> None: ...
    def session_ended(self) -> None: ...
    def lost(self) -> None: ...

    # The host.

    def pong_received(self, session: EngineConnection) -> None: ...
    def entered(self, session: EngineConnection) -> None: ...
    def forget(self, session: EngineConnection) -> None: ...

    # The client.

    async def step(self, name: str) -> None:
        match name:
            case "message":
                self.message()
            case "turn":
                await asyncio.sleep(0)
            case "reply" if self.replies:
                self.replies.pop(0)()
            case "fill":
                self.engine.send(b"4" + b"x" * 600_000)
            case "poll" if not self.engine.on_websocket:
                self.polled()
            case "upgrade" if not self.engine.on_websocket:
                await asyncio.wait_for(self.is_connected.wait(), 5)
                self.engine.upgrade(self.websocket)

    def polled(self) -> None:
        self.got.extend(self.engine.take().decode().split("\x1e"))

    def numbers(self) -> list[int]:
        events = [line.removeprefix("ws<< ") for line in self.got]
        return [int(event[13:-1]) for event in events if event.startswith('42["message",')]


ANN = Person(1, "ann", "Ann")


@pytest.fixture
async def world():
    world = World()
    yield world
    world.engine.close()


async def connect(world: World) -> None:
    world.engine.received("40")
    await world.settle()


async def test_a_live_subscriber_moves(world):
    await connect(world)
    for _ in range(3):
        world.message()
    await world.settle()
    world.polled()
    world.message()  # announced, not yet written
    world.engine.upgrade(world.websocket)
    world.message()
    await world.settle()
    assert world.moves == [True]
    assert world.subscriber.write == world.websocket.write
    assert world.numbers() == [1, 2, 3, 4, 5]
    assert [subscription.serializer for subscription in world.subscriber.subscriptions.values()] == [
        SERIALIZERS.websocket
    ]


async def test_a_subscriber_that_is_behind_moves(world):
    for _ in range(500):
        world.message()
    world.engine.received("40")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    world.engine.upgrade(world.websocket)  # the head is asked for, no page has come
    world.message()
    await world.settle()
    assert world.numbers() == list(range(1, 502))


async def test_a_subscriber_moves_while_a_page_is_being_read(world):
    for _ in range(500):
        world.message()
    world.engine.received("40")
    for _ in range(3):
        await asyncio.sleep(0)
        replies, world.replies[:] = world.replies[:], []
        for reply in replies:
            reply()
    assert world.subscriber.reading_page
    world.engine.upgrade(world.websocket)
    await world.settle()
    assert world.numbers() == list(range(1, 501))


async def test_a_subscriber_moves_once_its_head_is_known(world):
    world.message()
    world.after = None
    world.engine.received("40")
    for _ in range(5):
        await asyncio.sleep(0)
    world.engine.upgrade(world.websocket)
    assert world.moves == [False]
    await world.settle()
    assert world.subscriber.write == world.websocket.write, "moved when it had caught up"
    world.message()
    await world.settle()
    assert world.numbers() == [2]


async def test_announced_entries_are_written_before_the_close(world):
    await connect(world)
    world.message()
    world.engine.close()
    world.polled()
    assert world.numbers() == [1]
    assert world.got[-1] == "1"


async def test_a_subscriber_that_never_moves_gets_everything(world):
    world.upgraded = lambda: None  # type: ignore[method-assign]
    await connect(world)
    world.message()
    await world.settle()
    world.engine.upgrade(world.websocket)
    for _ in range(3):
        world.message()
    await world.settle()
    assert world.numbers() == [1, 2, 3, 4]


async def test_a_slow_polling_client_is_behind_and_catches_up_after_the_upgrade(world):
    await connect(world)
    world.engine.queue(b"4" + b"x" * 1_100_000 + b"\x1e")
    assert world.subscriber.slow
    await world.settle()
    for _ in range(50):
        world.message()
    await world.settle()
    assert len(world.engine._outbox) == 2, "the answer to its entry, and what filled the outbox"
    world.engine.upgrade(world.websocket)
    await world.settle()
    assert world.numbers() == list(range(1, 51))
    assert not world.subscriber.slow


async def test_subscriptions_with_other_serializers_do_not_move(world):
    await connect(world)
    own = Serializer("own", lambda _: None, bytes)
    world.hub.subscribe(world.subscriber, OWN, own, None)
    world.engine.upgrade(world.websocket)
    assert world.moves == [True], "although the head of that log is not known yet"
    await world.settle()
    assert [subscriber.serializer for subscriber in world.subscriber.subscriptions.values()] == [
        own,
        SERIALIZERS.websocket,
    ]


async def test_a_move_keeps_since(world):
    await connect(world)
    for _ in range(3):
        world.message()
    await world.settle()
    assert world.subscriber.subscriptions[ROOM].since == 0
    world.engine.upgrade(world.websocket)
    await world.settle()
    assert world.moves == [True]
    assert world.subscriber.subscriptions[ROOM].since == 0, "a position proves no membership"
    assert world.numbers() == [1, 2, 3], "and is read again without being written"


STEPS = st.sampled_from(["message", "message", "turn", "turn", "reply", "poll", "fill", "upgrade"])


@given(st.lists(STEPS, max_size=40), st.integers(0, 450))
def test_nothing_is_lost_repeated_or_reordered(steps, before):
    asyncio.run(run_steps(steps, before))


async def run_steps(steps: list[str], before: int) -> None:
    world = World()
    for _ in range(before):
        world.message()
    world.engine.received("40")
    for step in [*steps, "upgrade"]:
        await world.step(step)
    await world.settle()
    assert world.numbers() == list(range(1, len(world.log) + 1))
    assert world.subscriber.write == world.websocket.write
    world.engine.close()
    assert not world.hub.log_ids()


async def test_one_encode_for_both_serializers(world):
    await connect(world)
    other = World()
    other.hub, other.log, other.replies = world.hub, world.log, world.replies
    await connect(other)
    other.engine.upgrade(other.websocket)
    await world.settle()
    before = world.hub.encode_count
    world.message()
    await world.settle()
    world.polled()
    assert world.hub.encode_count == before + 1
    assert world.numbers() == other.numbers() == [1]
    other.engine.close()
