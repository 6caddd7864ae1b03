"""What docs/dialects shows of a terminal is run as it stands: curl, wscat, and what they print.

A line that begins with `$` is a command, what is indented below goes on with it, and all else is what it prints. Times,
tokens and session ids are of the moment. A command that has printed what it should is interrupted, as a reader would.
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
from conftest import PATIENCE, VECHE, Servers
from npm import installed
from transcript import Head

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "dialects").glob("*.md"))
WSCAT = "wscat@6"
OF_THE_MOMENT = {
    r"eyJ[\w.-]+…?": "TOKEN",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?": "TIME",
    r"\b\d{13}\b": "MILLISECONDS",
    r'"sid":"[^"]+"': '"sid":"ID"',
}
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_TAKEN = re.compile(r"(\w+)=(?:\$\(.*\)|\".*\")$", re.DOTALL)


@pytest.fixture(scope="session")
def wscat() -> Path:
    """The folder of the command."""
    if shutil.which("curl") is None:
        pytest.fail("There is no curl on this machine, and these tests run what the docs show.", False)
    return installed(WSCAT, "wscat") / "node_modules" / ".bin"


def commands(page: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a page, and the lines that it prints."""
    for block in _BLOCK.findall(page):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.rstrip().split("\n")
            length = next((n for n, line in enumerate(lines[1:], 1) if not line.startswith(" ")), len(lines))
            yield "\n".join(lines[:length]), lines[length:]


def alike(line: str) -> str:
    for pattern, word in OF_THE_MOMENT.items():
        line = re.sub(pattern, word, line)
    return line


def run(command: str, expected: list[str], env: dict[str, str]) -> list[str]:
    """What a command prints, up to as many lines as it should; empty ones are none."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        ["bash", "-c", command], env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True, process_group=0
    )
    timer = threading.Timer(PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
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
def test_what_a_terminal_shows(page: Path, servers: Servers, wscat: Path) -> None:
    shown = list(commands(page.read_text(encoding="utf-8")))
    assert shown, "a page shows how it is used from a terminal"
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
                assert list(map(alike, run(asked, expected, env))) == list(map(alike, expected)), command
    finally:
        running.end()
