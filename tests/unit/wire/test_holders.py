"""Counting what each key holds, with a cap."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.wire.holders import Holders

CAP = 3


def test_a_key_holds_at_most_the_cap():
    holders = Holders[str](2)
    assert [holders.take("a") for _ in range(4)] == [True, True, False, False]
    assert holders.take("b")
    holders.release("a")
    assert holders.take("a")
    assert not holders.take("a")


def test_a_key_that_holds_nothing_is_not_kept():
    holders = Holders[int](2)
    for key in range(1000):
        assert holders.take(key)
        holders.release(key)
    assert len(holders) == 0
    with pytest.raises(KeyError):
        holders.release(7)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"))))
def test_the_count_is_what_was_taken_and_not_released(steps):
    holders, held = Holders[str](CAP), Counter[str]()
    for takes, key in steps:
        if takes:
            assert holders.take(key) == (held[key] < CAP)
            held[key] = min(held[key] + 1, CAP)
        elif held[key]:
            holders.release(key)
            held[key] -= 1
        assert holders.held(key) == held[key]
    assert len(holders) == sum(count > 0 for count in held.values())
