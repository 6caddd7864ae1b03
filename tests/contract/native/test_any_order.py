"""Whatever people do, in whatever order, and whatever happens to connections and the server: a snapshot and the events
after it are the same as a fresh snapshot, for every client.

The clients are those of small_client.py. Each may lose an event, get one twice or late, lose the answer to what it
sent, or lose its connection. The server is killed now and then. At the end every client must have, without a fault that
helps it, what the server has: rooms, messages with their texts, reactions and threads, pins, settings, invitations,
read pointers and counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import httpx
import pytest
from conftest import RunningServer
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.examples import examples

from .people import PASSWORD, Person
from .small_client import Json, SmallClient
from .test_small_client import check_same

pytestmark = pytest.mark.slow

T = TypeVar("T")
FAULTS = "lose", "repeat", "hold"
EMOJI = "%F0%9F%91%8D", "%F0%9F%8E%89"
ONE_NODE = pytest.mark.one_node("a client that asks the other node at once may get an answer that is a moment old")
which = st.integers(0, 11)  # of what there is, modulo how many there are; of messages, the newest


class Loop:
    """An event loop in a thread of its own, so that clients go on while the test calls."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float = 90) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def call(self, function: Callable[[], T]) -> T:
        async def run() -> T:
            return function()

        return self.run(run())

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class Unlucky(SmallClient):
    """A client to whose events and answers something happens. `faults` are for the next events."""

    def __init__(self, base: str, username: str) -> None:
        super().__init__(base, username, PASSWORD)
        self.faults: deque[str] = deque()
        self.loses_answer = False
        self.held: list[Json] = []
        self.misses = False  # an event that it cannot know of, which a socket does not lose without closing

    def cut(self) -> None:
        if self._socket is not None:
            self._socket.transport.abort()

    def _receive(self, frame: Json) -> None:
        if "send" in frame and self.loses_answer:
            self.loses_answer = False
            self.cut()
        elif is_event(frame) and self.faults:
            fault = self.faults.popleft()
            if fault == "repeat":
                super()._receive(frame)
                super()._receive(frame)
            else:
                self.misses = True
                self.held += [frame] if fault == "hold" else []
        else:
            super()._receive(frame)
            held, self.held = self.held, []
            for one in held:
                super()._receive(one)

    def _say_hello(self) -> None:
        self.held, self.misses = [], False
        super()._say_hello()


def is_event(frame: Json) -> bool:
    return any(isinstance(body, dict) and "seq" in body for body in frame.values()) and not {"id", "reset"} & set(frame)


class Town(RuleBasedStateMachine):
    def __init__(self, server: RunningServer) -> None:
        super().__init__()
        self.server = server
        self.texts = itertools.count(1)
        self.people = [Person.new(server.base, name) for name in ("ann", "bob", "eve")]
        ann, bob, _ = self.people
        self.rooms = [ann.make_room(bob), ann.make_room(kind="channel"), ann.make_room(bob, kind="direct")]
        self.messages: list[tuple[int, int]] = []
        self.loop = Loop()
        owners = [*self.people, bob]  # bob has two devices
        self.clients = [(one, self.loop.call(lambda one=one: Unlucky(one.base, one.username))) for one in owners]
        self.running = [
            self.loop.call(lambda client=client: asyncio.create_task(client.run())) for _, client in self.clients
        ]

    def ask(self, by: int, method: str, path: str, body: object = None) -> Any:
        """Call. What is refused changes nothing, which is as good as what is done."""
        person = self.people[by % len(self.people)]
        with contextlib.suppress(httpx.TransportError):  # a connection to the server before the last kill
            return self._answer(person, method, path, body)
        return self._answer(person, method, path, body)

    @staticmethod
    def _answer(person: Person, method: str, path: str, body: object) -> Any:
        answer = person.http.request(method, f"/v1{path}", json=body)
        assert answer.status_code < 500, answer.text
        return answer.json() if answer.is_success and answer.content else None

    def room(self, number: int) -> int:
        return self.rooms[number % len(self.rooms)]

    def message(self, number: int) -> tuple[int, int]:
        return self.messages[-1 - number % len(self.messages)] if self.messages else (self.rooms[0], 1)

    def id(self, number: int) -> int:
        return self.people[number % len(self.people)].id

    # Messages.

    @rule(by=which, room=which, thread=st.none() | which)
    def say(self, by: int, room: int, thread: int | None) -> None:
        body: Json = {"text": f"text {next(self.texts)} @bob"}
        room_id = self.room(room)
        if thread is not None:
            room_id, body["thread_id"] = self.message(thread)
        if (sent := self.ask(by, "POST", f"/rooms/{room_id}/messages", body)) is not None:
            self.messages.append((room_id, sent["id"]))

    @rule(client=which, room=which)
    def say_on_a_socket(self, client: int, room: int) -> None:
        found, room_id, text = self.client(client), self.room(room), f"text {next(self.texts)}"
        self.loop.call(lambda: found.send(room_id, text) if room_id in found.rooms else "")

    @rule(by=which, message=which)
    def edit(self, by: int, message: int) -> None:
        room_id, id = self.message(message)
        self.ask(by, "PATCH", f"/rooms/{room_id}/messages/{id}", {"text": f"edited {next(self.texts)}"})

    @rule(by=which, message=which)
    def delete(self, by: int, message: int) -> None:
        room_id, id = self.message(message)
        self.ask(by, "DELETE", f"/rooms/{room_id}/messages/{id}")

    @rule(by=which, message=which, emoji=st.sampled_from(EMOJI), on=st.booleans())
    def react(self, by: int, message: int, emoji: str, on: bool) -> None:
        room_id, id = self.message(message)
        self.ask(by, "PUT" if on else "DELETE", f"/rooms/{room_id}/messages/{id}/reactions/{emoji}")

    @rule(by=which, message=which, on=st.booleans())
    def pin(self, by: int, message: int, on: bool) -> None:
        room_id, id = self.message(message)
        self.ask(by, "PUT" if on else "DELETE", f"/rooms/{room_id}/pins/{id}")

    @rule(client=which, room=which)
    def read(self, client: int, room: int) -> None:
        found, room_id = self.client(client), self.room(room)
        self.loop.call(lambda: found.read(room_id) if found.caught_up and room_id in found.rooms else None)

    # Rooms and people.

    @rule(
        by=which,
        room=which,
        whom=which,
        how=st.sampled_from(["invite", "invite", "uninvite", "remove", "ban", "unban"]),
    )
    def manage(self, by: int, room: int, whom: int, how: str) -> None:
        path, id = f"/rooms/{self.room(room)}", self.id(whom)
        calls = {
            "invite": ("POST", f"{path}/invitations", {"account_id": id}),
            "uninvite": ("DELETE", f"{path}/invitations/{id}", None),
            "remove": ("DELETE", f"{path}/members/{id}", None),
            "ban": ("POST", f"{path}/bans", {"account_id": id}),
            "unban": ("DELETE", f"{path}/bans/{id}", None),
        }
        self.ask(by, *calls[how])

    @rule(by=which, room=which, how=st.sampled_from(["join", "join", "leave"]))
    def come_or_go(self, by: int, room: int, how: str) -> None:
        self.ask(by, "POST", f"/rooms/{self.room(room)}/{how}")

    @rule(by=which, room=which, whom=which, role=st.sampled_from(["reader", "member", "moderator", "owner"]))
    def give_role(self, by: int, room: int, whom: int, role: str) -> None:
        self.ask(by, "PATCH", f"/rooms/{self.room(room)}/members/{self.id(whom)}", {"role": role})

    @rule(by=which, room=which, key=st.sampled_from(["topic", "name", "archived"]))
    def change_room(self, by: int, room: int, key: str) -> None:
        self.ask(by, "PATCH", f"/rooms/{self.room(room)}", {key: True if key == "archived" else f"{next(self.texts)}"})
        for person in range(len(self.people)) if key == "archived" else ():  # or there is little to do in it
            self.ask(person, "PATCH", f"/rooms/{self.room(room)}", {"archived": False})

    @rule(by=which, room=which, level=st.sampled_from(["all", "mentions", "none"]))
    def notify(self, by: int, room: int, level: str) -> None:
        self.ask(by, "PUT", f"/rooms/{self.room(room)}/notify", {"level": level})

    @rule(by=which, kind=st.sampled_from(["group", "channel", "direct"]), whom=which)
    def make_room(self, by: int, kind: str, whom: int) -> None:
        made = self.ask(by, "POST", "/rooms", {"kind": kind, "name": "New", "member_ids": [self.id(whom)]})
        if made is not None and made["id"] not in self.rooms and len(self.rooms) < 6:
            self.rooms.append(made["id"])

    # Faults.

    def client(self, number: int) -> Unlucky:
        return self.clients[number % len(self.clients)][1]

    @rule(client=which, faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=3))
    def disturb(self, client: int, faults: list[str]) -> None:
        self.loop.call(lambda: self.client(client).faults.extend(faults))

    @rule(client=which)
    def cut(self, client: int) -> None:
        self.loop.call(self.client(client).cut)

    @rule(client=which)
    def lose_an_answer(self, client: int) -> None:
        self.client(client).loses_answer = True

    @rule(client=which)
    def let_it_catch_up(self, client: int) -> None:
        found = self.client(client)
        self.loop.run(found.until(lambda: found.caught_up))

    @rule(chance=st.integers(0, 3))
    def kill(self, chance: int) -> None:
        if chance == 0:
            self.server.end(signal.SIGKILL)
            self.server.start()

    # The end.

    def teardown(self) -> None:
        try:
            for _, client in self.clients:
                self.loop.run(self._settle(client))
            for person, client in self.clients:
                self.loop.run(check_same(client, person))
        finally:
            self.loop.run(self._stop())
            self.loop.close()
            for person in self.people:
                person.close()

    async def _stop(self) -> None:
        for task in self.running:
            task.cancel()
        await asyncio.wait(self.running)
        for _, client in self.clients:
            await client.close()

    @staticmethod
    async def _settle(client: Unlucky) -> None:
        """Wait until a client has been answered all, and knows of all that it lost."""
        client.faults.clear()
        client.loses_answer = False
        if client.misses:
            client.cut()
            await client.until(lambda: not client.misses)
        await client.until(lambda: client.caught_up and not client.outbox and not client._waiting)


@ONE_NODE
@pytest.mark.timeout(900)
def test_a_snapshot_and_events_are_a_fresh_snapshot(server: RunningServer) -> None:
    chosen = settings(
        max_examples=examples(16),
        stateful_step_count=200,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # time is a part of what happens, so fewer steps need not fail
    )
    run_state_machine_as_test(lambda: Town(server), settings=chosen)
