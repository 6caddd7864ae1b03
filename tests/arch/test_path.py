"""The path of a message is short enough to read, and docs/ARCHITECTURE.md shows it as measured."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATHS = runpy.run_path(str(ROOT / "scripts" / "paths.py"))


MAX_FILES = 39
MAX_LINES_RUN = 541

Trail = dict[str, Any]


@pytest.fixture(scope="module")
def trails() -> list[Trail]:
    measured: list[Trail] = PATHS["measure"]()
    return measured


@pytest.mark.slow
def test_the_path_of_a_message_is_short(trails: list[Trail]) -> None:
    message = trails[0]
    assert message["scenario"] == "native `send`"
    assert len(message["files"]) <= MAX_FILES, f"a message should not need all of these: {message['files']}"
    assert message["lines_run"] <= MAX_LINES_RUN, f"a message should not need {message['lines_run']} lines"


@pytest.mark.slow
def test_the_map_shows_what_was_measured(trails: list[Trail]) -> None:
    """The files of a message exactly, and the figures of all actions within one percent.

    A timer or a slow disk may add some lines to an action, so the figures of two measurements differ a little.
    """
    shown = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for row in PATHS["steps"](trails[0]["files"]):
        assert row in shown, "run scripts/paths.py"
    for trail in trails:
        [line] = [line for line in shown.splitlines() if line.startswith(f"| {trail['scenario']} |")]
        expected, found = (figures_in(text) for text in (line, PATHS["figures_of"](trail)))
        for was, now in zip(expected, found, strict=True):
            assert abs(was - now) <= max(2, was // 100), f"run scripts/paths.py: {trail['scenario']} is now {found}"


def figures_in(row: str) -> list[int]:
    return [int(cell) for cell in row.strip("| ").split(" | ")[1:]]


def test_a_file_without_a_sentence_is_told() -> None:
    with pytest.raises(SystemExit, match=r"wire/new\.py: a message enters it; add a sentence"):
        PATHS["steps"]([*PATHS["SENTENCES"], "wire/new.py"])


def test_a_sentence_without_a_file_is_told() -> None:
    first, *others = PATHS["SENTENCES"]
    with pytest.raises(SystemExit, match=f"{first}: no message enters it any more"):
        PATHS["steps"](others)
