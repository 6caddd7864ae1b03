"""A batch that fails is stored in parts: in its order, the culprit alone, and in few transactions."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from math import ceil, log2
from typing import Any

import pytest
from core import commands as c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from veche.storage import batch

from .conftest import Town, codes

CHANNEL = 1
ANN, BOB, EVE = 1, 2, 3

RAISES = c.by(BOB, c.ReadUpTo(CHANNEL, None))  # type: ignore[arg-type]
BREAKS = c.by(
    BOB, c.OpenSession("taken", 60, "hash")
)  # ids of sessions are ours, and random: no decision looks at them
UNFIT = c.by(BOB, c.AddEchoLines(1, (((), "a source that is no text"),)))  # type: ignore[arg-type]
CULPRITS = {"raises": RAISES, "breaks a constraint": BREAKS, "gives what no column takes": UNFIT}


@pytest.fixture(autouse=True)
def prepared(town: Town, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    town.do(c.by(ANN, c.OpenSession("taken", 60, "hash")))
    with caplog.at_level(logging.CRITICAL):
        yield


def count(town: Town, requests: list[c.Request]) -> tuple[list[str], int]:
    """Store a batch; give what became of each command, and how many transactions were begun."""
    begun = town.database.begun
    outcomes = codes(town.batch(*requests))
    return outcomes, town.database.begun - begun


@pytest.mark.parametrize("size", [1, 2, 3, 10, 1000])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
@pytest.mark.parametrize("kind", CULPRITS)
def test_one_culprit_costs_no_more_than_a_few_transactions(town: Town, kind: str, place: str, size: int) -> None:
    at = {"first": 0, "middle": size // 2, "last": size - 1}[place]
    requests = [town.say(CHANNEL, str(number)) for number in range(size)]
    requests[at] = CULPRITS[kind]
    outcomes, begun = count(town, requests)
    assert outcomes == ["ok"] * at + ["internal"] + ["ok"] * (size - at - 1)
    assert begun <= (5 if kind == "raises" else 2 + 2 * ceil(log2(size)))
    stored = town.rows("SELECT text FROM messages ORDER BY seq")
    assert stored == [(str(number),) for number in range(size) if number != at]


@pytest.mark.parametrize("kind", CULPRITS)
def test_a_batch_of_culprits_ends_and_reads_little_more_than_once(
    town: Town, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, each one that raised was a call deeper: the thread of the writer ended with a RecursionError."""
    size = 1000
    read, lock = 0, batch.lock_needed_rows

    def counting(tx: Any, commands: Any) -> Any:
        nonlocal read
        read += len(commands)
        return lock(tx, commands)

    monkeypatch.setattr(batch, "lock_needed_rows", counting)
    outcomes, begun = count(town, [CULPRITS[kind]] * size)
    assert set(outcomes) == {"internal"}
    assert begun <= 3 * size
    assert read <= size * (ceil(log2(size)) + 3)


@settings(
    max_examples=examples(40),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(kinds=st.lists(st.sampled_from([None, None, None, *CULPRITS]), min_size=1, max_size=24))
def test_all_but_the_culprits_are_stored_once_and_in_order(town: Town, kinds: list[str | None]) -> None:
    last = town.head(CHANNEL)
    requests = [CULPRITS[kind] if kind else town.say(CHANNEL, str(number)) for number, kind in enumerate(kinds)]
    outcomes, begun = count(town, requests)
    assert outcomes == ["internal" if kind else "ok" for kind in kinds]
    sent = [(str(number),) for number, kind in enumerate(kinds) if kind is None]
    assert town.rows(f"SELECT text FROM messages WHERE seq > {last} ORDER BY seq") == sent
    culprits = sum(kind is not None for kind in kinds)
    assert begun <= 1 + culprits * (3 + 2 * ceil(log2(len(kinds))))
