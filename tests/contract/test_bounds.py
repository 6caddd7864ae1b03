"""The bounds of request bodies in the OpenAPI document: each field has them, and what is beyond them is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from conftest import TIMEOUT, RunningServer, Servers
from transcript import Head

from veche.app import DIALECTS

ALL_DIALECTS = [dialect.name for dialect in DIALECTS]
REFUSED = {400, 409, 413, 422}
"""How the dialects refuse a value: neither as a wrong password nor as a missing token."""
NO_SUCH_ROOM = {("rooms", "room_id"), ("rooms", "user_id")}
"""Ids that this contract answers with 401: there is no such room, or account."""


class Field(NamedTuple):
    """A field of a request body. `within` are the keys that lead to it; 0 is the first item of a list."""

    call: str
    within: tuple[str | int, ...]
    schema: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.call} {'.'.join(map(str, self.within))}"


@pytest.fixture(scope="module")
def demo(servers: Servers) -> RunningServer:
    return servers.shared(Head(demo=True))


@pytest.fixture(scope="module")
def token(demo: RunningServer) -> str:
    body = {"username": "alice", "password": "password123"}
    answer = httpx.post(f"{demo.base}/v1/login", json=body, timeout=TIMEOUT, trust_env=False)
    return str(answer.raise_for_status().json()["token"])


def document_of(servers: Servers, dialect: str) -> dict[str, Any]:
    base = servers.shared(Head(dialects=dialect)).base
    document: dict[str, Any] = httpx.get(f"{base}/openapi.json", timeout=TIMEOUT, trust_env=False).json()
    return document


def bodies_of(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Return each call with a body: its method, its path, and what the document says."""
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            if "requestBody" in call:
                yield method, path, call


def fields_of(document: dict[str, Any]) -> list[Field]:
    return [
        found
        for method, path, call in bodies_of(document)
        for content in call["requestBody"]["content"].values()
        for found in _inside(document, Field(f"{method.upper()} {path}", (), content["schema"]))
    ]


def _inside(document: dict[str, Any], field: Field) -> list[Field]:
    """Return a field and all fields inside it."""
    schema = field.schema
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    found = [field._replace(schema=schema)]
    for part in schema.get("anyOf", ()):
        found += _inside(document, field._replace(schema=part))
    for name, part in schema.get("properties", {}).items():
        found += _inside(document, Field(field.call, (*field.within, name), part))
    if "items" in schema:
        found += _inside(document, Field(field.call, (*field.within, 0), schema["items"]))
    return found


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
def test_each_field_of_a_body_has_bounds(servers: Servers, dialect: str) -> None:
    fields = fields_of(document_of(servers, dialect))
    assert fields
    for field in fields:
        schema, kind = field.schema, field.schema.get("type")
        if schema.get("format") == "binary":
            assert field.call == "POST /v1/files"  # whose bytes are counted
        elif kind == "string":
            assert {"maxLength", "enum"} & schema.keys(), str(field)
        elif kind == "integer":
            assert {"minimum", "exclusiveMinimum"} & schema.keys(), str(field)
            assert {"maximum", "exclusiveMaximum"} & schema.keys(), str(field)
        elif kind == "array":
            assert "maxItems" in schema, str(field)
        else:
            assert kind in ("object", "boolean", "null") or {"anyOf", "enum"} & schema.keys(), str(field)


def beyond(schema: dict[str, Any]) -> Iterator[Any]:
    """Return values just outside of the bounds of a schema."""
    if "maxLength" in schema:
        yield "Aa1" + "a" * (schema["maxLength"] - 2)
    if schema.get("minLength"):
        yield "Aa1a1Aa1"[: schema["minLength"] - 1]
    if "minimum" in schema:
        yield int(schema["minimum"]) - 1
    if "maximum" in schema:
        yield int(schema["maximum"]) + 1
    if "exclusiveMaximum" in schema:
        yield int(schema["exclusiveMaximum"])
    if "maxItems" in schema:
        yield list(range(1, schema["maxItems"] + 2))


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
def test_what_is_beyond_the_bounds_is_refused(servers: Servers, demo: RunningServer, token: str, dialect: str) -> None:
    document = document_of(servers, dialect)
    calls = {f"{method.upper()} {path}": call for method, path, call in bodies_of(document)}
    authorization = token if dialect == "rooms" else f"Bearer {token}"
    tried = 0
    with httpx.Client(base_url=f"{demo.base}/{dialect}", timeout=TIMEOUT, trust_env=False) as http:
        http.headers["Authorization"] = authorization
        for field in fields_of(document):
            if not field.within:
                continue
            for value in beyond(field.schema):
                call, tried = calls[field.call], tried + 1
                method, _, path = field.call.partition(" ")
                answer = http.request(method, _filled(path, call), json=_with(call, field.within, value))
                allowed = REFUSED | ({401} if (dialect, field.within[0]) in NO_SUCH_ROOM else set())
                assert answer.status_code in allowed, (str(field), str(value)[:80], answer.status_code, answer.text)
    assert tried


def _filled(path: str, call: dict[str, Any]) -> str:
    for parameter in call.get("parameters", ()):
        if parameter["in"] == "path":
            value = next(iter(parameter["examples"].values()))["value"]
            path = path.replace(f"{{{parameter['name']}}}", str(value))
    return path


def _with(call: dict[str, Any], within: tuple[str | int, ...], value: Any) -> Any:
    """Return the first example of a call's body, with another value of one field."""
    content = next(iter(call["requestBody"]["content"].values()))
    body = next(iter(content["examples"].values()))["value"]
    name, *inner = within
    return {**body, name: [value] if inner == [0] else value}
