"""Sizes, error tables, and what may not stand in a file. The lists of exceptions may only shrink."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from veche.core.command import Command
from veche.core.errors import Code
from veche.core.event import Event, LogEvent
from veche.core.facts import Fact
from veche.core.messages import Message
from veche.gateway.endings import Ending

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "veche"
MODULES = sorted(SOURCE.rglob("*.py"))

MAX_FILE = 400
MAX_FUNCTION = 40
LONG_FILES: set[str] = set()  # path in src/veche; may only shrink
LONG_FUNCTIONS: set[str] = set()  # path:name; may only shrink

TABLES = ("STATUS", "ANSWERS")  # how a dialect's errors.py may call its table
DIALECTS = sorted(path.parent.name for path in (SOURCE / "dialects").glob("*/errors.py"))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dialect_has_an_answer_for_every_refusal(dialect: str) -> None:
    errors = importlib.import_module(f"veche.dialects.{dialect}.errors")
    tables = [getattr(errors, name) for name in TABLES if hasattr(errors, name)]
    assert len(tables) == 1, f"dialects/{dialect}/errors.py needs one table by Code, called one of {TABLES}"
    missing = set(Code) - set(tables[0])
    assert not missing, f"dialects/{dialect}/errors.py: add {sorted(missing)} to the table"
    assert not set(tables[0]) - set(Code), "the table has codes that core/errors.py does not know"


def test_every_dialect_has_its_errors() -> None:
    folders = {path.parent.name for path in (SOURCE / "dialects").glob("*/__init__.py")}
    assert folders == set(DIALECTS), "each folder of dialects/ needs an errors.py with a table of answers"


CLOSING = sorted(set(DIALECTS) - {"socketio"})  # Engine.IO closes by itself


@pytest.mark.parametrize("dialect", CLOSING)
def test_a_dialect_has_a_close_code_for_every_ending(dialect: str) -> None:
    table = importlib.import_module(f"veche.dialects.{dialect}.errors").CLOSE_CODES
    assert set(table) == set(Ending), f"dialects/{dialect}/errors.py: CLOSE_CODES has one line for each ending"


def test_dialects_reach_the_hub_through_their_client() -> None:
    found = {
        f"{path.relative_to(SOURCE)}: .{node.attr}"
        for path in (SOURCE / "dialects").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("hub", "subscriber", "_subscriber", "subscriptions")
    }
    assert not found, f"gateway/client.py: give Client what these need: {sorted(found)}"


def subclasses(base: type) -> set[type]:
    for path in (SOURCE / "core").glob("*.py"):
        importlib.import_module(f"veche.core.{path.stem}")
    found = {kind for kind in base.__subclasses__() if kind.__module__.startswith("veche.core")}
    return found.union(*(subclasses(kind) for kind in found))


def test_every_command_is_decided() -> None:
    undecided = [kind.__name__ for kind in subclasses(Command) if kind.decide is Command.decide]
    assert not undecided, f"give these a `decide`: {undecided}"


def test_every_event_of_a_log_is_stored() -> None:
    from veche.storage.entries import KINDS

    missing = subclasses(LogEvent) - set(KINDS) - {Message}
    assert not missing, f"name these in `entries` of their subject's file in storage: {missing}"


def test_every_event_that_changes_rows_is_written() -> None:
    from veche.storage.batch import _WRITES

    written = {kind for kinds, _ in _WRITES for kind in kinds}
    missing = subclasses(Event) - subclasses(LogEvent) - {LogEvent} - written
    assert not missing, f"write these in `writes` of their subject's file in storage: {missing}"


def test_every_fact_is_loaded() -> None:
    from veche.storage.batch import _LOADS

    facts = {
        value
        for path in (SOURCE / "core").glob("*.py")
        for value in vars(importlib.import_module(f"veche.core.{path.stem}")).values()
        if isinstance(value, Fact)
    }
    assert facts == set(_LOADS), "each fact has a load in its subject's file in storage"


def test_the_hub_knows_no_kind_of_event() -> None:
    allowed = {
        "veche.core.event": {"LogEvent"},
        "veche.core.values": {"LogId", "Person", "account_log"},
    }
    for path in sorted((SOURCE / "hub").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import | ast.ImportFrom) else set()
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            assert not any(name.startswith("veche.core") for name in names), (
                f"hub/{path.name}: import names, not modules"
            )
            assert module != "veche.core", f"hub/{path.name}: import names, not modules"
            if module.startswith("veche.core.") and module != "veche.core.effects":
                wrong = names - allowed.get(module, set())
                assert not wrong, f"hub/{path.name} knows {sorted(wrong)}: let the event say so (core/effects.py)"


def test_files_are_short() -> None:
    long = {str(path.relative_to(SOURCE)) for path in MODULES if len(path.read_text().splitlines()) > MAX_FILE}
    assert not long - LONG_FILES, f"over {MAX_FILE} lines, part them by noun: {sorted(long - LONG_FILES)}"
    assert not LONG_FILES - long, f"these are short now, take them off LONG_FILES: {sorted(LONG_FILES - long)}"


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{path.relative_to(SOURCE)}:{node.name}", node.end_lineno - node.lineno + 1


def test_functions_are_short() -> None:
    long = {name for path in MODULES for name, lines in functions(path) if lines > MAX_FUNCTION}
    assert not long - LONG_FUNCTIONS, f"over {MAX_FUNCTION} lines, name the parts: {sorted(long - LONG_FUNCTIONS)}"
    assert not LONG_FUNCTIONS - long, (
        f"these are short now, take them off LONG_FUNCTIONS: {sorted(LONG_FUNCTIONS - long)}"
    )


def test_every_module_opens_with_a_sentence() -> None:
    silent = [str(path.relative_to(SOURCE)) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent, f"open these with one sentence that says what they are for: {silent}"


def tracked() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


MACHINES = re.compile(rb"/(?:home|Users)/(?!you\b|user\b|me\b|veche\b)[a-z][\w.-]*/|/root/\.|[A-Z]:\\Users\\")
REGISTRIES = re.compile(rb"--(?:extra-)?index-url|https?://[^\s\"']*/simple\b|https?://[\w.-]*:[^/\s@]+@")
MAY_NAME_THEM = {"tests/arch/test_house.py"}


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [
        (MACHINES, "holds a path of one developer's machine: make it relative"),
        (REGISTRIES, "holds the address of a package registry: that is for each machine's own settings to say"),
    ],
    ids=["machines", "registries"],
)
def test_no_file_tells_where_it_was_made(pattern: re.Pattern[bytes], advice: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode(errors='replace')}"
        for path in tracked()
        if str(path.relative_to(ROOT)) not in MAY_NAME_THEM and (match := pattern.search(path.read_bytes()))
    ]
    assert not found, f"{advice}: {found}"


LOCKS = sorted(path.name for path in ROOT.glob("*.lock"))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_every_package_by_hash_and_names_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^#.*\n", "", text).strip())
    assert entries
    for entry in entries:
        assert re.match(r"[\w.\[\]-]+==\S+", entry), f"{name}: pin with ==: {entry.splitlines()[0]}"
        assert "--hash=sha256:" in entry, f"{name}: make it anew with `make lock`: no hash for {entry.split()[0]}"
    assert "://" not in text, f"{name} names an address: make it anew with `make lock`"


def test_there_are_locks() -> None:
    assert {"requirements.lock", "requirements-dev.lock"} <= set(LOCKS)
