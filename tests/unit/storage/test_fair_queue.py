"""The law of turns: whatever arrives, each party keeps its order, and nobody waits for the many requests of another."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from veche.core.actor import Actor
from veche.core.messages import SendMessage
from veche.storage.fair_queue import BATCH_SECONDS, SMALLEST, FairQueue, Request

LIMIT = 100
ARRIVALS = st.lists(st.lists(st.integers(1, 5), max_size=80), max_size=8)


def request(account_id: int, number: int) -> Request:
    return Request(Actor(account_id, "test"), SendMessage(1, str(number)), lambda _: None, number)


def take_all(queue: FairQueue) -> list[list[Request]]:
    batches: list[list[Request]] = []
    while queue:
        batches.append(queue.take())
        assert batches[-1], "a batch is never empty while requests wait"
    return batches


def numbers(requests: list[Request], account_id: int) -> list[int]:
    return [one.number for one in requests if one.actor.account_id == account_id]


@given(ARRIVALS, st.data())
def test_each_party_keeps_its_order_and_nothing_is_lost(arrivals: list[list[int]], data: Any) -> None:
    queue, taken, number = FairQueue(LIMIT, lambda: 0.0), list[Request](), 0
    for accounts in arrivals:
        queue.add([request(account, number := number + 1) for account in accounts])
        if queue and data.draw(st.booleans()):
            taken += queue.take()
    for batch in take_all(queue):
        taken += batch
    assert len(taken) == number
    for account in range(1, 6):
        assert numbers(taken, account) == sorted(numbers(taken, account))


@given(st.lists(st.integers(1, 3), max_size=40), st.integers(200, 2000))
def test_few_requests_never_wait_for_the_many_of_another(few: list[int], many: int) -> None:
    """Every batch has a request of each party that waits, and at most half of it is of one party if others wait."""
    queue = FairQueue(LIMIT, lambda: 0.0)
    queue.add([request(9, number) for number in range(many)])
    queue.add([request(account, number) for number, account in enumerate(few)])
    waiting = {account: few.count(account) for account in set(few)} | {9: many}
    while queue:
        batch = queue.take()
        several = sum(count > 0 for count in waiting.values()) > 1
        for account, count in waiting.items():
            mine = len(numbers(batch, account))
            assert mine or not count
            assert not several or mine <= max(LIMIT // 2, 1)
            waiting[account] -= mine


def test_what_fits_comes_in_the_order_of_its_arrival() -> None:
    queue = FairQueue(LIMIT, lambda: 0.0)
    queue.add([request(1, 1), request(1, 2), request(2, 3), request(1, 4)])
    assert [one.number for one in queue.take()] == [1, 2, 3, 4]


def test_one_that_is_alone_fills_whole_batches_and_those_who_share_get_short_ones() -> None:
    now = 0.0
    queue = FairQueue(10_000, lambda: now)
    queue.add([request(1, number) for number in range(3000)])
    assert len(queue.take()) == 3000
    queue.add([request(1, number) for number in range(3000)])
    queue.add([request(2, 0)])
    assert len(queue.take()) == 1 + 4 * SMALLEST // 2
    queue.learn(4 * SMALLEST, BATCH_SECONDS / 4)
    assert len(queue.take()) == 8 * SMALLEST, "a quick batch allows longer ones"
    queue.learn(8 * SMALLEST, BATCH_SECONDS * 4)
    assert len(queue.take()) == 2 * SMALLEST, "a slow one shorter ones"
    now = 10.0
    assert len(queue.take()) > 2000, "the others have gone"


def test_a_single_slow_request_says_nothing_of_batches() -> None:
    queue = FairQueue(10_000, lambda: 0.0)
    queue.learn(1, 1.0)
    queue.add([request(account, 0) for account in range(1, 200)])
    assert len(queue.take()) == 4 * SMALLEST


def test_anonymous_people_and_guests_take_turns_like_accounts() -> None:
    assert Actor(2, "socketio", connection_id="x").party != Actor(2, "socketio", connection_id="y").party
    assert Actor(0, "native", address="10.0.0.1").party != Actor(0, "native", address="10.0.0.2").party
    assert Actor(7, "native", address="10.0.0.1").party == Actor(7, "rooms", address="10.0.0.2").party
