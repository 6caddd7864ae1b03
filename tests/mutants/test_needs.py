"""One need of each command is left out, and a test of the core notices; `make needs` leaves out them all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .needs import ROOT, Line, Need, decided, never_ran

FAILS_OPEN = "from veche.core.facts import Rows; Rows.get = Rows.peek"  # a row nobody asked for is a row not there


def leave_out(before: str = "") -> tuple[int, str]:
    """Run the quick round in a Python of its own, after a statement that breaks something."""
    script = f"{before}\nimport sys\nfrom tests.mutants.needs import main\nsys.exit(main(['--quick']))"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr


@pytest.mark.timeout(60)
def test_one_need_of_each_command_is_missed() -> None:
    code, said = leave_out()
    assert code == 0, said
    assert f"{len(decided())} needs left out" in said
    assert all(f"] {kind.__name__}: " in said for kind in decided())


@pytest.mark.timeout(60)
def test_where_a_forgotten_need_fails_open_it_is_not_missed() -> None:
    """What the review found: without NotAsked a decision takes a row that nobody asked for as one that is not there."""
    code, said = leave_out(FAILS_OPEN)
    assert code == 1, said
    assert "NOT NOTICED" in said


def test_a_line_that_asks_and_that_no_test_runs_is_named() -> None:
    never = never_ran([])
    file, _, number = never[0].partition(":")
    ran = Need("AnyCommand", "accounts", (Line(file, int(number)),), 1)
    assert never_ran([ran]) == never[1:]
