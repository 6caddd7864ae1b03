"""Members join, leave, and are removed in every interleaving: who is a member hears the room, and nobody else does.

A resident hears every room that its account is in, from the snapshot of its membership on, as native does. A visitor
looks whether it is a member, and subscribes some time later, as the dialects of one room do. Neither is ever written
what was committed while its account was out, whatever is announced late, or not at all.
"""

from __future__ import annotations

from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from veche.core.membership import MemberJoined, MemberLeft

from .harness import Scene
from .machine import ACCOUNTS, LOGS, Checked, Machine, accounts, bounded, losses, sessions, which


def is_member(scene: Scene, room_id: int, account_id: int, seq: int | None = None) -> bool:
    """Whether somebody is in a room now, or once entry `seq` was there."""
    log = scene.store.logs.get(room_id, [])[:seq]
    changes = [event for event in log if isinstance(event, MemberJoined | MemberLeft) and event.person.id == account_id]
    return bool(changes) and isinstance(changes[-1], MemberJoined)


def is_for(scene: Scene, room_id: int, account_id: int, seq: int) -> bool:
    """Whether somebody may hear an entry: their own joining and leaving, and all between."""
    return is_member(scene, room_id, account_id, seq) or is_member(scene, room_id, account_id, seq - 1)


def left_with(scene: Scene, room_id: int, account_id: int) -> int:
    """The last entry with which somebody left a room."""
    gone = [e for e in scene.store.logs.get(room_id, []) if isinstance(e, MemberLeft) and e.person.id == account_id]
    return gone[-1].seq if gone else 0


rooms = st.sampled_from((*LOGS, LOGS[0], LOGS[0]))
some_turns = st.sampled_from([0, 0, 1, 3])


class Member(Checked):
    resident: ClassVar[bool]

    def __init__(self, scene: Scene, account_id: int, session: str, *, framed: bool) -> None:
        self.seen: dict[
            int, int
        ] = {}  # the head of each room of the account in the snapshot that showed it as a member
        self.account_id = account_id
        super().__init__(scene, account_id, session, framed=framed)

    def write(self, data: bytes) -> None:
        for log_id, seq in (map(int, word.split(b":")) for word in data.replace(b"<", b"").replace(b">", b"").split()):
            fresh = seq > self.seen.get(log_id, 0)
            assert not fresh or is_for(self.scene, log_id, self.account_id, seq), f"{log_id}:{seq} is not for it"
        super().write(data)

    def shows(self, room_id: int) -> bool:
        """Look whether it is a member, and remember the head."""
        if is_member(self.scene, room_id, self.account_id):
            self.seen[room_id] = self.scene.store.head(room_id)
        return room_id in self.seen


class Resident(Member):
    resident = True

    def look(self) -> None:
        if self.own_seq is None:
            for room_id in LOGS:
                self.shows(room_id)
        super().look()

    def enter(self, back: int) -> None:
        """Hear the rooms of the snapshot."""
        if self.own_seq is not None and not self.begun:
            for room_id, head in self.seen.items():
                self.hear(room_id, max(0, head - back), head)
            super().start()

    def start(self) -> None:
        self.enter(0)

    def joined(self, room_id: int, after: int) -> None:
        self.seen.pop(room_id, None)
        super().joined(room_id, after)


class Visitor(Member):
    resident = False

    def __init__(self, scene: Scene, account_id: int, session: str, *, framed: bool) -> None:
        self.checked: set[int] = set()  # rooms that it looked at and is about to subscribe
        self.inside: set[int] = set()
        super().__init__(scene, account_id, session, framed=framed)
        self.look()
        self.start()

    def visit(self, room_id: int) -> None:
        if self.begun and room_id not in self.inside and self.shows(room_id):
            self.checked.add(room_id)

    def enter(self, back: int) -> None:
        """Hear what it looked at: from then on, or from an entry of its own later on."""
        for room_id in sorted(self.checked):
            seen = self.seen[room_id]
            after = self.scene.store.head(room_id) if back == 1 else max(0, seen - back)
            self.hub.subscribe(self.subscriber, room_id, self.serializer, after, seen, since=seen)
            if room_id in self.subscriber.subscriptions:
                self.next.setdefault(room_id, after + 1)
            self.inside.add(room_id)
        self.checked.clear()

    def write(self, data: bytes) -> None:
        for word in data.replace(b"<", b"").replace(b">", b"").split():
            log_id, seq = map(int, word.split(b":"))
            self.next.setdefault(log_id, seq)  # within the call of subscribe
        super().write(data)

    def joined(self, room_id: int, after: int) -> None:
        assert self.begun

    def removed(self, room_id: int, seq: int) -> None:
        super().removed(room_id, seq)
        if seq > self.seen.get(room_id, 0):
            self.checked.discard(room_id)
            self.inside.discard(room_id)


class Memberships(Machine[Member]):
    @initialize(before=st.integers(0, 3))
    def begin(self, before: int) -> None:
        for room_id in LOGS:
            self.scene.store.fill(room_id, before)
            for account_id in ACCOUNTS:
                self.scene.store.joined(room_id, account_id)
        for account_id in ACCOUNTS:
            self.connect(account_id, "s", framed=False, resident=True)
            self.connect(account_id, "t", framed=True, resident=False)
            self.ears[-2].start()
        self.let_it_work(4)

    @rule(room_id=rooms, account_id=accounts, lost=losses, turns=some_turns)
    def come_or_go(self, room_id: int, account_id: int, lost: tuple[int, ...], turns: int) -> None:
        change = self.scene.store.left if is_member(self.scene, room_id, account_id) else self.scene.store.joined
        self.fly(change(room_id, account_id), lost)
        self.let_it_work(turns)

    @rule(room_id=rooms, account_id=accounts, count=st.integers(1, 2), lost=losses, turns=some_turns)
    def speak_behind_their_back(
        self, room_id: int, account_id: int, count: int, lost: tuple[int, ...], turns: int
    ) -> None:
        """Somebody goes, and the others talk about it."""
        if is_member(self.scene, room_id, account_id):
            self.fly(self.scene.store.left(room_id, account_id), lost)
        self.fly(self.scene.store.fill(room_id, count), ())
        self.let_it_work(turns)

    @rule(room_id=rooms, account_id=accounts, lost=losses, turns=some_turns)
    def out_and_in(self, room_id: int, account_id: int, lost: tuple[int, ...], turns: int) -> None:
        for _ in range(2):
            self.come_or_go(room_id, account_id, lost, 0)
        self.let_it_work(turns)

    @rule(account_id=accounts, session=sessions, framed=st.booleans(), resident=st.booleans())
    def connect(self, account_id: int, session: str, framed: bool, resident: bool) -> None:
        if len(self.present) < 6:
            kind = Resident if resident else Visitor
            self.ears.append(kind(self.scene, account_id, session, framed=framed))

    @rule(index=which, back=st.integers(0, 4), looks=st.booleans(), turns=some_turns)
    def enter(self, index: int, back: int, looks: bool, turns: int) -> None:
        for ear in self.chosen([ear for ear in self.present if isinstance(ear, Resident) and not ear.begun], index):
            if looks:
                ear.look()
            ear.enter(back)
        self.let_it_work(turns)

    @rule(index=which, room_id=rooms)
    def visit(self, index: int, room_id: int) -> None:
        for ear in self.chosen([ear for ear in self.present if isinstance(ear, Visitor)], index):
            ear.visit(room_id)

    @rule(index=which, room_id=rooms, visits=st.booleans(), back=st.integers(0, 4), turns=some_turns)
    def enter_visited(self, index: int, room_id: int, visits: bool, back: int, turns: int) -> None:
        for ear in self.chosen([ear for ear in self.present if isinstance(ear, Visitor)], index):
            if visits:
                ear.visit(room_id)
            ear.enter(back)
        self.let_it_work(turns)

    def check(self, ear: Member) -> None:
        super().check(ear)
        heard = set(ear.subscriber.subscriptions)
        rooms = {room_id for room_id in LOGS if is_member(self.scene, room_id, ear.account_id)}
        if isinstance(ear, Visitor):
            assert heard == ear.inside, "told of a removal that was none, or not told of one"
            out = {room_id for room_id in heard if left_with(self.scene, room_id, ear.account_id) > ear.seen[room_id]}
            assert not out, "hears a room that its account has left since"
        elif ear.begun:
            assert heard == rooms


Memberships.TestCase.settings = bounded(300, 50)
test_memberships = Memberships.TestCase
