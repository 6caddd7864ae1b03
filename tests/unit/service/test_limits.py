"""How often somebody may do something, and the limits on signing in."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.core.errors import ChatError, Code
from veche.service import limits as limits_module
from veche.service.limits import FREE_TRIES, MAX_DELAY, AddressLimit, Limit, LoginLimits, Rate
from veche.wire.proxy import network


def fail(limits: LoginLimits, address: str, account: str, times: int = 1) -> None:
    for _ in range(times):
        limits.admit(address, account)
        limits.record(address, account, right=False)


def succeed(limits: LoginLimits, address: str, account: str) -> None:
    limits.admit(address, account)
    limits.record(address, account, right=True)


def test_an_address_with_too_many_wrong_passwords_gets_retry_after() -> None:
    limits = LoginLimits(wrong=3)
    for number in range(3):
        fail(limits, "192.0.2.1", f"account{number}")
    with pytest.raises(ChatError) as refusal:
        limits.admit("192.0.2.1", "another")
    assert refusal.value.code is Code.RATE_LIMITED
    assert 1 <= int(str(refusal.value.data["retry_after"])) <= 61
    limits.admit("192.0.2.2", "another")


def test_right_passwords_have_a_higher_limit() -> None:
    limits = LoginLimits(wrong=3, tries=5)
    for _ in range(5):
        succeed(limits, "192.0.2.1", "ann")
    with pytest.raises(ChatError):
        limits.admit("192.0.2.1", "ann")


def test_parallel_tries_reveal_no_more_than_tries_one_after_another() -> None:
    limits = LoginLimits(wrong=3)
    for number in range(5):
        limits.admit("192.0.2.1", f"account {number}")
    for number in range(3):
        limits.record("192.0.2.1", f"account {number}", right=False)
    for right in (False, True):
        with pytest.raises(ChatError) as refused:
            limits.record("192.0.2.1", "account 3", right=right)
        assert refused.value.code is Code.RATE_LIMITED


def test_parallel_right_passwords_are_accepted() -> None:
    limits = LoginLimits(wrong=3)
    for number in range(20):
        limits.admit("192.0.2.1", f"account {number}")
    for number in range(20):
        limits.record("192.0.2.1", f"account {number}", right=True)


def test_unfinished_tries_of_an_account_delay_the_next() -> None:
    limits = LoginLimits()
    for _ in range(FREE_TRIES):
        assert limits.admit("192.0.2.1", "ann") == 0.0
    assert limits.admit("192.0.2.1", "ann") > 0


def test_right_passwords_cause_no_delay() -> None:
    limits = LoginLimits()
    for _ in range(FREE_TRIES * 4):
        succeed(limits, "192.0.2.1", "ann")
    assert limits.admit("192.0.2.1", "ann") == 0.0


def test_an_account_tried_from_many_addresses_is_delayed_but_not_locked() -> None:
    limits = LoginLimits()
    waits = []
    for number in range(FREE_TRIES + 12):
        waits.append(limits.admit(f"192.0.2.{number}", "ann"))
        limits.record(f"192.0.2.{number}", "ann", right=False)
    assert waits[:FREE_TRIES] == [0.0] * FREE_TRIES
    assert waits == sorted(waits)
    assert waits[FREE_TRIES] > 0
    assert waits[-1] == MAX_DELAY
    assert limits.admit("198.51.100.1", "bob") == 0


def test_the_right_password_from_elsewhere_still_works() -> None:
    limits = LoginLimits(wrong=3)
    fail(limits, "192.0.2.1", "ann", 3)
    assert limits.admit("192.0.2.2", "ann") == 0.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "unix", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, same: bool) -> None:
    assert (network(one) == network(other)) is same


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def refused(limit: Limit, key: object, amount: float = 1) -> int:
    """Take an amount. Return 0, or the seconds of `retry_after`."""
    try:
        limit.take(key, amount)
    except ChatError as refusal:
        return int(str(refusal.data["retry_after"]))
    return 0


def test_what_is_used_comes_back_evenly() -> None:
    clock = Clock()
    limit = Limit(Rate(10, 10), "No.", clock)
    assert [refused(limit, "ann") for _ in range(10)] == [0] * 10
    assert refused(limit, "ann") == 6
    assert refused(limit, "bob", 10) == 0
    clock.now += 6
    assert refused(limit, "ann") == 0
    clock.now += 600
    assert refused(limit, "ann", 11) == 0, "whatever costs more than all needs an unused limit"
    assert refused(limit, "ann") == 12


def test_the_number_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_module, "MAX_KEYS", 100)
    limit = AddressLimit("things", Rate(1, 1))
    for number in range(200):
        limit.take(str(number))
        assert refused(limit, str(number))
    assert len(limit) == len(limit._lines) == 100
    assert limit.used("0") == 0
    assert limit.used("199") > 0.9


def test_looking_counts_no_key() -> None:
    limit = Limit(Rate(2, 2))
    for number in range(100):
        assert limit.wait(str(number)) == 0
        limit.check(str(number))
    assert len(limit) == 0


RATES = st.builds(Rate, st.integers(1, 50), st.integers(1, 600))
STEPS = st.lists(st.tuples(st.floats(0, 10), st.integers(1, 60)), max_size=100)
STARTS = st.sampled_from([0.0, 1000.0, 86_400.1, 1e7, 123456789.123])  # seconds that the machine runs


@given(RATES, STEPS, STARTS)
def test_no_key_gets_more_than_its_rate_in_any_time(rate: Rate, steps: list[tuple[float, int]], start: float) -> None:
    clock = Clock(start)
    limit, granted = Limit(rate, "No.", clock), list[tuple[float, int]]()
    for pause, amount in steps:
        clock.now += pause
        if amount <= rate.at_once and not refused(limit, "somebody", amount):
            granted.append((clock.now, amount))
    for first, (since, _) in enumerate(granted):
        used = 0
        for until, amount in granted[first:]:
            used += amount
            assert used <= rate.at_once + (until - since) * rate.per_minute / 60 + 1e-4


@given(RATES, st.integers(1, 200), STARTS)
def test_a_key_that_keeps_to_its_rate_is_never_refused(rate: Rate, count: int, start: float) -> None:
    clock = Clock(start)
    limit = Limit(rate, "No.", clock)
    for number in range(count):
        clock.now = start + number * 60 / rate.per_minute
        assert not refused(limit, "somebody", 1 if number else rate.at_once)


@given(RATES, STEPS, STARTS)
def test_after_retry_after_it_is_granted_and_a_second_before_it_is_not(
    rate: Rate, steps: list[tuple[float, int]], start: float
) -> None:
    clock = Clock(start)
    limit = Limit(rate, "No.", clock)
    for pause, amount in steps:
        clock.now += pause
        if wait := refused(limit, "somebody", amount):
            clock.now += wait - 1
            assert refused(limit, "somebody", amount) == 1
            clock.now += 1
            assert not refused(limit, "somebody", amount)


def test_what_is_given_back_can_be_used_again() -> None:
    limit = Limit(Rate(1, 1))
    for _ in range(5):
        limit.take("somebody")
        limit.add("somebody", -1)


def test_the_log_tells_once_a_minute_which_address_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    limit = AddressLimit("registrations", Rate(1, 1), clock)
    for second in range(119):
        clock.now = 1000 + second / 1000 if second < 100 else 1061.0
        for who in ("192.0.2.1", "192.0.2.2"):
            with contextlib.suppress(ChatError):
                limit.take(who)
    assert [record.getMessage() for record in caplog.records] == [
        f"too many registrations from 192.0.2.{number}: refused for now" for number in (1, 2, 1, 2)
    ]
