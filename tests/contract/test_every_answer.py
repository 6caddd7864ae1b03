"""Every answer to a call, whatever is sent, is one that the OpenAPI document names, and it fits its schema there.

VECHE_SCHEMA_EXAMPLES is the number of requests for each call: `make test-all` sends many more than `make test`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from conftest import TIMEOUT, Servers
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from transcript import Head

from veche.app import DIALECTS

EXAMPLES = int(os.environ.get("VECHE_SCHEMA_EXAMPLES", "5"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
NAME, PASSWORD = "zoe", "a password of zoe alone"


@pytest.fixture(scope="module")
def base(servers: Servers) -> Iterator[str]:
    running = servers.new(Head(demo=True))
    yield running.base
    running.end()


@pytest.fixture(scope="module")
def token(base: str) -> str:
    """The token of an account that owns a room and is in the demo's chats. No example knows its password."""
    with httpx.Client(base_url=base, timeout=TIMEOUT, trust_env=False) as http:
        body = {"username": NAME, "password": PASSWORD}
        token: str = http.post("/v1/register", json=body).raise_for_status().json()["token"]
        http.headers["Authorization"] = f"Bearer {token}"
        for room in ({"kind": "channel", "name": "News"}, {"kind": "group", "name": "Team", "member_ids": [1, 2]}):
            http.post("/v1/rooms", json=room).raise_for_status()
        http.post("/v1/rooms/4/messages", json={"text": "hi", "client_message_id": "c-1"}).raise_for_status()
    return token


@pytest.fixture(scope="module")
def document(base: str, token: str) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{base}/openapi.json")


@pytest.mark.parametrize("dialect", [dialect.name for dialect in DIALECTS])
def test_every_answer_is_documented(document: BaseSchema, dialect: str, token: str) -> None:
    operations = [found.ok() for found in document.get_all_operations()]
    chosen = [operation for operation in operations if dialect in operation.definition.raw["tags"]]
    assert chosen
    for operation in chosen:
        examples = [example for found in operation.get_strategies_from_examples() for example in _first(found)]
        _send_many(operation.as_strategy(), examples, token)


@pytest.mark.parametrize("dialect", [dialect.name for dialect in DIALECTS])
def test_the_answer_to_a_body_that_nobody_can_read_is_documented(
    base: str, document: BaseSchema, dialect: str, token: str
) -> None:
    """Bodies that are not JSON. The document cannot describe them, so no example and no generated request has one."""
    operations = [found.ok() for found in document.get_all_operations()]
    chosen = [
        one for one in operations if dialect in one.definition.raw["tags"] and "requestBody" in one.definition.raw
    ]
    assert chosen
    authorization = {"Authorization": token if dialect == "rooms" else f"Bearer {token}"}
    with httpx.Client(base_url=base, timeout=TIMEOUT, trust_env=False) as http:
        for one in chosen:
            for body in (b"{", b"[" * 50_000, b"\xff", b'"\\ud800"', b"7", b""):
                headers = {"Content-Type": "application/json", **authorization}
                path = re.sub(r"{\w+}", "1", one.path)
                answer = http.request(one.method, path, content=body, headers=headers)
                assert _is_documented(one.definition.raw, answer.status_code, answer.headers), (
                    one.path,
                    body[:9],
                    answer,
                )


def _is_documented(operation: dict[str, Any], status: int, headers: httpx.Headers) -> bool:
    """Return whether the document has this status and type, with the schema of its body."""
    answer = operation["responses"].get(f"{status}", {})
    media = headers.get("content-type", "").partition(";")[0]
    return bool(answer.get("content", {}).get(media, {}).get("schema"))


def _first(strategy: st.SearchStrategy[Case]) -> list[Case]:
    """Return the case of a strategy that has only one."""
    found: list[Case] = []

    @settings(max_examples=1, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(strategy)
    def take(case: Case) -> None:
        found.append(case)

    take()
    return found[:1]


def _send_many(strategy: st.SearchStrategy[Case], examples: list[Case], token: str) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def send(case: Case) -> None:
        _send(case, token)

    for case in examples:
        _send(case, token)
    send()


def _send(case: Case, token: str) -> None:
    """Send a request without a token, and with one in both forms.

    A new account in channels is an answer without a body. OpenAPI cannot say that another dialect's has one.
    """
    for authorization in (None, f"Bearer {token}", token):
        headers = {} if authorization is None else {"Authorization": authorization}
        response = case.call(headers=headers, timeout=TIMEOUT)
        nothing = not response.content and "channels" in case.operation.definition.raw["tags"]
        case.validate_response(response, checks=CHECKS[:2] if nothing else CHECKS)
        headers = httpx.Headers({name: values[0] for name, values in response.headers.items()})
        assert not response.content or _is_documented(case.operation.definition.raw, response.status_code, headers)
