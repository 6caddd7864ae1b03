"""Every interleaving that hypothesis can think of: no subscriber hears an entry twice, or misses one.

To the rules of any hub come subscribers that subscribe anywhere, whether or not they are members, and members who come
and go. Each ear checks at every write; at the end, after comparisons of heads, everybody has everything. Joins and
leaves of rooms that nobody subscribes show that the own log takes effect once and in order.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from veche.core.membership import RoomEntered, RoomExited

from .harness import Scene
from .machine import ACCOUNTS, LOGS, Checked, Machine, accounts, bounded, logs, losses, sessions, which

FIRST_ELSEWHERE = 100  # rooms from here up are never subscribed


class Anywhere(Checked):
    """Subscribes what the machine says, and the rooms that it joins."""

    def joined(self, room_id: int, after: int) -> None:
        if room_id < FIRST_ELSEWHERE:
            super().joined(room_id, after)
        else:
            self.told.append(("joined", room_id))

    def removed(self, room_id: int, seq: int) -> None:
        if room_id < FIRST_ELSEWHERE:
            super().removed(room_id, seq)
        else:
            self.told.append(("removed", room_id))

    def elsewhere(self) -> list[tuple[str, int]]:
        """What it was told about rooms that it never subscribes."""
        return [told for told in self.told if told[0] in ("joined", "removed") and told[1] >= FIRST_ELSEWHERE]

    def expected_elsewhere(self) -> list[tuple[str, int]]:
        if not self.begun:
            return []
        entered = [("joined", event.room.id, event.seq) for event in self.own_log if isinstance(event, RoomEntered)]
        exited = [("removed", event.room_id, event.seq) for event in self.own_log if isinstance(event, RoomExited)]
        changes = sorted(entered + exited, key=lambda change: change[2])
        return [(name, room_id) for name, room_id, _ in changes if room_id >= FIRST_ELSEWHERE]


class Interleavings(Machine[Anywhere]):
    @initialize(before=st.integers(0, 3), ears=st.integers(1, 3))
    def begin(self, before: int, ears: int) -> None:
        self.rooms = FIRST_ELSEWHERE
        for log_id in LOGS:
            self.scene.store.fill(log_id, before)
        for index in range(ears):
            self.connect(ACCOUNTS[index % 2], "s", bool(index % 2))
            self.ears[-1].look()
            self.ears[-1].start()
            self.ears[-1].hear(LOGS[0], before)

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
            self.ears.append(Anywhere(self.scene, account_id, session, framed=framed))

    @rule(index=which, log_id=logs, back=st.integers(0, 6), at_head=st.booleans())
    def subscribe(self, index: int, log_id: int, back: int, at_head: bool) -> None:
        head = self.scene.store.head(log_id)
        for ear in self.chosen(self.present, index):
            ear.hear(log_id, None if at_head and not back else max(0, head - back))

    @rule(index=which, log_id=logs)
    def unsubscribe(self, index: int, log_id: int) -> None:
        for ear in self.chosen(self.present, index):
            ear.deafen(log_id)

    def check(self, ear: Anywhere) -> None:
        super().check(ear)
        assert ear.elsewhere() == ear.expected_elsewhere()


Interleavings.TestCase.settings = bounded(100, 40)
test_interleavings = Interleavings.TestCase


def test_the_ear_that_judges_is_not_deaf() -> None:
    """The checker's own check: a repeat, a hole, and a stranger's entry are each seen."""
    scene = Scene()
    with scene.turns.running():
        ear = Checked(scene, 2, "s", framed=False).hear(1, 0)
        assert isinstance(ear.subscriber.listener, Checked)
        ear.write(b"1:1 ")
        for wrong in (b"1:1 ", b"1:3 ", b"2:1 "):
            try:
                ear.write(wrong)
            except AssertionError:
                continue
            raise RuntimeError(f"{wrong!r} went unnoticed")
