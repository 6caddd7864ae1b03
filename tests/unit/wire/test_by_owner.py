"""Things by owner, against a plain list of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from veche.wire.by_owner import ByOwner


@given(st.lists(st.tuples(st.sampled_from(["add", "add", "discard"]), st.integers(0, 9), st.sampled_from("abc"))))
def test_counts_and_the_oldest_are_those_of_a_list(steps: list[tuple[str, int, str]]) -> None:
    by_owner, plain = ByOwner[int](), list[tuple[int, str]]()
    for step, thing, owner in steps:
        plain = [one for one in plain if one[0] != thing]
        if step == "add":
            by_owner.add(thing, owner)
            plain.append((thing, owner))
        else:
            by_owner.discard(thing)
        assert len(by_owner) == len(plain)
        assert by_owner.oldest() == next((one for one, _ in plain), None)
        assert all((one in by_owner) == (one in dict(plain)) for one in range(10))
        for who in "abc":
            own = [one for one, its in plain if its == who]
            assert (by_owner.count(who), by_owner.oldest_of(who)) == (len(own), own[0] if own else None)
    for thing in range(10):
        by_owner.discard(thing)
    assert not by_owner._owners
    assert not by_owner._things, "an owner without things is not kept"
