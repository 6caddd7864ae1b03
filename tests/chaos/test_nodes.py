"""A short run of the checker over two nodes: whatever fails between them, nothing is lost. And its mutants."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from .mutants import build_copy
from .node_mutants import NODE_MUTANTS, NodeMutant, failures
from .nodes import NodeEnds, NodeIsCutOff, NodeStops, Round, ServiceFails, WireFails, plan_rounds
from .run import RunOptions, run_nodes, summary

SEED = "two"
AWAY_P99 = 1.5
"""Seconds. The bound for deliveries to the other node while nodes do not hear each other."""
ROUNDS: tuple[Round, ...] = (
    (ServiceFails("redis", "killed", 2.0),),
    (ServiceFails("postgres", "killed", 0.0),),
    (NodeEnds(0, "kill", 0.5), ServiceFails("redis", "flushed")),
    (WireFails(1, "postgres", "cut", 1.0),),
    (NodeStops(1, 2.0),),
    (WireFails(0, "redis", "silent", 3.0),),
    (NodeEnds(1, "after_commit_before_ack", 0.0, hit=10),),
    (NodeIsCutOff(0, 2.0),),
    (ServiceFails("postgres", "paused", 1.0), ServiceFails("redis", "clients dropped")),
)


def kind(act: object) -> str:
    match act:
        case NodeEnds(how=how):
            return "node kill" if how == "kill" else "node drain" if how == "drain" else "node crash"
        case NodeStops():
            return "node stops"
        case NodeIsCutOff():
            return "node cut off"
        case ServiceFails(service=service, how=how):
            return f"{service} {how}"
        case WireFails(service=service, how=how):
            return f"network to {service} {how}"
    raise AssertionError(act)


@pytest.mark.parametrize("faults", [1, 8, 20, 100])
def test_a_plan_has_as_many_faults_as_asked(faults: int) -> None:
    rounds = plan_rounds(faults, random.Random(SEED))
    assert sum(map(len, rounds)) == faults
    assert all(1 <= len(acts) <= 2 for acts in rounds)


def test_a_plan_of_100_has_each_kind_about_equally_often() -> None:
    kinds = Counter(kind(act) for acts in plan_rounds(100, random.Random(SEED)) for act in acts)
    assert len(kinds) == 16
    assert min(kinds.values()) >= 5
    assert plan_rounds(30, random.Random("a")) == plan_rounds(30, random.Random("a"))


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_nothing_is_lost_through_eleven_faults_of_two_nodes(tmp_path: Path) -> None:
    options = RunOptions(SEED, (), rounds=ROUNDS)
    outcome = asyncio.run(run_nodes(options, tmp_path))
    assert outcome.kinds == set(), summary(options, outcome)
    assert outcome.figures.acked == outcome.figures.stored > 0
    assert outcome.figures.away > 0
    assert outcome.figures.away_p99 < AWAY_P99, summary(options, outcome)


@pytest.mark.parametrize("mutant", NODE_MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mutant_fits_the_source(mutant: NodeMutant, tmp_path: Path) -> None:
    build_copy(mutant.name, (mutant.edit,), tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "mutant",
    [pytest.param(mutant, marks=[pytest.mark.long] if mutant.is_seen_late else []) for mutant in NODE_MUTANTS],
    ids=lambda mutant: mutant.name,
)
def test_each_mutant_is_caught(mutant: NodeMutant, tmp_path: Path) -> None:
    assert mutant.test.partition("[")[0] in failures(mutant, tmp_path)
