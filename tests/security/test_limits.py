"""docs/limits.md lists every limit with its number. The numbers are those of the code, and no limit is missing."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from veche.app import DIALECTS
from veche.gateway.options import settings_of
from veche.settings import PREFIX, ServerSettings, prefix_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
SOURCE = ROOT / "src" / "veche"
HEAD = "| who | what | how much | what happens then |"
SETTINGS = {
    setting.name: setting.default
    for model, prefix in [(ServerSettings, PREFIX), *((one.options, prefix_of(one)) for one in DIALECTS)]
    for setting in settings_of(model, prefix)
}

SHAPES = {
    "cli.env_file.MAX_BYTES",
    "core.accounts.MAX_DIGITS",
    "core.bans.MAX_BAN",
    "core.emoji.MAX_EMOJI",
    "core.file_types.MAX_FILE_NAME",
    "core.links.MAX_CODE",
    "core.links.MAX_LINK_SECONDS",
    "core.links.MAX_USES",
    "core.names.MAX_EMAIL",
    "core.names.MAX_MARKS",
    "core.names.MAX_NAME",
    "core.names.MAX_NONSPACING",
    "core.people.MAX_WORD",
    "core.room_settings.MAX_TOPIC",
    "core.search.MAX_QUERY",
    "core.search.MAX_WORDS",
    "core.slow_mode.MAX_SLOW",
    "core.text.MAX_CLIENT_ID",
    "core.text.MAX_TEXT_BYTES",
    "core.words.MAX_BYTES",
    "core.words.MAX_MARKS",
    "core.words.MAX_REPEATS",
    "core.words.MAX_TOKEN",
    "core.words.MAX_TOKENS",
    "dialects.dispatch.rules.MAX_LENGTH",
    "dialects.messenger.rules.MAX_CHAT_NAME",
    "dialects.messenger.rules.MAX_PERSON_NAME",
    "dialects.native.files.MAX_GIVEN_NAME",
    "dialects.native.limits.MAX_DEVICE",
    "dialects.native.limits.MAX_PERSON_NAME",
    "dialects.native.limits.MAX_ROOM_NAME",
    "dialects.native.limits.MAX_TEXT_BYTES",
    "dialects.native.limits.MAX_USERNAME",
    "dialects.native.search.MAX_CURSOR",
    "dialects.native.sessions.MAX_SESSION_ID",
    "dialects.socketio.lines.MAX_INTEGER_BITS",
    "gateway.openapi_bodies.MAX_CHAR_BYTES",
    "gateway.options.MAX_SECONDS",
    "gateway.quick.MAX_DIGITS",
    "gateway.secret_files.MAX_BYTES",
    "ops.logs.MAX_FIELD",
    "ops.logs.MAX_MESSAGE",
    "ops.logs.MAX_TRACE",
    "service.accounts.MAX_NAME",
    "service.refreshing.MAX_DIGITS",
    "service.refreshing.MAX_TOKEN",
    "wire.origins.MAX_HOST",
}
"""Bounds on the shape of one value, such as the length of a name. The pages of the contracts list these."""


class Row(NamedTuple):
    who: str
    what: str
    number: float
    name: str
    outcome: str


def rows() -> Iterator[Row]:
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("| ") else []
        if cells and line != HEAD:
            assert len(cells) in (3, 4), line
            found = re.fullmatch(r"([0-9.,]+) \(`([A-Za-z_.]+)`\)", cells[2].strip())
            assert found, f"the third cell must be like: 1,000 (`gateway.client.MAX_WAITING`). It is {cells[2]!r}."
            yield Row(cells[0], cells[1], float(found[1].replace(",", "")), found[2], (cells[3:] or [""])[0])


ROWS = list(rows())


def value_of(name: str) -> Any:
    """Return the value of a setting, a constant, or the default of a parameter, by the name that the page gives."""
    if name.startswith(PREFIX):
        return SETTINGS[name]
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(["veche", *parts[:count]]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            defaults = inspect.signature(found).parameters if inspect.isclass(found) else {}
            found = defaults[part].default if part in defaults else getattr(found, part)
        return found
    raise AssertionError(f"there is no {name}")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_page_has_the_number_of_the_code(row: Row) -> None:
    assert float(value_of(row.name)) == row.number
    assert row.who in {"address", "connection", "account", "session", "room", "everybody together"}, row


def test_no_limit_is_listed_twice() -> None:
    names = [row.name for row in ROWS]
    assert sorted(names) == sorted(set(names))


def constants() -> Iterator[str]:
    """Yield the names of the constants of the source that bound something."""
    for path in sorted(SOURCE.rglob("*.py")):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Name) and re.match(r"_?MAX_", target.id):
                    yield f"{module}.{target.id}"


def test_every_bound_of_the_code_is_listed() -> None:
    """A constant MAX_… bounds what the server holds for somebody (then it has a row), or one value (then SHAPES)."""
    listed = {row.name for row in ROWS}
    assert not sorted(set(constants()) - listed - SHAPES), "add a row to docs/limits.md"
    assert not SHAPES & listed
    assert set(constants()) >= SHAPES


def test_every_setting_that_bounds_something_is_listed() -> None:
    bounds = {name for name in SETTINGS if re.search(r"_PER_(MINUTE|ADDRESS|ACCOUNT)$|_AT_ONCE$|CONNECTIONS", name)}
    assert not sorted(bounds - {row.name for row in ROWS}), "add a row to docs/limits.md"
