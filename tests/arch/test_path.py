"""The path of a message is short enough to read, and docs/ARCHITECTURE.md shows it as measured."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATHS = runpy.run_path(str(ROOT / "scripts" / "paths.py"))


MAX_FILES = 39
MAX_LINES_RUN = 530
MEASUREMENTS = 5

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
    shown = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    found = list(trails)
    for _ in range(MEASUREMENTS - 1):
        if shown == PATHS["page"](found):
            return
        # On a busy machine, a timer may run in the middle of an action. What is out of date always differs.
        again = PATHS["measure"]()
        found = [old if PATHS["figures_of"](old) in shown else new for old, new in zip(found, again, strict=True)]
    assert shown == PATHS["page"](found), "run scripts/paths.py"


def test_a_file_without_a_sentence_is_told() -> None:
    with pytest.raises(SystemExit, match=r"wire/new\.py: a message enters it; add a sentence"):
        PATHS["steps"]([*PATHS["SENTENCES"], "wire/new.py"])


def test_a_sentence_without_a_file_is_told() -> None:
    first, *others = PATHS["SENTENCES"]
    with pytest.raises(SystemExit, match=f"{first}: no message enters it any more"):
        PATHS["steps"](others)
