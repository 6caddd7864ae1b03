"""The way of a message is short enough to be read, and docs/ARCHITECTURE.md shows it as it was measured."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATHS = runpy.run_path(str(ROOT / "scripts" / "paths.py"))


class Bounds(NamedTuple):
    files: int
    lines: int  # of the functions that a message enters


GOAL = Bounds(files=24, lines=650)
TODAY = Bounds(files=28, lines=700)
MOST_FILES, MOST_LINES = TODAY

Trail = dict[str, Any]


@pytest.fixture(scope="module")
def trails() -> list[Trail]:
    measured: list[Trail] = PATHS["measure"]()
    return measured


def test_the_way_of_a_message_is_short(trails: list[Trail]) -> None:
    message = trails[0]
    assert message["scenario"] == "native `send`"
    assert len(message["files"]) <= MOST_FILES, f"move what a message does not need out of its way: {message['files']}"
    assert message["lines"] <= MOST_LINES, f"{message['lines']} lines: move what a message does not need out of its way"


def test_the_map_shows_what_was_measured(trails: list[Trail]) -> None:
    page: str = PATHS["page"](trails)
    assert (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8") == page, "run scripts/paths.py"


def test_a_file_without_a_sentence_is_told() -> None:
    with pytest.raises(SystemExit, match=r"wire/new\.py: a message enters it; add a sentence"):
        PATHS["steps"]([*PATHS["SENTENCES"], "wire/new.py"])


def test_a_sentence_without_a_file_is_told() -> None:
    first, *others = PATHS["SENTENCES"]
    with pytest.raises(SystemExit, match=f"{first}: no message enters it any more"):
        PATHS["steps"](others)
