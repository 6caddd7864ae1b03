"""How often one may try to sign in."""

from __future__ import annotations

import pytest

from veche.core.errors import ChatError, Code
from veche.service.limits import FREE_TRIES, LONGEST_WAIT, LoginLimits, Recent, network


def fail(limits: LoginLimits, address: str, account: str, times: int = 1) -> None:
    for _ in range(times):
        limits.admit(address, account)
        limits.judge(address, account, right=False)


def succeed(limits: LoginLimits, address: str, account: str) -> None:
    limits.admit(address, account)
    limits.judge(address, account, right=True)


def test_an_address_with_too_many_wrong_passwords_is_told_when_to_come_back() -> None:
    limits = LoginLimits(wrong=3)
    for number in range(3):
        fail(limits, "192.0.2.1", f"account{number}")
    with pytest.raises(ChatError) as refusal:
        limits.admit("192.0.2.1", "another")
    assert refusal.value.code is Code.RATE_LIMITED
    assert 1 <= int(str(refusal.value.data["retry_after"])) <= 61
    limits.admit("192.0.2.2", "another")


def test_right_passwords_count_too_but_more_are_allowed() -> None:
    limits = LoginLimits(wrong=3, tries=5)
    for _ in range(5):
        succeed(limits, "192.0.2.1", "ann")
    with pytest.raises(ChatError):
        limits.admit("192.0.2.1", "ann")


def test_many_at_once_learn_no_more_than_one_after_another() -> None:
    limits = LoginLimits(wrong=3)
    for number in range(5):
        limits.admit("192.0.2.1", f"account {number}")
    for number in range(3):
        limits.judge("192.0.2.1", f"account {number}", right=False)
    for right in (False, True):
        with pytest.raises(ChatError) as refused:
            limits.judge("192.0.2.1", "account 3", right=right)
        assert refused.value.code is Code.RATE_LIMITED


def test_many_right_ones_at_once_are_let_in() -> None:
    limits = LoginLimits(wrong=3)
    for number in range(20):
        limits.admit("192.0.2.1", f"account {number}")
    for number in range(20):
        limits.judge("192.0.2.1", f"account {number}", right=True)


def test_tries_of_one_account_under_way_slow_down_the_next() -> None:
    limits = LoginLimits()
    for _ in range(FREE_TRIES):
        assert limits.admit("192.0.2.1", "ann") == 0.0
    assert limits.admit("192.0.2.1", "ann") > 0


def test_right_passwords_slow_nobody_down() -> None:
    limits = LoginLimits()
    for _ in range(FREE_TRIES * 4):
        succeed(limits, "192.0.2.1", "ann")
    assert limits.admit("192.0.2.1", "ann") == 0.0


def test_an_account_that_is_tried_from_everywhere_slows_down_but_is_not_locked() -> None:
    limits = LoginLimits()
    waits = []
    for number in range(FREE_TRIES + 12):
        waits.append(limits.admit(f"192.0.2.{number}", "ann"))
        limits.judge(f"192.0.2.{number}", "ann", right=False)
    assert waits[:FREE_TRIES] == [0.0] * FREE_TRIES
    assert waits == sorted(waits)
    assert waits[FREE_TRIES] > 0
    assert waits[-1] == LONGEST_WAIT
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


def test_what_is_remembered_is_bounded() -> None:
    recent = Recent(2)
    for number in range(50_100):
        recent.add(str(number))
    assert len(recent._times) == 50_000
    assert recent.count("0") == 0
    assert recent.count("50099") == 1


def test_looking_remembers_nothing() -> None:
    recent = Recent(2)
    for number in range(100):
        assert recent.wait(str(number)) == 0
    assert len(recent._times) == 0
