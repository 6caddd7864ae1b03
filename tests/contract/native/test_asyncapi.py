"""The AsyncAPI document: it is whole, every frame of the server fits it, and so do the commands of docs/native.md."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from veche.dialects.native.asyncapi import PAGE, PATH, document
from veche.dialects.native.features import ANSWERS, EVENTS, PUSHES
from veche.dialects.native.frames import NAMES

from . import page
from .test_docs import ERRORS, Seen, name_of
from .test_docs import seen as seen  # a fixture

DOCUMENT = document()
MESSAGES = DOCUMENT["components"]["messages"]


def fits(name: str, frame: Any) -> bool:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return jsonschema_rs.is_valid(schema, frame)


def find(reference: str) -> Any:
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_every_reference_leads_somewhere() -> None:
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(DOCUMENT)))
    assert len(references) > len(MESSAGES)
    for reference in references:
        assert find(reference)


def test_every_frame_is_in_the_document() -> None:
    sent = {kind.__name__ for kind in (*ANSWERS, *EVENTS, *PUSHES)}
    assert set(MESSAGES) == sent | {f"{name.capitalize()}Command" for name in NAMES}
    assert set(DOCUMENT["operations"]) == {*NAMES, "push"}
    for name in NAMES:
        replies = [message["$ref"].rpartition("/")[2] for message in DOCUMENT["operations"][name]["reply"]["messages"]]
        assert len(replies) == 2
        assert replies[1] == "ErrorAnswer"
    assert [message["summary"] for message in MESSAGES.values() if not message["summary"]] == []


def test_every_frame_of_the_server_fits_the_document(seen: Seen) -> None:
    kinds = [kind for kind in MESSAGES if not kind.endswith("Command")]
    for frame in (frame for frames in seen.frames.values() for frame in frames):
        key = next(key for key in frame if key != "id")
        of_key = [kind for kind in kinds if key in find(f"#/components/schemas/{kind}").get("properties", {})]
        assert any(fits(kind, frame) for kind in of_key), f"{name_of(frame)}: {frame}"


COMMANDS = [example for example in page.examples() if example.line > ERRORS and example.value and example.sent]


@pytest.mark.parametrize("example", COMMANDS, ids=[f"{example.line}" for example in COMMANDS])
def test_the_commands_of_the_page_fit_the_document(example: page.Example) -> None:
    [name] = [key for key in example.value if key != "id"]
    assert fits(f"{name.capitalize()}Command", example.value)


@pytest.mark.parametrize("command", [{"id": 1}, {"id": -1}, {"id": 1, "text": 5}, {"id": 1, "unknown": 1}])
def test_a_command_that_is_refused_does_not_fit(command: Any) -> None:
    id = {"id": command.pop("id")}
    assert not fits("SendCommand", id | {"send": command})


def test_both_are_served_and_load_nothing_from_elsewhere(seen: Seen) -> None:
    assert seen.pages[PATH].json() == json.loads(json.dumps(DOCUMENT))
    shown = seen.pages[PAGE]
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert "'unsafe-inline'" in shown.headers["content-security-policy"]  # its style is in the page
    assert not re.search(r"<script|src=|https?://", shown.text)
    for name in NAMES:
        assert f"<h3 id={name}>" in shown.text
