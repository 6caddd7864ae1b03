"""The real `socket.io-client` 4 from npm, unchanged, by each of its ways to connect."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from messenger.harness import Served

from .conftest import Meet, Person

SCRIPT = Path(__file__).with_name("client.mjs")


def talk(node_modules: Path, server: Served, transports: str, one: Person, other: Person) -> dict[str, Any]:
    command = ["node", SCRIPT, node_modules, server.base, transports, one.token, other.token]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("transports", ["polling", "polling,websocket", "websocket"])
def test_a_conversation(node_modules: Path, server: Served, meet: Meet, transports: str) -> None:
    ann, bob = meet("ann"), meet("bob")
    found = talk(node_modules, server, transports, ann, bob)
    assert found["refusals"] == [["Unauthorized", False]] * 2
    assert found["ack"] is None
    assert found["transport"] == transports.split(",")[-1]
    heard = found["one"]
    assert found["other"] == heard  # the same lines in the same order, none twice
    objects = [said for said in heard if isinstance(said, dict)]
    documents, front_ends = (next(said for said in objects if said["text"] == f"the {who}'s") for who in WHO)
    assert (documents["content"], documents["userId"], documents["author"]) == ("the document's", ann.id, ann.name)
    assert (front_ends["id"], front_ends["userId"], front_ends["author"]) == ("a-1", ann.id, ann.name)
    assert [said for said in heard if isinstance(said, str)] == ["a plain string", "acknowledged"]
    bursts = [said for said in objects if said["text"].startswith("burst")]
    for parity, person in ((1, ann), (0, bob)):
        own = [said["id"] for said in bursts if said["userId"] == person.id]
        assert own == list(range(parity, 300, 2))


WHO = ("document", "front end")
