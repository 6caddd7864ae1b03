"""The OpenAPI document: one for all dialects, with one tag for each dialect.

A call that several dialects share at the root appears once, with the tags, bodies and responses of all of them.
"""

import json
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi.openapi.utils import get_openapi

from veche import __version__
from veche.gateway.dialect import Mounted
from veche.gateway.examples import Example
from veche.gateway.openapi_answers import PREFIX, answers_of, components_of, merge_answers, schema_of_refusal

Json = dict[str, Any]

TITLE = "Veche"
FASTAPI_ERRORS = ("HTTPValidationError", "ValidationError")  # not shown: each dialect has its own error format
DESCRIPTION = "One log behind several dialects: people whose clients speak different dialects talk in the same rooms."


def document_of(dialects: Sequence[Mounted]) -> Json:
    tags = [{"name": dialect.name, "description": dialect.about} for dialect in dialects]
    document = _of_routes([]) | {"tags": tags, "paths": {}, "components": {"schemas": {}, "securitySchemes": {}}}
    for dialect in dialects:
        part = _of_dialect(dialect, alone=len(dialects) == 1)
        for path, calls in part["paths"].items():
            merged = document["paths"].setdefault(path, {})
            for method, call in calls.items():
                merged[method] = _merge_calls(merged[method], call) if method in merged else call
        for kind, components in part["components"].items():
            document["components"][kind] |= components
    _leave_out_unused_schemas(document)
    return document


def _leave_out_unused_schemas(document: Json) -> None:
    schemas = document["components"]["schemas"]
    while unused := schemas.keys() - re.findall(f'"{PREFIX}([^"]+)"', json.dumps(document)):
        for name in unused:
            del schemas[name]


def _of_routes(routes: Sequence[Any]) -> Json:
    return get_openapi(title=TITLE, version=__version__, description=DESCRIPTION, routes=routes)


def _of_dialect(dialect: Mounted, alone: bool) -> Json:
    """Make the document of one dialect. The names of its components begin with the dialect's name."""
    generated = _of_routes([route for router in dialect.routers for route in router.routes])
    document: Json = json.loads(json.dumps(generated).replace(PREFIX, f"{PREFIX}{dialect.name}."))
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            _name(call, dialect.name, method, path)
            call["responses"] = answers_of(call, path, dialect, alone)
    for example in dialect.examples:
        _add_example(document["paths"], example, dialect)
    document.setdefault("components", {}).setdefault("schemas", {}).update(components_of(dialect))
    document["components"] = {
        kind: {f"{dialect.name}.{name}": found for name, found in named.items() if name not in FASTAPI_ERRORS}
        for kind, named in document["components"].items()
    }
    return document


def _name(call: Json, dialect: str, method: str, path: str) -> None:
    words = re.findall(r"\w+", path)
    call["operationId"] = "_".join([dialect, method, *words])
    call["summary"] = call.pop("description").partition("\n")[0].rstrip(".")
    if "security" in call:
        call["security"] = [{f"{dialect}.{name}": scopes for name, scopes in way.items()} for way in call["security"]]


def _add_example(paths: Json, example: Example, dialect: Mounted) -> None:
    """Add an example to its call: the response, the body and the parameters."""
    path, parameters = _match_path(paths, example)
    call = paths[path][example.method.lower()]
    answer = call["responses"].setdefault(f"{example.status}", {"description": HTTPStatus(example.status).phrase})
    if example.answer is not None:
        content = answer.setdefault("content", {}).setdefault(example.media, {})
        if example.status >= 400:
            content.setdefault("schema", schema_of_refusal(dialect, example.media))
        _add(content, example.name, example.answer)
    if example.body is not None:
        content = next(iter(call["requestBody"]["content"].values()))
        _add(content, example.name, example.body)
    for parameter in call.get("parameters", ()):
        if value := parameters.get(parameter["name"]):
            _add(parameter, example.name, int(value) if value.isdecimal() else value)


def _add(target: Json, name: str, value: Any) -> None:
    target.setdefault("examples", {})[name] = {"value": value}


def _match_path(paths: Json, example: Example) -> tuple[str, dict[str, str]]:
    """Return the path template of an example's call, and the values of its path and query parameters."""
    if example.path in paths:
        return example.path, example.query
    for path in paths:
        found = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path), example.path)
        if found:
            return path, example.query | found.groupdict()
    raise LookupError(f"There is no call {example.method} {example.path}.")


def _merge_calls(one: Json, other: Json) -> Json:
    """Merge two calls of the same method and path. `one` may be the result of an earlier merge."""
    return {
        **one,
        "tags": one["tags"] + other["tags"],
        "operationId": f"{one['operationId']}_or_{other['operationId']}",
        "requestBody": _merge_bodies(one["requestBody"], other["requestBody"]),
        "responses": merge_answers(one["responses"], other["responses"]),
    }


def _merge_bodies(one: Json, other: Json) -> Json:
    both = _merge(one, other)
    for media, content in both["content"].items():
        content["schema"] = {"anyOf": [body["content"][media]["schema"] for body in (one, other)]}
    return both


def _merge(one: Json, other: Json) -> Json:
    """Merge two objects recursively. If both have a key whose values are not objects, keep the value of `one`."""
    both = dict(one)
    for key, value in other.items():
        both[key] = _merge(both[key], value) if isinstance(both.get(key), dict) else both.get(key, value)
    return both
