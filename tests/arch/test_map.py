"""docs/ARCHITECTURE.md tells the truth about the path of a message."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "veche"
MOST_LINES = 2_600


def path_of_a_message() -> set[Path]:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.split("## The path of a message")[1].split("\n## ")[0]
    return {PACKAGE / name for name in re.findall(r"`([\w/]+\.py)`", table)}


def test_every_file_on_the_path_is_there():
    files = path_of_a_message()
    assert len(files) > 10
    assert [file for file in files if not file.is_file()] == []


def test_the_path_can_be_read_in_an_hour():
    lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in path_of_a_message())
    assert lines <= MOST_LINES, f"{lines} lines: move what a message does not need out of its way"
