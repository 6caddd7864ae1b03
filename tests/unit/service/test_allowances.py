"""How much of something an account may do in a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.core.errors import ChatError, Code
from veche.core.room_creation import CreateRoom
from veche.core.values import Kind
from veche.service import allowances
from veche.service.allowances import Allowance
from veche.service.room_limits import RoomLimits

LIMIT, SECONDS = 10, 60.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused(allowance: Allowance, key: object, cost: int) -> int:
    """Charge. Return 0, or the seconds of `retry_after`."""
    try:
        allowance.charge(key, cost)
    except ChatError as refusal:
        return int(str(refusal.data["retry_after"])) if refusal.code is Code.RATE_LIMITED else -1
    return 0


def test_what_is_used_comes_back_evenly() -> None:
    clock = Clock()
    allowance = Allowance(LIMIT, SECONDS, "No.", clock)
    assert [refused(allowance, "ann", 1) for _ in range(LIMIT)] == [0] * LIMIT
    assert refused(allowance, "ann", 1) == 6
    assert refused(allowance, "bob", LIMIT) == 0
    clock.now += 6
    assert refused(allowance, "ann", 1) == 0
    clock.now += 600
    assert refused(allowance, "ann", LIMIT + 1) == 0, "whatever costs more than all needs a full bucket"
    assert refused(allowance, "ann", 1) == 12


@given(steps=st.lists(st.tuples(st.floats(0, 20), st.integers(1, LIMIT))))
def test_in_no_time_is_more_charged_than_a_bucket_and_what_came_back(steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    allowance = Allowance(LIMIT, SECONDS, "No.", clock)
    charged: list[tuple[float, int]] = []
    for wait, cost in steps:
        clock.now += wait
        retry_after = refused(allowance, "ann", cost)
        if not retry_after:
            charged.append((clock.now, cost))
            for since, _ in charged:
                in_window = sum(cost for at, cost in charged if at >= since)
                assert in_window <= LIMIT + (clock.now - since) * LIMIT / SECONDS + 1e-6
        else:
            later = Clock()
            later.now = clock.now
            clock.now += retry_after
            allowance.check("ann", cost)
            clock.now = later.now


def test_the_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowances, "MAX_KEYS", 3)
    allowance = Allowance(LIMIT, SECONDS, "No.")
    for key in range(10):
        allowance.charge(key, 1)
    assert len(allowance._full_at) == 3


def make(limits: RoomLimits, by: int, *others: int, kind: Kind = Kind.GROUP) -> bool:
    try:
        limits.charge_room(by, CreateRoom(kind, "x", others))
    except ChatError:
        return False
    return True


def test_rooms_and_people_put_into_them_are_counted_by_account() -> None:
    limits = RoomLimits(rooms=2, members=3, into=100)
    assert make(limits, 1, 2, 2, 1)
    assert not make(limits, 1, 2, 3, 4), "that were four people"
    assert make(limits, 1, 2, 3), "a refusal costs nothing"
    assert not make(limits, 1)
    assert make(limits, 2, 1, 3, 4)


def test_one_person_is_put_into_so_many_rooms_and_by_one_account_into_half_of_them() -> None:
    limits = RoomLimits(into=4)
    victim = 9
    assert [make(limits, 1, victim, 8) for _ in range(3)] == [True, True, False]
    assert make(limits, 1, 7, 6)
    assert [make(limits, by, victim) for by in (2, 3, 4)] == [True, True, False]
    assert make(limits, 5, victim, kind=Kind.DIRECT)
    with pytest.raises(ChatError):
        limits.charge_members(6, [victim])
