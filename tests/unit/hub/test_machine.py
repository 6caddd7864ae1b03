"""In every interleaving that hypothesis finds, no subscriber receives an entry twice or misses one.

To the shared rules this adds subscribers that subscribe to any log, whether or not they are members, and members who
join and leave. Each connection checks every write. At the end, after comparisons of heads, it has received everything.
Joins and leaves of rooms without subscribers show that the own log takes effect once and in order.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from veche.core.membership import RoomEntered, RoomExited

from .harness import Scene
from .machine import ACCOUNTS, LOGS, Checked, Machine, accounts, bounded, logs, losses, sessions, which

FIRST_ELSEWHERE = 100  # nobody subscribes to rooms with this id or a higher one


class Anywhere(Checked):
    """Subscribes to the logs that the machine chooses, and to the rooms that its account joins."""

    def joined(self, room_id: int, after: int) -> None:
        if room_id < FIRST_ELSEWHERE:
            super().joined(room_id, after)
        else:
            self.calls.append(("joined", room_id))

    def removed(self, room_id: int, seq: int) -> None:
        if room_id < FIRST_ELSEWHERE:
            super().removed(room_id, seq)
        else:
            self.calls.append(("removed", room_id))

    def elsewhere(self) -> list[tuple[str, int]]:
        """The calls about rooms that it never subscribes to."""
        return [call for call in self.calls if call[0] in ("joined", "removed") and call[1] >= FIRST_ELSEWHERE]

    def expected_elsewhere(self) -> list[tuple[str, int]]:
        if not self.begun:
            return []
        entered = [("joined", event.room.id, event.seq) for event in self.own_log if isinstance(event, RoomEntered)]
        exited = [("removed", event.room_id, event.seq) for event in self.own_log if isinstance(event, RoomExited)]
        changes = sorted(entered + exited, key=lambda change: change[2])
        return [(name, room_id) for name, room_id, _ in changes if room_id >= FIRST_ELSEWHERE]


class Interleavings(Machine[Anywhere]):
    @initialize(before=st.integers(0, 3), connections=st.integers(1, 3))
    def begin(self, before: int, connections: int) -> None:
        self.rooms = FIRST_ELSEWHERE
        for log_id in LOGS:
            self.scene.store.fill(log_id, before)
        for index in range(connections):
            self.connect(ACCOUNTS[index % 2], "s", bool(index % 2))
            self.connections[-1].look()
            self.connections[-1].start()
            self.connections[-1].subscribe(LOGS[0], before)

    @rule(log_id=logs, account_id=accounts, lost=losses)
    def put_out(self, log_id: int, account_id: int, lost: tuple[int, ...]) -> None:
        self.fly(self.scene.store.left(log_id, account_id), lost)

    @rule(log_id=logs, account_id=accounts, lost=losses)
    def bring_in(self, log_id: int, account_id: int, lost: tuple[int, ...]) -> None:
        self.fly(self.scene.store.joined(log_id, account_id), lost)

    @rule(account_id=accounts, stays=st.booleans(), lost=losses)
    def come_and_go_elsewhere(self, account_id: int, stays: bool, lost: tuple[int, ...]) -> None:
        self.rooms += 1
        self.fly(self.scene.store.joined(self.rooms, account_id), lost)
        if not stays:
            self.fly(self.scene.store.left(self.rooms, account_id), lost)

    @rule(account_id=accounts, session=sessions, framed=st.booleans())
    def connect(self, account_id: int, session: str, framed: bool) -> None:
        if len(self.present) < 4:
            self.connections.append(Anywhere(self.scene, account_id, session, framed=framed))

    @rule(index=which, log_id=logs, back=st.integers(0, 6), at_head=st.booleans())
    def subscribe(self, index: int, log_id: int, back: int, at_head: bool) -> None:
        head = self.scene.store.head(log_id)
        for connection in self.chosen(self.present, index):
            connection.subscribe(log_id, None if at_head and not back else max(0, head - back))

    @rule(index=which, log_id=logs)
    def unsubscribe(self, index: int, log_id: int) -> None:
        for connection in self.chosen(self.present, index):
            connection.unsubscribe(log_id)

    def check(self, connection: Anywhere) -> None:
        super().check(connection)
        assert connection.elsewhere() == connection.expected_elsewhere()


Interleavings.TestCase.settings = bounded(100, 40)
test_interleavings = Interleavings.TestCase


def test_the_check_finds_each_kind_of_wrong_entry() -> None:
    """A repeat, a gap, and an entry of another log."""
    scene = Scene()
    with scene.turns.running():
        connection = Checked(scene, 2, "s", framed=False).subscribe(1, 0)
        assert isinstance(connection.subscriber.listener, Checked)
        connection.write(b"1:1 ")
        for wrong in (b"1:1 ", b"1:3 ", b"2:1 "):
            try:
                connection.write(wrong)
            except AssertionError:
                continue
            raise RuntimeError(f"{wrong!r} went unnoticed")
