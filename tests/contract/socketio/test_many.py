"""Many messages at once, with the real clients: all of them arrive, once and in order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from messenger.harness import LiveServer

from tests.programs import python_packages

from .conftest import NewPerson

FOLDER = Path(__file__).parent
PYTHON_CLIENT = ("python-socketio", "requests", "websocket-client")


def played(*command: object, **env: str) -> Any:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False, env=os.environ | env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


BOTH = ["polling", "websocket"]


@pytest.mark.parametrize("transports", [["polling"], BOTH, ["websocket"]], ids="-".join)
def test_what_was_emitted_before_the_client_connected(
    node_modules: Path, server: LiveServer, new_person: NewPerson, transports: list[str]
) -> None:
    token = new_person("ann").token
    script = FOLDER / "many.mjs"
    options = json.dumps({"transports": transports})
    found = played("node", script, node_modules, server.base, options, token, 6_000)
    assert found["heard"] == [str(number) for number in range(6_000)], found.get("why")


@pytest.mark.parametrize("slash", [True, False])
@pytest.mark.parametrize("base", ["/socket.io", "/socketio/socket.io"])
def test_the_path_without_a_slash_upgrades(
    node_modules: Path, server: LiveServer, new_person: NewPerson, base: str, slash: bool
) -> None:
    token = new_person("ann").token
    options = json.dumps({"transports": BOTH, "path": base, "addTrailingSlash": slash})
    found = played("node", FOLDER / "many.mjs", node_modules, server.base, options, token, 1)
    assert (found["heard"], found["transport"]) == (["0"], "websocket")


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_many_lines_at_once_for_python(server: LiveServer, new_person: NewPerson, transport: str) -> None:
    """Its decoder takes at most 16 packets of one poll."""
    folder = python_packages("python-socketio, sync", *PYTHON_CLIENT)
    command = (sys.executable, FOLDER / "many.py", server.base, transport, new_person("ann").token, 500)
    assert played(*command, PYTHONPATH=str(folder)) == [str(number) for number in range(500)]
