"""The rules that the state machines of the hub share: commits, announcements (some are lost), turns of the loop, reads
that are answered late or fail, sessions that end, and subscribers that leave, become slow and drain.
"""

from __future__ import annotations

import logging
from typing import Any, Generic, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.examples import examples
from veche.core.event import LogEvent
from veche.core.sessions import SessionsEnded
from veche.hub import fanout

from .harness import FRAMED, PLAIN, Connection, Scene

LOGS = (1, 2)
ACCOUNTS = (2, 3)
SESSIONS = ("s", "t")
WRITES_PER_TURN = 2  # so that the writes to three connections need more than one turn

logs = st.sampled_from(LOGS)
accounts = st.sampled_from(ACCOUNTS)
sessions = st.sampled_from(SESSIONS)
ends = st.sampled_from([("s", None), ("t", None), ("nobody's", None), (None, "s"), ("nobody's", None)])
which = st.integers(0, 7)
losses = st.sampled_from([(), (), (), (0,), (1,), (0, 1)])  # which of the announcements of a commit are lost


class Checked(Connection):
    """A connection that checks what it receives: of each subscribed log the next entry, and nothing of other logs.

    Like a dialect, it begins at the head of its own log in a snapshot that was read after it was attached.
    """

    def __init__(self, scene: Scene, account_id: int, session: str, *, framed: bool) -> None:
        self.next: dict[int, int | None] = {}
        self.gone = False
        self.scene = scene
        self.own_seq: int | None = None  # the head of the own log in the snapshot
        self.begun = False
        super().__init__(scene.hub, account_id, session, FRAMED if framed else PLAIN)

    @property
    def own_log(self) -> list[LogEvent]:
        """The entries of the own log after the snapshot."""
        return self.scene.store.logs.get(-self.subscriber.account.id, [])[self.own_seq :]

    def look(self) -> None:
        if self.own_seq is None:
            self.own_seq = self.scene.store.head(-self.subscriber.account.id)

    def start(self) -> None:
        if self.own_seq is not None and not self.begun:
            self.begun = True
            self.begin(self.own_seq)

    def subscribe(self, log_id: int, after: int | None = 0, promised: int = 0) -> Checked:
        super().subscribe(log_id, after, promised)
        self.next[log_id] = None if after is None else after + 1
        return self

    def write(self, data: bytes) -> None:
        assert not self.gone, "a write after the connection has left"
        for word in data.replace(b"<", b"").replace(b">", b"").split():
            log_id, seq = map(int, word.split(b":"))
            assert log_id in self.next, f"receives log {log_id}, to which it is not subscribed"
            expected = self.next[log_id]
            assert expected in (None, seq), f"receives {seq} of log {log_id}, but {expected} is next"
            self.next[log_id] = seq + 1
        self.scene.turns.now += self.scene.turns.cost
        super().write(data)

    def unsubscribe(self, log_id: int) -> None:
        self.hub.unsubscribe(self.subscriber, log_id)
        self.next.pop(log_id, None)

    def joined(self, room_id: int, after: int) -> None:
        assert self.begun, "a call before `begin`"
        assert room_id not in self.subscriber.subscriptions, "`joined` for a room that it is subscribed to"
        super().joined(room_id, after)

    def removed(self, room_id: int, seq: int) -> None:
        assert room_id not in self.subscriber.subscriptions, "`removed` before the subscription was ended"
        super().removed(room_id, seq)
        self.next.pop(room_id, None)

    def session_ended(self) -> None:
        assert self.begun, "a call before `begin`"
        assert self.session_has_ended(), "`session_ended`, but the session has not ended"
        super().session_ended()

    def session_has_ended(self) -> bool:
        ends = [event for event in self.own_log if isinstance(event, SessionsEnded)]
        return any(event.effects()[0].ends(self.subscriber.session_id) for event in ends)

    def leave(self) -> None:
        super().leave()
        self.gone = True


class Raise(logging.Handler):
    """Raises the exceptions that the hub logs. The hub goes on if a listener raises, but then the test must fail."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            raise record.exc_info[1]


ListenerT = TypeVar("ListenerT", bound=Checked)


class Machine(RuleBasedStateMachine, Generic[ListenerT]):
    """The shared rules. What hypothesis may draw never depends on what the hub did."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene(page=2)
        self.running = self.scene.turns.running()
        self.running.__enter__()
        self.connections: list[ListenerT] = []
        self.flying: list[LogEvent] = []  # entries that are committed and not yet announced
        self.raise_failures = Raise()
        logging.getLogger("veche.hub").addHandler(self.raise_failures)
        self.writes_per_turn, fanout.WRITES_PER_TURN = fanout.WRITES_PER_TURN, WRITES_PER_TURN

    def chosen(self, things: list[Any], index: int) -> list[Any]:
        """Return a list of one of the things, or an empty list if there are none."""
        return [things[index % len(things)]] if things else []

    @property
    def present(self) -> list[ListenerT]:
        return [connection for connection in self.connections if not connection.gone]

    def fly(self, events: list[LogEvent], lost: tuple[int, ...]) -> None:
        self.flying += [event for index, event in enumerate(events) if index not in lost]

    # The store and the bus.

    @rule(log_id=logs, count=st.integers(1, 3), lost=losses)
    def commit(self, log_id: int, count: int, lost: tuple[int, ...]) -> None:
        self.fly(self.scene.store.fill(log_id, count), lost)

    @rule(account_id=accounts, which=ends, lost=losses)
    def end_sessions(self, account_id: int, which: tuple[str | None, str | None], lost: tuple[int, ...]) -> None:
        self.fly([self.scene.store.ended(account_id, *which)], lost)

    def let_it_work(self, turns: int) -> None:
        """Announce all entries, and answer all reads in some turns, so that few subscriptions stay behind by chance."""
        if turns:
            self.announce(len(self.flying))
        for _ in range(turns):
            self.scene.turn()
            self.scene.store.answer()

    @rule(count=st.integers(1, 4))
    def announce(self, count: int) -> None:
        batch, self.flying = self.flying[:count], self.flying[count:]
        if batch:
            self.scene.hub.receive(batch)

    @rule(cost=st.sampled_from([0.0, 0.0, 0.004]))
    def take_time(self, cost: float) -> None:
        """Set the time that each write takes from now on. Topics with slow writes pause between turns."""
        self.scene.turns.cost = cost

    @rule()
    def wait(self) -> None:
        self.scene.turns.leap()

    @rule()
    def turn(self) -> None:
        self.scene.turn()

    @rule()
    def compare(self) -> None:
        self.scene.compare()

    @rule(index=which)
    def read(self, index: int) -> None:
        for question in self.chosen(self.scene.store.questions, index):
            question.read()

    @rule(index=which, failed=st.sampled_from([False] * 9 + [True]))
    def reply(self, index: int, failed: bool) -> None:
        for question in self.chosen(self.scene.store.questions, index):
            self.scene.store.questions.remove(question)
            question.reply(failed=failed)

    # Connections.

    @rule(index=which)
    def look(self, index: int) -> None:
        for connection in self.chosen(self.present, index):
            connection.look()

    @rule(index=which)
    def start(self, index: int) -> None:
        for connection in self.chosen(self.present, index):
            connection.start()

    @rule(index=which)
    def leave(self, index: int) -> None:
        for connection in self.chosen(self.present, index):
            connection.leave()

    @rule(index=which)
    def clog(self, index: int) -> None:
        for connection in self.chosen(self.present, index):
            connection.clogged = True

    @rule(index=which)
    def drain(self, index: int) -> None:
        for connection in self.chosen([connection for connection in self.present if connection.subscriber.slow], index):
            connection.drain()

    def teardown(self) -> None:
        try:
            self.come_to_rest()
            for connection in self.present:
                assert not (connection.begun and connection.session_has_ended()), (
                    "the session has ended, but the connection has not"
                )
                self.check(connection)
            assert not self.scene.store.questions
        finally:
            self.running.__exit__(None, None, None)
            fanout.WRITES_PER_TURN = self.writes_per_turn
            logging.getLogger("veche.hub").removeHandler(self.raise_failures)

    def come_to_rest(self) -> None:
        self.scene.hub.receive(self.flying)
        for connection in self.present:
            connection.drain()
        self.scene.settle()
        for _ in range(2):  # one finds the lost entries; the logs that these open may have lost entries too
            self.compare()
            self.scene.settle()

    def check(self, connection: ListenerT) -> None:
        """Check that a connection has received everything that it is subscribed to."""
        assert set(connection.subscriber.subscriptions) == set(connection.next)
        for log_id, subscription in connection.subscriber.subscriptions.items():
            assert subscription.live or subscription.seq == subscription.topic.live_seq
            head = self.scene.store.head(log_id)
            assert connection.next[log_id] in (None, head + 1), (
                f"entry {connection.next[log_id]} of log {log_id} is missing"
            )


def bounded(max_examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples(max_examples),
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),  # add Phase.shrink to find the shortest failing run, which takes minutes
        suppress_health_check=list(HealthCheck),
    )
