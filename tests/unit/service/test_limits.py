"""The limits on signing in."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.core.errors import ChatError, Code
from veche.service.limits import FREE_TRIES, MAX_DELAY, Limit, LoginLimits, Rate
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


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_number_of_keys_is_bounded() -> None:
    limit = Limit("things", Rate(2, 2))
    for number in range(50_100):
        limit.add(str(number))
    assert len(limit) == 50_000
    assert limit.used("0") == 0
    assert limit.used("50099") > 0.9


def test_looking_counts_no_key() -> None:
    limit = Limit("things", Rate(2, 2))
    for number in range(100):
        assert limit.wait(str(number)) == 0
        limit.check(str(number))
    assert len(limit) == 0


RATES = st.builds(Rate, st.integers(1, 50), st.integers(1, 600))


@given(RATES, st.lists(st.floats(0, 10), max_size=200))
def test_no_key_gets_more_than_its_rate_in_any_time(rate: Rate, pauses: list[float]) -> None:
    clock = Clock()
    limit, granted = Limit("things", rate, clock), []
    for pause in pauses:
        clock.now += pause
        with contextlib.suppress(ChatError):
            limit.take("somebody")
            granted.append(clock.now)
    for first, since in enumerate(granted):
        for last, until in enumerate(granted[first:], first):
            assert last - first + 1 <= rate.at_once + (until - since) * rate.per_minute / 60 + 1e-6


@given(RATES, st.integers(1, 200))
def test_a_key_that_keeps_to_its_rate_is_never_refused(rate: Rate, count: int) -> None:
    clock = Clock()
    limit = Limit("things", rate, clock)
    for _ in range(count):
        clock.now += 60 / rate.per_minute + 1e-6
        limit.take("somebody")


@given(RATES, st.integers(1, 100))
def test_after_retry_after_one_more_is_granted(rate: Rate, count: int) -> None:
    clock = Clock()
    limit = Limit("things", rate, clock)
    for _ in range(count):
        try:
            limit.take("somebody")
        except ChatError as refusal:
            clock.now += int(str(refusal.data["retry_after"]))
            limit.take("somebody")
        limit.take("somebody else" if count % 2 else str(count))
        limit.add(str(count), -1)


def test_what_is_given_back_can_be_used_again() -> None:
    limit = Limit("things", Rate(1, 1))
    for _ in range(5):
        limit.take("somebody")
        limit.add("somebody", -1)


def test_the_log_tells_once_a_minute_who_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    limit = Limit("registrations", Rate(1, 1), clock)
    for second in range(119):
        clock.now = 1000 + second / 1000 if second < 100 else 1061.0
        for who in ("192.0.2.1", "192.0.2.2"):
            with contextlib.suppress(ChatError):
                limit.take(who)
    assert [record.getMessage() for record in caplog.records] == [
        f"too many registrations from 192.0.2.{number}: refused for now" for number in (1, 2, 1, 2)
    ]
