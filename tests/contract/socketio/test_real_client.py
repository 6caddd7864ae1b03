"""The real `socket.io-client` 4 from npm, unchanged, with each of its transports."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from messenger.harness import LiveServer

from .conftest import NewPerson, Person

SCRIPT = Path(__file__).with_name("client.mjs")


def talk(node_modules: Path, server: LiveServer, transports: str, one: Person, other: Person) -> dict[str, Any]:
    command = ["node", SCRIPT, node_modules, server.base, transports, one.token, other.token]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("transports", ["polling", "polling,websocket", "websocket"])
def test_a_conversation(node_modules: Path, server: LiveServer, new_person: NewPerson, transports: str) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    found = talk(node_modules, server, transports, ann, bob)
    assert found["refusals"] == [["Unauthorized", False]] * 2
    assert found["ack"] is None
    assert found["transport"] == transports.split(",")[-1]
    received = found["one"]
    assert found["other"] == received  # the same messages in the same order, none twice
    objects = [message for message in received if isinstance(message, dict)]
    documents, front_ends = (
        next(message for message in objects if message["text"] == f"the {client}'s") for client in WHO
    )
    assert (documents["content"], documents["userId"], documents["author"]) == ("the document's", ann.id, ann.name)
    assert (front_ends["id"], front_ends["userId"], front_ends["author"]) == ("a-1", ann.id, ann.name)
    assert [message for message in received if isinstance(message, str)] == ["a plain string", "acknowledged"]
    bursts = [message for message in objects if message["text"].startswith("burst")]
    for parity, person in ((1, ann), (0, bob)):
        own = [message["id"] for message in bursts if message["userId"] == person.id]
        assert own == list(range(parity, 300, 2))


WHO = ("document", "front end")
