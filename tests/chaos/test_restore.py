"""A few drills of a restore. `make test-all` runs fifty."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from .restore import STEPS, plan, run, summary

DRILLS = 5


def test_a_plan_has_every_step_and_any_moment() -> None:
    drills = plan(2 * len(STEPS), random.Random("plan"))
    assert {drill.step for drill in drills} == {*STEPS, None}
    assert plan(9, random.Random("a")) == plan(9, random.Random("a")) != plan(9, random.Random("b"))


@pytest.mark.chaos
@pytest.mark.timeout(240)
def test_a_restore_that_is_killed_leaves_the_old_or_the_new_database(tmp_path: Path) -> None:
    results = asyncio.run(run(plan(DRILLS, random.Random("five")), tmp_path))
    assert not [result for result in results if result.wrong], summary(results)
    print(f"{DRILLS} of the 50 drills of `make test-all`")
