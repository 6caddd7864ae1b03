"""docs/cli.md names every command on accounts, and docs/logs.md the numbers and loggers of the log."""

from __future__ import annotations

import re
from pathlib import Path

from veche.cli import user
from veche.ops import logs

ROOT = Path(__file__).resolve().parents[3]
CLI, LOGS = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("cli.md", "logs.md"))


def test_every_command_on_accounts_is_described() -> None:
    described = re.findall(r"^\| `veche user ([\w-]+)", CLI, re.MULTILINE)
    assert described == [command.name for command in user.app.registered_commands]


def test_the_bounds_of_the_log_are_as_described() -> None:
    assert f"Of one kind of line, {logs.PER_WINDOW} are written in ten seconds" in " ".join(LOGS.split())
    assert logs.WINDOW == 10
    bounds = (logs.MAX_MESSAGE, logs.MAX_FIELD, logs.MAX_TRACE, logs.MAX_QUEUE)
    assert all(f"{bound:,}" in LOGS for bound in bounds)


def test_the_loggers_in_the_table_exist() -> None:
    named = set(re.findall(r"`(veche(?:\.\w+)?)`", LOGS))
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "veche").rglob("*.py"))
    assert named
    assert all(f'"{name}"' in source for name in named)
