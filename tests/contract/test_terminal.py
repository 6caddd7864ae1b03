"""The terminal sessions in docs/dialects are run, and must print the output that is shown.

A line that begins with `$` is a command, indented lines below continue it, and all other lines are its output. Times,
tokens and ids are not compared. A command that has printed the expected output is interrupted.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import TIMEOUT, Servers
from transcript import Head

from tests.programs import WSCAT, MissingError, node_modules, skip
from tests.veche_process import VECHE

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "dialects").glob("*.md"))
VARIABLE_PARTS = {
    r"eyJ[\w.-]+…?": "TOKEN",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?": "TIME",
    r"\b\d{13}\b": "MILLISECONDS",
    r'"sid":"[^"]+"': '"sid":"ID"',
}
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_TAKEN = re.compile(r"(\w+)=(?:\$\(.*\)|\".*\")$", re.DOTALL)


@pytest.fixture(scope="session")
def wscat() -> Path:
    """Return the folder of the installed command."""
    if shutil.which("curl") is None:
        pytest.fail("These tests need curl, which is not installed.", False)
    try:
        return node_modules(WSCAT) / "node_modules" / ".bin"
    except MissingError as missing:
        skip(missing)


def commands(page: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a page, with the lines that it should print."""
    for block in _BLOCK.findall(page):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.rstrip().split("\n")
            length = next((n for n, line in enumerate(lines[1:], 1) if not line.startswith(" ")), len(lines))
            yield "\n".join(lines[:length]), lines[length:]


def masked(line: str) -> str:
    for pattern, word in VARIABLE_PARTS.items():
        line = re.sub(pattern, word, line)
    return line


def run(command: str, expected: list[str], env: dict[str, str]) -> list[str]:
    """Run a command; return its output without empty lines, and at most as many lines as expected."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        ["bash", "-c", command], env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True, process_group=0
    )
    timer = threading.Timer(TIMEOUT, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    try:
        assert process.stdout is not None
        found: list[str] = []
        for line in process.stdout:
            found += [line.strip()] if line.strip() else []
            if expected and len(found) == len(expected):
                break
        if found and process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.communicate()
    finally:
        timer.cancel()
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_terminal_session_prints_what_is_shown(page: Path, servers: Servers, wscat: Path) -> None:
    shown = list(commands(page.read_text(encoding="utf-8")))
    assert shown, "the page has no terminal session"
    running = servers.new(Head(dialects=page.stem, own=True, demo=page.stem == "messenger"))
    env = os.environ | {"PATH": f"{wscat}:{VECHE.parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    try:
        for command, expected in shown:
            asked = re.sub(r"localhost:\d+", running.base.removeprefix("http://"), command)
            if taken := _TAKEN.match(asked):
                name = taken[1]
                env[name] = "\n".join(run(f'{asked}\nprintf %s "${name}"', [], env))
                assert env[name], command
            else:
                assert list(map(masked, run(asked, expected, env))) == list(map(masked, expected)), command
    finally:
        running.end()
