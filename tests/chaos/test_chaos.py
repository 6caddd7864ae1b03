"""A short run of the checker: the server ends ten times, also at every crash point, and nothing is lost."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from .nemesis import CRASH_POINTS, Crash, Drain, Kill, plan
from .run import RunOptions, run, summary

SEED = "ten"


@pytest.mark.parametrize("kills", [6, 10, 30])
def test_a_plan_has_every_kind_of_end(kills: int) -> None:
    acts = plan(kills, random.Random(SEED))
    assert len(acts) == kills
    assert {act.point for act in acts if isinstance(act, Crash)} == set(CRASH_POINTS)
    assert sum(isinstance(act, Drain) for act in acts) == 1
    assert any(isinstance(act, Kill) for act in acts)


def test_a_plan_follows_from_its_seed() -> None:
    assert plan(30, random.Random("a")) == plan(30, random.Random("a")) != plan(30, random.Random("b"))


@pytest.mark.chaos
@pytest.mark.timeout(120)
def test_nothing_is_lost_through_ten_ends(tmp_path: Path) -> None:
    options = RunOptions(SEED, plan(10, random.Random(SEED)))
    outcome = asyncio.run(run(options, tmp_path))
    assert outcome.kinds == set(), summary(options, outcome)
    assert outcome.figures.acked == outcome.figures.stored > 0
