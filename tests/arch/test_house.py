"""Sizes, error tables, and what may not stand in a file. The lists of exceptions may only shrink."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Integer, String, Text

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


def test_the_hub_names_no_kind_of_event() -> None:
    """Events carry their effects: a new event needs no change of the hub."""
    kinds = {kind.__name__ for kind in subclasses(Event)} - {LogEvent.__name__}
    allowed = {"veche.core.actor", "veche.core.effects", "veche.core.event", "veche.core.values"}
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in (SOURCE / "hub").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Name) and node.id in kinds)
        or (isinstance(node, ast.Attribute) and node.attr in kinds)
        or (isinstance(node, ast.alias) and node.name.startswith("veche.core"))
        or (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith("veche.core")
            and node.module not in allowed
        )
    ]
    assert not found, f"core: let the event say what it changes for clients, in `effects`: {found}"


def by_position(tree: ast.AST) -> Iterator[int]:
    """Find the lines that read a row by the position of its columns: `row[0]`, or a row taken apart in a loop."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and type(node.slice.value) is int:
            if isinstance(node.value, ast.Name) and node.value.id in ROWS:
                yield node.lineno
        elif isinstance(node, ast.For | ast.comprehension) and isinstance(node.target, ast.Tuple):
            call = node.iter
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in QUERIES:
                yield node.target.lineno


ROWS = ("row", "found", "result")
QUERIES = ("read_by_keys", "execute", "exec_driver_sql", "all")


@pytest.mark.parametrize(
    "bad",
    [
        "row[0]",
        "Person(row.id, row[1])",
        "[id for id, name in tx.execute(query)]",
        "for id, name in tx.read_by_keys(query, keys): pass",
        "{id: name for id, name in connection.execute(query).all()}",
    ],
)
def test_reading_a_row_by_position_is_found(bad: str) -> None:
    assert list(by_position(ast.parse(bad))) == [1]


def test_rows_are_read_by_name() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{line}"
        for path in (SOURCE / "storage").rglob("*.py")
        if "migrations" not in path.parts
        for line in by_position(ast.parse(path.read_text()))
    ]
    assert not found, f"storage: read columns by name, so that a new one in between changes nothing: {found}"


def module_of(path: Path) -> str:
    return ".".join(("veche", *path.relative_to(SOURCE).with_suffix("").parts))


def used_names(path: Path) -> Iterator[tuple[str, str]]:
    """Find what a module uses of others and of itself: each a module and a name in it."""
    tree = ast.parse(path.read_text())
    modules: dict[str, str] = {}  # as this one calls them
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            modules |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Name):
            yield module_of(path), node.id
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr


def test_every_function_of_storage_is_called() -> None:
    """A query that nobody asks is no part of the product."""
    used = {name for path in MODULES for name in used_names(path)}
    unused = [
        f"{path.relative_to(SOURCE)}:{node.name}"
        for path in (SOURCE / "storage").rglob("*.py")
        if "migrations" not in path.parts
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and (module_of(path), node.name) not in used
    ]
    assert not unused, f"nobody calls these, remove them: {sorted(unused)}"


def subclasses(base: type) -> set[type]:
    for path in (SOURCE / "core").glob("*.py"):
        importlib.import_module(f"veche.core.{path.stem}")
    found = {kind for kind in base.__subclasses__() if kind.__module__.startswith("veche.core")}
    return found.union(*(subclasses(kind) for kind in found))


def test_every_command_is_decided() -> None:
    undecided = [kind.__name__ for kind in subclasses(Command) if kind.decide is Command.decide]
    assert not undecided, f"give these a `decide`: {undecided}"


def test_every_event_of_a_log_is_stored() -> None:
    from veche.storage.entries import EVENT_TYPES

    missing = subclasses(LogEvent) - set(EVENT_TYPES) - {Message}
    assert not missing, (
        f"name these in `entries` of their subject's file, and that file in storage/subjects.py: {missing}"
    )


def test_every_event_that_changes_rows_is_written() -> None:
    from veche.storage.batch import _WRITES

    written = {kind for kinds, _ in _WRITES for kind in kinds}
    missing = subclasses(Event) - subclasses(LogEvent) - {LogEvent} - written
    assert not missing, f"write these in `writes` of their subject's file in storage: {missing}"


def test_decisions_read_only_what_they_ask_for() -> None:
    """`peek` and `items` check nothing. Only `Event.apply` uses them."""
    unchecked = [
        f"core/{path.name}:{node.lineno}"
        for path in sorted((SOURCE / "core").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in ("peek", "items")
        and isinstance(node.value, ast.Name)
        and node.value.id == "state"
    ]
    assert not unchecked, f"use `state.get`: {unchecked}"


def test_every_row_that_an_event_changes_is_written() -> None:
    """A row is written by its fact (`saves`), or by the event that changes it (`writes`)."""
    from veche.storage.batch import _WRITES
    from veche.storage.subjects import SUBJECTS

    written = {kind for kinds, _ in _WRITES for kind in kinds}
    written -= {kind for subject in SUBJECTS for kind in subject.entries} - {
        kind for subject in SUBJECTS for kinds in subject.writes for kind in kinds
    }
    saved = {fact for subject in SUBJECTS for fact in subject.saves}
    lost = {
        f"{kind.__name__} changes {name}"
        for kind in subclasses(Event) - written
        for name in facts_changed_by(kind)
        if vars(sys.modules[kind.__module__])[name] not in saved
    }
    assert not lost, f"name these in `writes` or `saves` of their subject's file in storage: {sorted(lost)}"


def facts_changed_by(kind: type) -> set[str]:
    """Return the names of the facts that an event's own `apply` puts or removes rows of."""
    if "apply" not in vars(kind):
        return set()
    return {
        node.args[0].id
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(kind.apply))))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("put", "remove")
        and isinstance(node.args[0], ast.Name)
    }


def test_every_fact_is_loaded() -> None:
    from veche.storage.batch import _LOADS

    facts = {
        value
        for path in (SOURCE / "core").glob("*.py")
        for value in vars(importlib.import_module(f"veche.core.{path.stem}")).values()
        if isinstance(value, Fact) and value.rows is value
    }
    missing = {fact.name for fact in facts ^ set(_LOADS)}
    assert not missing, (
        f"name these in `loads` of their subject's file, and that file in storage/subjects.py: {missing}"
    )


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


def test_a_logger_is_called_logger() -> None:
    """Or `_access` and the like, beside one: `log` and `logs` are the chat's."""
    named = re.compile(r"^(\w+)(?:: \S+)? = logging\.getLogger", re.MULTILINE)
    found = {name for module in MODULES for name in named.findall(module.read_text())}
    assert found >= {"logger"}
    assert not found & {"log", "_log", "logs", "_logger"}


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


def test_columns_need_no_conversion() -> None:
    """Statements run on the driver (docs/decisions/0013), so SQLAlchemy converts no value."""
    import veche.storage.subjects  # noqa: F401  # declares every table
    from veche.storage.tables import metadata

    plain = (BigInteger, Integer, String, Text)
    other = [
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if type(column.type) not in plain
    ]
    assert not other, f"give these a type that the driver takes as it is, integer or text: {other}"


@pytest.mark.slow
def test_a_server_on_sqlite_imports_no_driver_of_a_service() -> None:
    code = "import sys, veche.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"psycopg", "redis", "sqlalchemy.dialects.postgresql", "alembic"} & set(loaded)


def test_only_one_module_asks_which_kind_of_database_it_is() -> None:
    """Only it imports what is for one kind. The engines and kinds themselves are below it."""
    one_kind = re.compile(r"^\s*from veche\.storage\.(kinds|engines)(\.| import ).*(sqlite|postgres)", re.MULTILINE)
    below = (SOURCE / "storage" / "kinds", SOURCE / "storage" / "engines")
    asking = [path for path in SOURCE.rglob("*.py") if path.parent not in below and one_kind.search(path.read_text())]
    assert asking == [SOURCE / "storage" / "opening.py"]
    assert not [path for path in SOURCE.rglob("*.py") if "dialect.name ==" in path.read_text()]
