"""How fast the background works beside others. One core, and clocks that stand until something is done."""

from __future__ import annotations

import pytest

from veche.service.pace import LEAST, MOST, Clocks, Pace


class Core:
    """A core on which others compute for a part of the time, and the background works in the rest."""

    def __init__(self, others: float) -> None:
        self.others = others
        self.passed = self.mine = self.all = 0.0

    def read(self) -> Clocks:
        return Clocks(self.passed, self.mine, self.all)

    def work(self, seconds: float) -> None:
        """Work in the background. It takes longer if others compute."""
        self.mine += seconds
        self.rest(seconds / max(1 - self.others, 0.1))
        self.all += seconds

    def rest(self, seconds: float) -> None:
        self.passed += seconds
        self.all += seconds * self.others


@pytest.mark.parametrize(
    ("others", "least", "most"),
    [(0.0, 0.45, MOST), (0.3, 0.4, MOST), (0.5, 0.25, 0.35), (0.8, LEAST / 2, 0.1), (1.0, LEAST / 2, LEAST)],
)
def test_the_background_takes_what_others_leave(others: float, least: float, most: float) -> None:
    core = Core(others)
    pace = Pace(core.read)
    for _ in range(100):
        core.work(0.01)
        core.rest(pace.rest())
    assert least <= core.mine / core.passed <= most * 1.01


def test_it_is_fast_again_when_others_are_done() -> None:
    core = Core(1.0)
    pace = Pace(core.read)
    core.work(0.01)
    core.rest(pace.rest())
    core.others = 0.0
    core.work(0.01)
    pace.rest()
    core.work(0.01)
    assert pace.rest() == pytest.approx(0.01, rel=0.2)
