"""The short run of the checker: ten ends of the server, every crash point among them, and nothing lost."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from .nemesis import CRASH_POINTS, Crash, Drain, Kill, plan
from .run import Setting, run, summary

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
    setting = Setting(SEED, plan(10, random.Random(SEED)))
    outcome = asyncio.run(run(setting, tmp_path))
    assert outcome.kinds == set(), summary(setting, outcome)
    assert outcome.figures.acked == outcome.figures.stored > 0
