"""The OpenAPI document: each dialect is a group and shows the examples that run as transcripts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Servers
from fastapi.openapi.models import OpenAPI
from transcript import Head

import veche.dialects
from veche.app import DIALECTS
from veche.gateway.examples import Example, examples_beside

ALL_DIALECTS = [dialect.name for dialect in DIALECTS]
FOLDER = Path(veche.dialects.__file__).parent


def fetched(servers: Servers, head: Head) -> dict[str, Any]:
    answer = httpx.get(f"{servers.shared(head).base}/openapi.json", trust_env=False)
    document: dict[str, Any] = answer.raise_for_status().json()
    return document


@pytest.fixture(scope="module")
def document(servers: Servers) -> dict[str, Any]:
    return fetched(servers, Head())


def calls_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": call for path, calls in document["paths"].items() for method, call in calls.items()
    }


def examples_of(dialect: str) -> tuple[Example, ...]:
    return examples_beside(str(FOLDER / dialect / "dialect.py"))


def shown(call: dict[str, Any]) -> dict[str, tuple[int, Any]]:
    """Return the examples of a call's responses, as status and value by name."""
    return {
        name: (int(status), example["value"])
        for status, answer in call["responses"].items()
        for content in answer.get("content", {}).values()
        for name, example in content.get("examples", {}).items()
    }


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    OpenAPI(**document)
    ids = Counter(call["operationId"] for call in calls_of(document).values())
    assert max(ids.values()) == 1
    named = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(_references(document)) == named


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [value["$ref"]] if "$ref" in value else [found for part in value.values() for found in _references(part)]
    return [found for part in value for found in _references(part)] if isinstance(value, list) else []


def test_each_dialect_is_a_group(document: dict[str, Any]) -> None:
    assert [tag["name"] for tag in document["tags"]] == list(ALL_DIALECTS)
    assert {tag for call in calls_of(document).values() for tag in call["tags"]} == set(ALL_DIALECTS)
    calls = calls_of(document)
    assert calls["POST /register"]["tags"] == ["rooms", "channels", "messenger"]
    assert calls["POST /login"]["tags"] == ["channels", "messenger"]
    assert calls["PUT /login"]["tags"] == ["rooms"]


def test_each_call_has_an_example_that_succeeds(document: dict[str, Any]) -> None:
    for name, call in calls_of(document).items():
        assert any(int(status) < 400 or status == "426" for status in call["responses"]), name
        if "requestBody" in call:
            assert next(iter(call["requestBody"]["content"].values()))["examples"], name
        for parameter in call.get("parameters", ()):
            assert not parameter["required"] or parameter["examples"], (name, parameter["name"])


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
def test_the_examples_are_those_that_were_played(document: dict[str, Any], dialect: str) -> None:
    calls = [call for call in calls_of(document).values() if dialect in call["tags"]]
    for example in examples_of(dialect):
        if example.answer is not None:
            assert (example.status, example.answer) in [shown(call).get(example.name) for call in calls], example.name
    names = [(example.method, example.path, example.name) for example in examples_of(dialect)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("dialect", ["rooms", "channels", "messenger"])
def test_a_dialect_that_is_served_alone(servers: Servers, dialect: str) -> None:
    document = fetched(servers, Head(dialects=dialect))
    assert [tag["name"] for tag in document["tags"]] == [dialect]
    calls = calls_of(document)
    assert calls["POST /register"]["tags"] == [dialect]
    assert all(call["tags"] == [dialect] for call in calls.values())
    assert {name for call in calls.values() for name in shown(call)} == {
        example.name for example in examples_of(dialect) if example.answer is not None
    }


def test_each_answer_with_a_body_has_a_schema(document: dict[str, Any]) -> None:
    contents = [
        (f"{name} {status} {media}", content)
        for name, call in calls_of(document).items()
        for status, answer in call["responses"].items()
        for media, content in answer.get("content", {}).items()
    ]
    assert len(contents) > 200
    assert [name for name, content in contents if not content.get("schema")] == []


def test_the_refusals_that_many_calls_share(document: dict[str, Any]) -> None:
    for name, call in calls_of(document).items():
        statuses = set(call["responses"])
        if "dispatch" not in call["tags"]:  # it has one status for all bodies that it does not take
            assert "requestBody" not in call or {"413", "429"} < statuses, name
            assert "requestBody" not in call or statuses & {"400", "422"}, name
        assert "security" not in call or {"401", "429", "503"} <= statuses, name
        assert not any(status.startswith("5") and status != "503" for status in statuses), name
