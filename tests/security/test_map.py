"""docs/security.md names every control once, and each of the tests that it names exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).resolve().parents[1]
PAGE = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")
CONTROLS = [*(f"C{number}" for number in range(1, 47)), "C16b", "C16c", "C23b"]
NOT_BUILT = "Not built: "


class Row(NamedTuple):
    """One control: its number, the attack, what Veche does, and the tests, each as `file::function` or a transcript."""

    number: str
    attack: str
    does: str
    tests: str


def rows(page: str) -> Iterator[Row]:
    for line in page.splitlines():
        if line.startswith("| C"):
            number, attack, does, tests = (cell.strip() for cell in line.strip("|").split("|"))
            yield Row(number, attack, does, tests)


ROWS = list(rows(PAGE))


def named(text: str) -> list[str]:
    return re.findall(r"`([\w/]+\.(?:py::\w+|txt))`", text)


@cache
def functions(path: Path) -> frozenset[str]:
    """Return the names of the tests of a file, also of those in classes; none if there is no such file."""
    if not path.is_file():
        return frozenset()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, kinds)}
    return frozenset(name for name in names if name.startswith("test_"))


def exists(test: str) -> bool:
    path, _, name = test.partition("::")
    return name in functions(TESTS / path) if name else (TESTS / path).is_file()


def test_every_control_is_there_once() -> None:
    assert sorted(row.number for row in ROWS) == sorted(CONTROLS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_a_control_has_tests_or_the_reason_why_it_is_not_built(row: Row) -> None:
    assert row.attack
    if row.does.startswith(NOT_BUILT):
        assert len(row.does) > len(NOT_BUILT) + 20, "say why"
        assert not row.tests
    else:
        assert named(row.tests)
        assert re.fullmatch(r"`[^`]+`(, `[^`]+`)*", row.tests), "only tests stand here"
        assert len(named(row.tests)) == row.tests.count("`") / 2, "each as file.py::test_name, or a transcript"
    missing = [test for test in named(row.does + row.tests) if not exists(test)]
    assert not missing


@pytest.mark.parametrize("test", ["security/test_map.py::test_nowhere", "nowhere.py::test_x", "contract/nowhere.txt"])
def test_a_test_that_is_not_there_is_found(test: str) -> None:
    assert named(f"`{test}`") == [test]
    assert not exists(test)
