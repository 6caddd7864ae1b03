"""An event loop that a test steps, logs whose reads a test answers, and connections that record what they receive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from veche.core.event import LogEvent
from veche.core.membership import MemberJoined, MemberLeft, RoomEntered, RoomExited
from veche.core.messages import Message
from veche.core.sessions import SessionsEnded
from veche.core.values import Kind, LogId, Person, Role, Room
from veche.hub.hub import Hub
from veche.hub.serializer import Serializer
from veche.hub.topic import Subscriber
from veche.storage.writer import Unannounced

Call = tuple[Callable[..., Any], tuple[Any, ...]]


class Turns:
    """The part of an event loop that the hub uses. Only a test and `leap` advance its clock."""

    def __init__(self) -> None:
        self.now = 1.0
        self.cost = 0.0  # seconds that a write takes; used by `machine.Checked`
        self._soon: list[Call] = []
        self._later: list[tuple[float, Call]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> None:
        self._soon.append((callback, args))

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any) -> None:
        self._later.append((when, (callback, args)))

    def turn(self) -> bool:
        due = [call for when, call in self._later if when <= self.now]
        self._later = [(when, call) for when, call in self._later if when > self.now]
        now, self._soon = due + self._soon, []
        for callback, args in now:
            callback(*args)
        return bool(now)

    def leap(self) -> bool:
        """Advance the clock to the next timer. Return whether there was one."""
        if self._later:
            self.now = max(self.now, min(when for when, _ in self._later))
        return bool(self._later)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make `asyncio.get_running_loop()` return this object. asyncio has the call for implementations of loops."""
        asyncio._set_running_loop(self)  # type: ignore[arg-type]
        try:
            yield
        finally:
            asyncio._set_running_loop(None)


class Question:
    """A read that was started. `read` takes the current state of the log, and `reply` passes that to the hub."""

    def __init__(self, reply: Callable[[Any], None], look: Callable[[], Any], what: tuple[Any, ...]) -> None:
        self._reply, self._look, self.what = reply, look, what
        self.seen: Any = None
        self.was_read = False

    def read(self) -> None:
        self.seen, self.was_read = self._look(), True

    def reply(self, *, failed: bool = False) -> None:
        if not self.was_read:
            self.read()
        self._reply(None if failed else self.seen)


class Store:
    """The committed logs, and the reads that were not answered yet."""

    def __init__(self, page: int = 200) -> None:
        self.logs: dict[LogId, list[LogEvent]] = {}
        self.questions: list[Question] = []
        self.page = page
        self.now = 100  # microseconds; also the clock of the hub

    def head(self, log_id: LogId) -> int:
        return len(self.logs.get(log_id, ()))

    def add(self, log_id: LogId, event: LogEvent | None = None, text: str = "hi") -> LogEvent:
        log = self.logs.setdefault(log_id, [])
        added = event if event is not None else message(log_id, len(log) + 1, text)
        assert added.seq == len(log) + 1
        log.append(added)
        return added

    def fill(self, log_id: LogId, count: int) -> list[LogEvent]:
        return [self.add(log_id) for _ in range(count)]

    def joined(self, room_id: LogId, account_id: int) -> list[LogEvent]:
        """Commit that an account joins a room: an entry of both logs, in the order of the decision."""
        own, head = -account_id, self.head(room_id)
        room = Room(room_id, Kind.GROUP, "x", 1, 0)
        return [
            self.add(own, RoomEntered(own, self.head(own) + 1, self.now, room, head)),
            self.add(room_id, MemberJoined(room_id, head + 1, self.now, person(account_id), Role.MEMBER, 1)),
        ]

    def left(self, room_id: LogId, account_id: int) -> list[LogEvent]:
        """Commit that an account leaves a room: an entry of both logs, in the order of the decision."""
        own, seq = -account_id, self.head(room_id) + 1
        return [
            self.add(room_id, MemberLeft(room_id, seq, self.now, person(account_id), 1)),
            self.add(own, RoomExited(own, self.head(own) + 1, self.now, room_id, seq)),
        ]

    def ended(self, account_id: int, session_id: str | None = None, kept: str | None = None) -> LogEvent:
        log_id = -account_id
        return self.add(log_id, SessionsEnded(log_id, self.head(log_id) + 1, self.now, session_id, kept))

    def pull(
        self, reply: Callable[[Any], None], log_id: LogId, after: int, upto: int, limit: int, party: object
    ) -> None:
        def look() -> list[LogEvent]:
            return self.logs.get(log_id, [])[after:upto][: min(limit, self.page)]

        self.questions.append(Question(reply, look, ("pull", log_id, after, upto)))

    def heads(self, reply: Callable[[Any], None], log_ids: list[LogId]) -> None:
        self.questions.append(Question(reply, lambda: {id: self.head(id) for id in log_ids}, ("heads", *log_ids)))

    def answer(self, *, failed: bool = False) -> None:
        """Answer all reads that wait."""
        waiting, self.questions = self.questions, []
        for question in waiting:
            question.reply(failed=failed)


def person(account_id: int) -> Person:
    return Person(account_id, f"p{account_id}", f"P{account_id}")


def message(log_id: LogId, seq: int, text: str = "hi") -> Message:
    return Message(log_id, seq, 0, log_id * 1000 + seq, person(1), text, None, "native", seq)


def encode(event: LogEvent) -> bytes | None:
    return f"{event.log_id}:{event.seq} ".encode() if getattr(event, "text", "") != "hidden" else None


def bulky(event: LogEvent) -> bytes:
    return f"{event.log_id}:{event.seq}:{event.text if isinstance(event, Message) else ''} ".encode()


PLAIN = Serializer("plain", encode, lambda payload: payload)
FRAMED = Serializer("framed", encode, lambda payload: b"<" + payload + b">")
BULKY = Serializer("bulky", bulky, lambda payload: payload)


class Connection:
    """A subscriber and its listener. Records the bytes that are written to it, and the calls of the listener.

    If `clogged` is true, each write tells the hub that the transport is full. `own_seq` is passed to `Hub.begin`. If it
    is None, the test calls `begin` later.
    """

    def __init__(
        self,
        hub: Hub,
        account_id: int,
        session: str = "s",
        serializer: Serializer = PLAIN,
        own_seq: int | None = None,
    ) -> None:
        self.hub = hub
        self.serializer = serializer
        self.subscriber = Subscriber(person(account_id), session, self.write, self)
        self.writes: list[bytes] = []
        self.calls: list[tuple[Any, ...]] = []
        self.clogged = False
        hub.attach(self.subscriber)
        if own_seq is not None:
            self.begin(own_seq)

    def begin(self, own_seq: int) -> Connection:
        self.hub.begin(self.subscriber, own_seq)
        return self

    def subscribe(self, log_id: LogId, after: int | None = 0, promised: int = 0) -> Connection:
        self.hub.subscribe(self.subscriber, log_id, self.serializer, after, promised)
        return self

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        if self.clogged and not self.subscriber.slow:
            self.hub.mark_slow(self.subscriber)

    def drain(self) -> None:
        self.clogged = False
        self.hub.mark_drained(self.subscriber)

    def leave(self) -> None:
        self.hub.detach(self.subscriber)

    @property
    def received(self) -> list[tuple[int, int]]:
        """The log id and the seq of each entry that was written."""
        words = b"".join(self.writes).replace(b"<", b"").replace(b">", b"").split()
        return [(int(word.split(b":")[0]), int(word.split(b":")[1])) for word in words]

    def seqs(self, log_id: LogId) -> list[int]:
        return [seq for log, seq in self.received if log == log_id]

    # The listener. It does what the native socket does.

    def caught_up(self, log_id: LogId) -> None:
        self.calls.append(("caught_up", log_id))

    def joined(self, room_id: int, after: int) -> None:
        self.calls.append(("joined", room_id, after))
        self.subscribe(room_id, after)

    def removed(self, room_id: int, seq: int) -> None:
        self.calls.append(("removed", room_id, seq))

    def session_ended(self) -> None:
        self.calls.append(("session_ended",))
        self.leave()

    def lost(self) -> None:
        self.calls.append(("lost",))
        self.leave()


class Own:
    """One batch of the own writer: entries that are committed, and announced later."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.events: list[LogEvent] = []
        self.lowest: dict[LogId, int] = {}

    def commit(self, log_id: LogId, count: int = 1) -> Own:
        """Commit entries. The writer records them before the COMMIT, so before anybody can know of them."""
        events = self.scene.store.fill(log_id, count)
        self.scene.unannounced.record(self.lowest, events)
        self.events += events
        return self

    def announce(self) -> None:
        self.scene.hub.receive(self.events)
        self.scene.unannounced.end(self.lowest)


class Scene:
    """A hub with its store and its loop. `settle` steps the loop and answers reads until nothing is left to do."""

    def __init__(self, page: int = 200) -> None:
        self.turns = Turns()
        self.store = Store(page)
        self.unannounced = Unannounced()
        self.hub = Hub(self.store.pull, self.store.heads, lambda: self.store.now, unannounced=self.unannounced)

    def connect(
        self, account_id: int = 2, serializer: Serializer = PLAIN, session: str = "s", begun: bool = True
    ) -> Connection:
        """Connect an account. If `begun` is true, begin at the head of its own log."""
        return Connection(self.hub, account_id, session, serializer, self.store.head(-account_id) if begun else None)

    def live(self, log_id: LogId, account_id: int = 2, serializer: Serializer = PLAIN) -> Connection:
        """Connect an account with a live subscription at the head of a log."""
        connection = self.connect(account_id, serializer).subscribe(log_id, self.store.head(log_id))
        self.settle()
        assert connection.subscriber.subscriptions[log_id].live
        return connection

    def say(self, log_id: LogId, count: int = 1, text: str = "hi") -> list[LogEvent]:
        """Commit messages and announce them."""
        events = [self.store.add(log_id, text=text) for _ in range(count)]
        self.hub.receive(events)
        return events

    def turn(self) -> None:
        self.turns.turn()

    def wait(self) -> None:
        """Let the time of the next timer come. Early entries have waited long enough then."""
        assert self.turns.leap()
        self.turns.turn()

    def compare(self) -> None:
        """Compare the heads of all topics with the database."""
        self.hub.learn_heads({log_id: self.store.head(log_id) for log_id in self.hub.log_ids()})

    def settle(self) -> None:
        for _ in range(10_000):
            busy = self.turns.turn()
            if self.store.questions:
                self.store.answer()
            elif not busy and not self.turns.leap():
                assert not self.hub._fan_out._holders, "held bytes that nobody writes"
                return
        raise AssertionError("the hub does not come to rest")
