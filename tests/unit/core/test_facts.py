"""What a decision may read: what it asked for, and what was made before it in the same batch."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veche.core.facts import Fact, Needs, NotAsked
from veche.core.state import State

ONE: Fact[int, int] = Fact("one")
OTHER: Fact[int, int] = Fact("other")

pairs = st.tuples(st.sampled_from([ONE, OTHER]), st.integers(1, 3))
rows = st.dictionaries(pairs, st.integers(1, 9))
changes = st.lists(st.tuples(pairs, st.none() | st.integers(10, 19)), max_size=4)


class Step(NamedTuple):
    """One command of a batch: what it asks for, reads, and then changes; None removes a row."""

    asks: set[Any]
    reads: list[Any]
    changes: list[tuple[Any, int | None]]


steps = st.lists(st.builds(Step, st.sets(pairs), st.lists(pairs), changes), max_size=6)


def needs_of(asks: set[Any]) -> Needs:
    needs = Needs()
    for fact, key in asks:
        needs.ask(fact, key)
    return needs


def new_state() -> State:
    ids = count(1)
    return State(lambda _: next(ids))


@settings(deadline=None, derandomize=True, database=None)
@given(stored=rows, batch=steps)
def test_a_decision_reads_the_truth_or_is_told_that_it_did_not_ask(stored: dict[Any, int], batch: list[Step]) -> None:
    truth, state = dict(stored), new_state()
    for pair in set().union(*(step.asks for step in batch)):
        if pair in stored:
            state.load(*pair, stored[pair])
    for step in batch:
        state.begin(needs_of(step.asks), 0)
        for pair in step.reads:
            try:
                assert state.get(*pair) == truth.get(pair)
            except NotAsked:
                assert pair not in step.asks
        for pair, row in step.changes:
            if row is None:
                state.remove(*pair)
                truth.pop(pair, None)
            else:
                state.put(*pair, row)
                truth[pair] = row


@given(stored=rows, pair=pairs, neighbour=st.booleans())
def test_what_only_a_neighbour_asked_for_is_not_read(stored: dict[Any, int], pair: Any, neighbour: bool) -> None:
    state = new_state()
    if neighbour and pair in stored:
        state.load(*pair, stored[pair])
    state.begin(Needs(), 0)
    with pytest.raises(NotAsked):
        state.get(*pair)


@pytest.mark.parametrize("change", [lambda state: state.put(ONE, 1, 5), lambda state: state.remove(ONE, 1)])
def test_a_stored_row_that_was_changed_before_has_to_be_asked_for_all_the_same(
    change: Callable[[State], None],
) -> None:
    state = new_state()
    state.load(ONE, 1, 4)
    change(state)
    state.begin(Needs(), 0)
    with pytest.raises(NotAsked):
        state.get(ONE, 1)


def test_a_row_that_was_made_before_counts_as_asked() -> None:
    state = new_state()
    state.put(ONE, 1, 5)
    state.begin(Needs(), 0)
    assert state.get(ONE, 1) == 5


@pytest.mark.parametrize(
    ("key", "shown"),
    [(7, "7"), ((7, -2), "(7, -2)"), ("secret", "<6 characters>"), ((2, "secret"), "(2, <6 characters>)")],
)
def test_the_complaint_names_the_fact_and_the_key_without_any_text(key: Any, shown: str) -> None:
    assert str(NotAsked(ONE, key)) == f"one {shown}"
