"""Tests of the checker: it finds the broken promise of each mutant."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from .mutants import MUTANTS, Edit, Mutant, StaleMutantError, build
from .run import RunOptions, run, summary

MADE_UP = Mutant("made up", (Edit("a.py", "x = 1\n", "x = 2\n"),), frozenset(), ())


def package(folder: Path, source: str) -> Path:
    folder.mkdir()
    (folder / "a.py").write_text(source)
    return folder


def test_a_mutant_is_a_copy_with_the_text_replaced(tmp_path: Path) -> None:
    original = package(tmp_path / "original", "x = 1\ny = 1\n")
    copy = build(MADE_UP, tmp_path / "mutant", original)
    assert (copy / "veche" / "a.py").read_text() == "x = 2\ny = 1\n"
    assert (original / "a.py").read_text() == "x = 1\ny = 1\n"


@pytest.mark.parametrize(("source", "times"), [("y = 1\n", 0), ("x = 1\nx = 1\n", 2)])
def test_a_mutant_is_stale_unless_its_text_is_there_once(tmp_path: Path, source: str, times: int) -> None:
    original = package(tmp_path / "original", source)
    with pytest.raises(StaleMutantError, match=f"'made up'.*{times} times in a.py, not once"):
        build(MADE_UP, tmp_path / "mutant", original)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mutant_fits_the_source(mutant: Mutant, tmp_path: Path) -> None:
    build(mutant, tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(120)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mutant_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    copy = build(mutant, tmp_path / "package")
    (tmp_path / "data").mkdir()
    options = RunOptions(mutant.name, mutant.acts, package=copy, traffic=mutant.traffic)
    outcome = asyncio.run(run(options, tmp_path / "data"))
    assert outcome.kinds & mutant.expected, summary(options, outcome)
