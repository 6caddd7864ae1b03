"""Every interleaving that hypothesis can think of: no subscriber hears an entry twice, or misses one.

The rules are what may happen in any order: commits, announcements (some are lost), turns of the loop, reads that look
early and answer late or fail, subscribers that come, go, subscribe anywhere, read slowly, and are put out of rooms.
Each ear checks at every write; at the end, after two comparisons of heads, everybody has everything.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from veche.core.events import LogEvent
from veche.hub import hub as hub_module

from .harness import FRAMED, PLAIN, Ear, Scene

LOGS = (1, 2)
ACCOUNTS = (2, 3)
SLICE = 2  # so that three ears are a crowd

logs = st.sampled_from(LOGS)
accounts = st.sampled_from(ACCOUNTS)
which = st.integers(0, 7)


class Checked(Ear):
    """Knows for each log what it must hear next, and that it must hear nothing of the others."""

    def __init__(self, scene: Scene, account_id: int, *, framed: bool) -> None:
        self.next: dict[int, int | None] = {}
        self.gone = False
        self.turns = scene.turns
        super().__init__(scene.hub, account_id, serializer=FRAMED if framed else PLAIN)

    def hear(self, log_id: int, after: int | None = 0) -> Checked:
        super().hear(log_id, after)
        self.next[log_id] = None if after is None else after + 1
        return self

    def write(self, data: bytes) -> None:
        assert not self.gone, "written to after it was gone"
        for word in data.replace(b"<", b"").replace(b">", b"").split():
            log_id, seq = map(int, word.split(b":"))
            assert log_id in self.next, f"hears {log_id}, which it does not listen to"
            expected = self.next[log_id]
            assert expected in (None, seq), f"hears {seq} of log {log_id} where {expected} is next"
            self.next[log_id] = seq + 1
        self.turns.now += self.turns.cost
        super().write(data)

    def deafen(self, log_id: int) -> None:
        self.hub.unsubscribe(self.subscriber, log_id)
        self.next.pop(log_id, None)

    def removed(self, room_id: int, seq: int) -> None:
        self.next.pop(room_id, None)

    def leave(self) -> None:
        super().leave()
        self.gone = True


class Interleavings(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene(page=2)
        self.running = self.scene.turns.running()
        self.running.__enter__()
        self.ears: list[Checked] = []
        self.flying: list[LogEvent] = []  # committed, not yet announced
        self.slice, hub_module.SLICE = hub_module.SLICE, SLICE

    def chosen(self, things: list[Any], index: int) -> list[Any]:
        """One of them, or none where there is none: what may be drawn never depends on what the hub did."""
        return [things[index % len(things)]] if things else []

    @property
    def present(self) -> list[Checked]:
        return [ear for ear in self.ears if not ear.gone]

    @initialize(before=st.integers(0, 3), ears=st.integers(1, 3))
    def begin(self, before: int, ears: int) -> None:
        for log_id in LOGS:
            self.scene.store.fill(log_id, before)
        for index in range(ears):
            self.connect(ACCOUNTS[index % 2], bool(index % 2))
            self.ears[-1].hear(LOGS[0], before)

    # The store and the bell.

    @rule(log_id=logs, count=st.integers(1, 3), lost=st.integers(0, 7))
    def commit(self, log_id: int, count: int, lost: int) -> None:
        for index, event in enumerate(self.scene.store.fill(log_id, count)):
            if lost != index:
                self.flying.append(event)

    @rule(log_id=logs, account_id=accounts)
    def put_out(self, log_id: int, account_id: int) -> None:
        self.flying.append(self.scene.store.left(log_id, account_id))

    @rule(log_id=logs, account_id=accounts)
    def bring_in(self, log_id: int, account_id: int) -> None:
        self.flying.append(self.scene.store.joined(log_id, account_id))

    @rule(count=st.integers(1, 4))
    def announce(self, count: int) -> None:
        batch, self.flying = self.flying[:count], self.flying[count:]
        if batch:
            self.scene.hub.deliver(batch)

    @rule(cost=st.sampled_from([0.0, 0.0, 0.004]))
    def take_time(self, cost: float) -> None:
        """What each write takes from now on: rooms that cost much rest between turns."""
        self.scene.turns.cost = cost

    @rule()
    def wait(self) -> None:
        self.scene.turns.leap()

    @rule()
    def turn(self) -> None:
        self.scene.turn()

    @rule()
    def compare(self) -> None:
        self.scene.hub.compare([(log_id, self.scene.store.head(log_id)) for log_id in LOGS])

    @rule(index=which)
    def look(self, index: int) -> None:
        for question in self.chosen(self.scene.store.questions, index):
            question.read()

    @rule(index=which, failed=st.sampled_from([False] * 9 + [True]))
    def reply(self, index: int, failed: bool) -> None:
        for question in self.chosen(self.scene.store.questions, index):
            self.scene.store.questions.remove(question)
            question.reply(failed=failed)

    # Connections.

    @rule(account_id=accounts, framed=st.booleans())
    def connect(self, account_id: int, framed: bool) -> None:
        if len(self.present) < 4:
            self.ears.append(Checked(self.scene, account_id, framed=framed))

    @rule(index=which, log_id=logs, back=st.integers(0, 6), at_head=st.booleans())
    def subscribe(self, index: int, log_id: int, back: int, at_head: bool) -> None:
        head = self.scene.store.head(log_id)
        for ear in self.chosen(self.present, index):
            ear.hear(log_id, None if at_head and not back else max(0, head - back))

    @rule(index=which, log_id=logs)
    def unsubscribe(self, index: int, log_id: int) -> None:
        for ear in self.chosen(self.present, index):
            ear.deafen(log_id)

    @rule(index=which)
    def leave(self, index: int) -> None:
        for ear in self.chosen(self.present, index):
            ear.leave()

    @rule(index=which)
    def clog(self, index: int) -> None:
        for ear in self.chosen(self.present, index):
            ear.clogged = True

    @rule(index=which)
    def drain(self, index: int) -> None:
        for ear in self.chosen([ear for ear in self.present if ear.subscriber.slow], index):
            ear.drain()

    def teardown(self) -> None:
        try:
            self.end()
        finally:
            self.running.__exit__(None, None, None)
            hub_module.SLICE = self.slice

    def end(self) -> None:
        self.scene.hub.deliver(self.flying)
        for ear in self.present:
            ear.drain()
        self.scene.settle()
        for _ in range(2):
            self.compare()
            self.scene.settle()
        for ear in self.present:
            assert set(ear.subscriber.subscriptions) == set(ear.next)
            for log_id, subscription in ear.subscriber.subscriptions.items():
                assert subscription.live or subscription.seq == subscription.topic.delivered
                head = self.scene.store.head(log_id)
                assert ear.next[log_id] in (None, head + 1), f"misses what follows {ear.next[log_id]} of log {log_id}"
        assert not self.scene.store.questions


Interleavings.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),  # add Phase.shrink to look for the shortest way into a failure: it takes minutes
    suppress_health_check=list(HealthCheck),
)
test_interleavings = Interleavings.TestCase


def test_the_ear_that_judges_is_not_deaf() -> None:
    """The checker's own check: a repeat, a hole, and a stranger's entry are each seen."""
    scene = Scene()
    with scene.turns.running():
        ear = Checked(scene, 2, framed=False).hear(1, 0)
        assert isinstance(ear.subscriber.listener, Checked)
        ear.write(b"1:1 ")
        for wrong in (b"1:1 ", b"1:3 ", b"2:1 "):
            try:
                ear.write(wrong)
            except AssertionError:
                continue
            raise RuntimeError(f"{wrong!r} went unnoticed")
