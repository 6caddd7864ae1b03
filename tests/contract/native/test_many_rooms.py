"""An account in thousands of rooms: the answer to hello is short, every room is heard, and nobody waits."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import TIMEOUT, RunningServer, Servers
from transcript import Head

from veche.core.actor import Actor
from veche.core.messages import SendMessage
from veche.core.room_creation import CreateRoom
from veche.core.values import Kind
from veche.dialects.native.limits import MAX_FRAME_BYTES, MAX_PAGE, MAX_SYNC
from veche.storage.commit import commit
from veche.storage.opening import open_existing

from .people import Person, receive, send_command

ROOMS = 3000
BATCH = 500


@pytest.fixture(scope="module")
def server(servers: Servers) -> Iterator[RunningServer]:
    running = servers.new(Head(own=True))
    yield running
    running.end()


@pytest.fixture(scope="module")
def people(server: RunningServer) -> Iterator[tuple[Person, Person]]:
    """Ann owns ROOMS groups, with Bob in each, and one message in each; the rooms have the ids from 1 on."""
    ann, bob = Person.new(server.base, "ann"), Person.new(server.base, "bob")
    server.end()
    actor = Actor(ann.id, "native")
    with open_existing(server.database_url) as database:
        for first in range(1, ROOMS + 1, BATCH):
            ids = range(first, first + BATCH)
            commit(database, [(actor, CreateRoom(Kind.GROUP, f"Room {id}", (bob.id,))) for id in ids])
            commit(database, [(actor, SendMessage(id, "hi")) for id in ids])
    server.start()
    yield ann, bob
    for person in (ann, bob):
        person.close()


class Witness:
    """Asks for /healthz again and again, and notes how long the event loop computed for an answer, at most, in seconds.

    That is no time of the clock, which runs on while a busy machine computes for others.
    """

    def __init__(self, server: RunningServer) -> None:
        self._http = httpx.Client(base_url=server.base, trust_env=False, timeout=TIMEOUT)
        self._loops = [Path(f"/proc/{node.started.pid}/schedstat") for node in server.nodes]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.longest = 0.0
        self.count = 0

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            began = self._computed()
            self._http.get("/healthz").raise_for_status()
            took = (after - before for before, after in zip(began, self._computed(), strict=True))
            self.longest = max(self.longest, *took)
            self.count += 1

    def _computed(self) -> list[float]:
        """Return how long the first thread of each node has computed. It runs the event loop."""
        return [int(loop.read_text().split()[0]) / 1e9 for loop in self._loops]

    def __enter__(self) -> Witness:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._http.close()


def test_hello_is_short_and_every_room_is_heard(people: tuple[Person, Person]) -> None:
    ann, bob = people
    socket, frames = bob.listen()
    hello = frames[0]["hello"]
    assert [room["id"] for room in hello["rooms"]] == list(range(ROOMS - MAX_PAGE + 1, ROOMS + 1))
    assert len(json.dumps(frames[0])) < MAX_FRAME_BYTES
    assert frames[1:] == [{"caught_up": {}}]
    for id in (1, ROOMS // 2, ROOMS):
        seq = ann.call("POST", f"/rooms/{id}/messages", {"text": "to all"})["seq"]
        message = receive(socket)["message"]
        assert (message["room_id"], message["seq"]) == (id, seq)
    page = bob.call("GET", "/rooms", cursor=hello["rooms_cursor"], limit=1)
    assert [room["id"] for room in page["items"]] == [1]


def test_a_client_that_lists_all_its_rooms_gets_what_it_missed_in_each(people: tuple[Person, Person]) -> None:
    _, bob = people
    _, frames = bob.listen(rooms={str(id): 2 for id in range(1, ROOMS + 1)})
    missed = {frame["message"]["room_id"]: frame["message"]["seq"] for frame in frames if "message" in frame}
    assert set(missed) == set(range(1, ROOMS + 1))


def test_nobody_waits_for_hellos_and_syncs_of_many_rooms(server: RunningServer, people: tuple[Person, Person]) -> None:
    _, bob = people
    stale = {str(id): 1 for id in range(1, ROOMS + 1)}
    unknown = {str(10**6 + id): 1 for id in range(MAX_SYNC)}
    with Witness(server) as witness:
        for positions in ({}, {"rooms": stale, "epoch": "another"}, {"rooms": unknown}):
            socket, frames = bob.listen(**positions)
            assert sum("gone" in frame for frame in frames) == (positions == {"rooms": unknown})
            for number in range(20):
                socket.send(json.dumps({"id": number + 2, "sync": {"rooms": unknown}}))
            answers = send_command(socket, 99, sync={"rooms": {str(id): 3 for id in range(1, MAX_SYNC + 1)}})
            assert [frame["id"] for frame in answers if "id" in frame] == [*range(2, 22), 99]
            assert sum("gone" in frame for frame in answers) == 20
    assert witness.count
    assert 0 < witness.longest < 0.5, "seconds before"
