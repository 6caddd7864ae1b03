"""The OpenAPI document: one for all dialects, in which each contract is a group.

A call that several contracts share at the root stands once, in the group of each, with what each takes and answers.
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

Json = dict[str, Any]

TITLE = "Veche"
FASTAPIS = ("HTTPValidationError", "ValidationError")  # refusals as FastAPI thinks they are
ABOUT = "One log behind many contracts: people who come through different dialects talk in the same rooms."


def document_of(dialects: Sequence[Mounted]) -> Json:
    """Make the document."""
    groups = [{"name": dialect.name, "description": dialect.about} for dialect in dialects]
    whole = _of_routes([]) | {"tags": groups, "paths": {}, "components": {"schemas": {}, "securitySchemes": {}}}
    for dialect in dialects:
        group = _group(dialect)
        for path, calls in group["paths"].items():
            there = whole["paths"].setdefault(path, {})
            for method, call in calls.items():
                there[method] = _shared(there[method], call) if method in there else call
        for kind, found in group["components"].items():
            whole["components"][kind] |= found
    return whole


def _of_routes(routes: Sequence[Any]) -> Json:
    return get_openapi(title=TITLE, version=__version__, description=ABOUT, routes=routes)


def _group(dialect: Mounted) -> Json:
    """Make what one dialect adds, its components named after it."""
    made = _of_routes([route for router in dialect.routers for route in router.routes])
    prefix = "#/components/schemas/"
    group: Json = json.loads(json.dumps(made).replace(prefix, f"{prefix}{dialect.name}."))
    for path, calls in group["paths"].items():
        for method, call in calls.items():
            _name(call, dialect.name, method, path)
            call["responses"] = {}  # FastAPI's guesses
    for example in dialect.examples:
        _show(group["paths"], example)
    components = group.get("components", {})
    group["components"] = {
        kind: {f"{dialect.name}.{name}": found for name, found in named.items() if name not in FASTAPIS}
        for kind, named in components.items()
    }
    return group


def _name(call: Json, dialect: str, method: str, path: str) -> None:
    words = re.findall(r"\w+", path)
    call["operationId"] = "_".join([dialect, method, *words])
    call["summary"] = call.pop("description").partition("\n")[0].rstrip(".")
    if "security" in call:
        call["security"] = [{f"{dialect}.{name}": scopes for name, scopes in way.items()} for way in call["security"]]


def _show(paths: Json, example: Example) -> None:
    """Put an example in; what the examples answer is all that is said of the answers."""
    path, where = _template(paths, example)
    call = paths[path][example.method.lower()]
    answer = call["responses"].setdefault(f"{example.status}", {"description": HTTPStatus(example.status).phrase})
    if example.answer is not None:
        content = answer.setdefault("content", {}).setdefault(example.media, {})
        _add(content, example.name, example.answer)
    if example.body is not None:
        content = next(iter(call["requestBody"]["content"].values()))
        _add(content, example.name, example.body)
    for parameter in call.get("parameters", ()):
        if value := where.get(parameter["name"]):
            _add(parameter, example.name, int(value) if value.isdecimal() else value)


def _add(shown: Json, name: str, value: Any) -> None:
    shown.setdefault("examples", {})[name] = {"value": value}


def _template(paths: Json, example: Example) -> tuple[str, dict[str, str]]:
    """Find the path of the document that an example asks, and what stands for its parameters."""
    if example.path in paths:
        return example.path, example.query
    for path in paths:
        found = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path), example.path)
        if found:
            return path, example.query | found.groupdict()
    raise LookupError(f"There is no call {example.method} {example.path}.")


def _shared(one: Json, other: Json) -> Json:
    """Make one call of two that the body tells apart; `one` may be of several contracts already."""
    return {
        **one,
        "tags": one["tags"] + other["tags"],
        "operationId": f"{one['operationId']}_or_{other['operationId']}",
        "requestBody": _either(one["requestBody"], other["requestBody"]),
        "responses": _joined(one["responses"], other["responses"]),
    }


def _either(one: Json, other: Json) -> Json:
    both = _joined(one, other)
    for media, content in both["content"].items():
        content["schema"] = {"anyOf": [body["content"][media]["schema"] for body in (one, other)]}
    return both


def _joined(one: Json, other: Json) -> Json:
    """Join two objects with all that is in them; where both have a text, the first one's stays."""
    both = dict(one)
    for key, value in other.items():
        both[key] = _joined(both[key], value) if isinstance(both.get(key), dict) else both.get(key, value)
    return both
