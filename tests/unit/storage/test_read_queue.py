"""Queries that wait for a reader: parties take turns, each has a bound, and so have all together."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.core.errors import ChatError, Code
from veche.storage import read_queue
from veche.storage.engines.engine import READERS, Transaction
from veche.storage.read_queue import ReadQueue
from veche.storage.reader import Reader

from .conftest import Town

PARTIES = st.sampled_from([1, 2, "guest", None])


@given(st.lists(PARTIES, max_size=60))
def test_each_party_keeps_its_order_and_has_its_turn(parties: list[Any]) -> None:
    queue: ReadQueue[tuple[Any, int]] = ReadQueue()
    for number, party in enumerate(parties):
        queue.add(party, (party, number))
    taken: list[tuple[Any, int]] = []
    while (query := queue.take()) is not None:
        taken.append(query)
    assert sorted(number for _, number in taken) == list(range(len(parties)))
    for party in set(parties):
        assert [n for of, n in taken if of == party] == sorted(n for of, n in taken if of == party)
    left = {party: parties.count(party) for party in set(parties)}
    while taken:  # each round has one query of each party that has some left
        in_round = len([party for party in left if left[party]])
        one, taken = taken[:in_round], taken[in_round:]
        assert {party for party, _ in one} == {party for party in left if left[party]}
        left = {party: max(0, count - 1) for party, count in left.items()}


@given(st.lists(st.tuples(PARTIES, st.booleans()), max_size=100))
def test_no_party_and_not_all_together_have_more_than_their_bound(steps: list[tuple[Any, bool]]) -> None:
    queue: ReadQueue[Any] = ReadQueue(of_party=5, total=8)
    open_queries: list[Any] = []
    for party, ends in steps:
        if ends and party in open_queries:
            open_queries.remove(party)
            queue.ended(party)
            continue
        counted = [one for one in open_queries if one is not None]
        allowed = party is None or (counted.count(party) < 5 and len(counted) < 8)
        if allowed:
            queue.add(party, party)
            open_queries.append(party)
        else:
            with pytest.raises(ChatError):
                queue.add(party, party)
        assert len(queue) == len([one for one in open_queries if one is not None])


def test_a_refusal_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    queue: ReadQueue[int] = ReadQueue(of_party=1)
    queue.add(1, 1)
    for _ in range(3):
        with pytest.raises(ChatError):
            queue.add(1, 2)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


class Blocked:
    """A reader all of whose threads run a query of party 1: one until `go_one` is set, the others until `go` is set.

    It records which queries run.
    """

    def __init__(self, town: Town) -> None:
        self.reader = Reader(town.database)
        self.go, self.go_one = threading.Event(), threading.Event()
        self.ran: list[Any] = []
        self._running = threading.Semaphore(0)

    async def start(self) -> list[asyncio.Task[Any]]:
        events = [self.go_one] + [self.go] * (READERS - 1)
        held = [asyncio.create_task(self.reader.read(1, self._wait, event)) for event in events]
        for _ in range(READERS):
            assert await asyncio.to_thread(self._running.acquire, True, 10)
        return held

    def _wait(self, tx: Transaction, event: threading.Event) -> None:
        self._running.release()
        event.wait(10)

    def go_all(self) -> None:
        self.go.set()
        self.go_one.set()

    def note(self, tx: Transaction, name: Any) -> Any:
        self.ran.append(name)
        return name


@pytest.fixture
def blocked(town: Town) -> Iterator[Blocked]:
    blocked = Blocked(town)
    yield blocked
    blocked.go_all()
    blocked.reader.stop()


async def test_a_party_with_few_queries_does_not_wait_for_the_many_of_another(blocked: Blocked) -> None:
    held = await blocked.start()
    many = [asyncio.create_task(blocked.reader.read(1, blocked.note, f"1:{n}")) for n in range(500)]
    await asyncio.sleep(0)  # now they wait
    few = [asyncio.create_task(blocked.reader.read(2, blocked.note, f"2:{n}")) for n in range(3)]
    await asyncio.sleep(0)
    blocked.go_one.set()  # a single thread notes them in the order in which it takes them
    await asyncio.gather(*many, *few)
    assert max(blocked.ran.index(f"2:{n}") for n in range(3)) < 3 * 2
    blocked.go.set()
    await asyncio.gather(*held)


async def test_too_many_queries_of_a_party_are_refused_and_others_are_not(blocked: Blocked) -> None:
    held = await blocked.start()
    replies: list[Any] = []
    for number in range(read_queue.MAX_READS - READERS):
        blocked.reader.call(1, replies.append, blocked.note, number)
    with pytest.raises(ChatError) as refused:
        blocked.reader.call(1, replies.append, blocked.note, "too many")
    assert refused.value.code is Code.OVERLOADED
    with pytest.raises(ChatError):
        await blocked.reader.read(1, blocked.note, "too many")
    other = asyncio.create_task(blocked.reader.read(2, blocked.note, "other"))
    server = asyncio.create_task(blocked.reader.read(None, blocked.note, "server"))
    await asyncio.sleep(0)
    blocked.go_all()
    assert await asyncio.gather(*held, other, server) == [*[None] * READERS, "other", "server"]
    last = blocked.reader.read(1, blocked.note, "again")
    assert await asyncio.wait_for(last, 10) == "again", "a query that was answered is not counted"
    assert "too many" not in blocked.ran


async def test_a_query_whose_asker_is_gone_does_not_run(blocked: Blocked) -> None:
    held = await blocked.start()
    gone = asyncio.create_task(blocked.reader.read(1, blocked.note, "gone"))
    await asyncio.sleep(0)
    gone.cancel()
    blocked.go_all()
    await asyncio.gather(*held)
    assert await blocked.reader.read(1, blocked.note, "next") == "next"
    assert blocked.ran == ["next"]


async def test_queries_that_wait_are_cancelled_when_the_reader_stops(blocked: Blocked) -> None:
    held = await blocked.start()
    replies: list[Any] = []
    waiting = asyncio.create_task(blocked.reader.read(1, blocked.note, "read"))
    blocked.reader.call(1, replies.append, blocked.note, "call")
    await asyncio.sleep(0)
    blocked.reader._threads.shutdown(wait=False, cancel_futures=True)  # as `stop` begins
    blocked.go_all()
    blocked.reader.stop()
    await asyncio.gather(*held)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert replies == [None]
    assert blocked.ran == []
