"""Parses docs/native.md: its tables by heading, and its examples, which leave out quotes and values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).parents[3] / "docs" / "native.md"
_STRING = re.compile(r'"(?:\\.|[^"\\])*"')
_WORD = re.compile(r"[a-z_]+(?P<key>\s*:)?")


class Example(NamedTuple):
    """One JSON value of the page. `whole` if it shows every key."""

    line: int
    sent: bool
    value: Any
    whole: bool


def sections() -> dict[str, str]:
    """Return the text below each heading, up to the next heading."""
    parts = re.split(r"^#+ (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def line_of(text: str) -> int:
    """Return the number of the line that is this text."""
    return PAGE.read_text(encoding="utf-8").splitlines().index(text) + 1


def table(heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading, without the table's head."""
    rows = [line for line in sections()[heading].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def codes(cell: str) -> list[str]:
    """Return the parts of a cell that are in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def examples() -> list[Example]:
    """Return every JSON value in the page's blocks and text."""
    found: list[Example] = []
    inside = False
    waiting = ""
    for number, line in enumerate(PAGE.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            inside, waiting = not inside, ""
        elif not inside:
            inline = [] if line.startswith("|") else re.findall(r'`(\{"[^`]*\})`', line)
            found += [Example(number, False, parse_loose(text), not _has_dots(text)) for text in inline]
        else:
            waiting += line.strip()
            start = waiting.find("{")
            if start >= 0 and waiting.count("{") == waiting.count("}"):
                text = waiting[start : waiting.rfind("}") + 1]
                found.append(Example(number, waiting.startswith("→"), parse_loose(text), not _has_dots(text)))
                waiting = ""
            elif start < 0:
                waiting = ""
    return found


def parse_loose(text: str) -> Any:
    """Parse `{id, name: [x], "y":…}`: a word is a key without a value; dots are left out."""
    parts, end = [], 0
    for string in _STRING.finditer(text):
        parts += [_to_json(text[end : string.start()]), string[0]]
        end = string.end()
    return json.loads(re.sub(r",\s*,", ",", "".join([*parts, _to_json(text[end:])])))


def _to_json(between: str) -> str:
    between = re.sub(r",\s*…", "", between)
    between = between.replace("…", "null")
    opened = re.sub(r"\[([a-z_]+)\]", r'["\1"]', between)
    return "".join(
        piece if piece.startswith('"') else _WORD.sub(_quoted, piece) for piece in re.split(r'("[a-z_]*")', opened)
    )


def _quoted(word: re.Match[str]) -> str:
    name = word[0].rstrip(": ")
    if name in ("true", "false", "null"):
        return word[0]
    return f'"{name}":' if word["key"] else f'"{name}":null'


def _has_dots(text: str) -> bool:
    return "…" in _STRING.sub('""', text)


def differs(shown: Any, real: Any, whole: bool, at: str = "") -> list[str]:
    """List the differences between the keys of the page and those that were sent; values are not compared."""
    if isinstance(shown, dict) and isinstance(real, dict):
        if all(key.isdigit() for key in (*shown, *real)):
            return []
        wrong = [f"{at}/{key} is not sent" for key in shown if key not in real]
        wrong += [f"{at}/{key} is not shown" for key in real if key not in shown and whole]
        both = [key for key in shown if key in real]
        return wrong + [line for key in both for line in differs(shown[key], real[key], whole, f"{at}/{key}")]
    if isinstance(shown, list) and isinstance(real, list) and shown and real:
        return differs(shown[0], real[0], whole, f"{at}/0")
    return []
