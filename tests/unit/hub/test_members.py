"""Members join, leave and are removed in every interleaving: only members receive the entries of a room.

A resident subscribes to all rooms of its account, as native does, from the heads in the snapshot of its memberships. A
visitor checks one membership and subscribes later, as the dialects of one room do. Neither ever receives an entry that
was committed while its account was not a member, even if announcements are late or lost.
"""

from __future__ import annotations

from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from veche.core.membership import MemberJoined, MemberLeft

from .harness import Scene
from .machine import ACCOUNTS, LOGS, Checked, Machine, accounts, bounded, losses, sessions, which


def is_member(scene: Scene, room_id: int, account_id: int, seq: int | None = None) -> bool:
    """Return whether an account is a member of a room now, or was one after entry `seq`."""
    log = scene.store.logs.get(room_id, [])[:seq]
    changes = [event for event in log if isinstance(event, MemberJoined | MemberLeft) and event.person.id == account_id]
    return bool(changes) and isinstance(changes[-1], MemberJoined)


def is_for(scene: Scene, room_id: int, account_id: int, seq: int) -> bool:
    """Return whether an account may receive an entry: its own join, its own leave, and all entries between."""
    return is_member(scene, room_id, account_id, seq) or is_member(scene, room_id, account_id, seq - 1)


def left_with(scene: Scene, room_id: int, account_id: int) -> int:
    """Return the seq of the last entry with which an account left a room, or 0."""
    gone = [e for e in scene.store.logs.get(room_id, []) if isinstance(e, MemberLeft) and e.person.id == account_id]
    return gone[-1].seq if gone else 0


rooms = st.sampled_from((*LOGS, LOGS[0], LOGS[0]))
some_turns = st.sampled_from([0, 0, 1, 3])


class Member(Checked):
    resident: ClassVar[bool]

    def __init__(self, scene: Scene, account_id: int, session: str, *, framed: bool) -> None:
        # The head of each room in the snapshot that showed the account as a member.
        self.seen: dict[int, int] = {}
        self.account_id = account_id
        super().__init__(scene, account_id, session, framed=framed)

    def write(self, data: bytes) -> None:
        for log_id, seq in (map(int, word.split(b":")) for word in data.replace(b"<", b"").replace(b">", b"").split()):
            fresh = seq > self.seen.get(log_id, 0)
            assert not fresh or is_for(self.scene, log_id, self.account_id, seq), (
                f"the account was no member at {log_id}:{seq}"
            )
        super().write(data)

    def shows(self, room_id: int) -> bool:
        """Check the membership, and remember the head of the room."""
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
        """Subscribe to the rooms of the snapshot."""
        if self.own_seq is not None and not self.begun:
            for room_id, head in self.seen.items():
                self.subscribe(room_id, max(0, head - back), head)
            super().start()

    def start(self) -> None:
        self.enter(0)

    def joined(self, room_id: int, after: int) -> None:
        self.seen.pop(room_id, None)
        super().joined(room_id, after)


class Visitor(Member):
    resident = False

    def __init__(self, scene: Scene, account_id: int, session: str, *, framed: bool) -> None:
        self.checked: set[int] = set()  # rooms whose membership was checked, and that are not subscribed yet
        self.inside: set[int] = set()
        super().__init__(scene, account_id, session, framed=framed)
        self.look()
        self.start()

    def visit(self, room_id: int) -> None:
        if self.begun and room_id not in self.inside and self.shows(room_id):
            self.checked.add(room_id)

    def enter(self, back: int) -> None:
        """Subscribe to the checked rooms: after an entry up to the head of the check, or after the current head."""
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
            self.next.setdefault(log_id, seq)  # written during the call of `subscribe`
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
            self.connections[-2].start()
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
        """A member leaves, and the others send messages."""
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
            self.connections.append(kind(self.scene, account_id, session, framed=framed))

    @rule(index=which, back=st.integers(0, 4), looks=st.booleans(), turns=some_turns)
    def enter(self, index: int, back: int, looks: bool, turns: int) -> None:
        for connection in self.chosen(
            [connection for connection in self.present if isinstance(connection, Resident) and not connection.begun],
            index,
        ):
            if looks:
                connection.look()
            connection.enter(back)
        self.let_it_work(turns)

    @rule(index=which, room_id=rooms)
    def visit(self, index: int, room_id: int) -> None:
        for connection in self.chosen(
            [connection for connection in self.present if isinstance(connection, Visitor)], index
        ):
            connection.visit(room_id)

    @rule(index=which, room_id=rooms, visits=st.booleans(), back=st.integers(0, 4), turns=some_turns)
    def enter_visited(self, index: int, room_id: int, visits: bool, back: int, turns: int) -> None:
        for connection in self.chosen(
            [connection for connection in self.present if isinstance(connection, Visitor)], index
        ):
            if visits:
                connection.visit(room_id)
            connection.enter(back)
        self.let_it_work(turns)

    def check(self, connection: Member) -> None:
        super().check(connection)
        subscribed = set(connection.subscriber.subscriptions)
        rooms = {room_id for room_id in LOGS if is_member(self.scene, room_id, connection.account_id)}
        if isinstance(connection, Visitor):
            assert subscribed == connection.inside, "a wrong or a missing call of `removed`"
            out = {
                room_id
                for room_id in subscribed
                if left_with(self.scene, room_id, connection.account_id) > connection.seen[room_id]
            }
            assert not out, "subscribed to a room that its account has left"
        elif connection.begun:
            assert subscribed == rooms


Memberships.TestCase.settings = bounded(300, 50)
test_memberships = Memberships.TestCase
