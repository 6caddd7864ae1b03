"""The responses of calls in the OpenAPI document: those that a route declares, and the refusals of all calls alike.

A call's examples add the refusals that are its own, such as a name that is taken.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from veche.core.errors import TEMPORARY, ChatError, Code
from veche.gateway.dialect import Mounted, detail
from veche.gateway.http import RawResponse, is_under
from veche.gateway.refusals import Refused

Json = dict[str, Any]

PREFIX = "#/components/schemas/"
FASTAPI_REFUSES = 422  # for every route, with a body that no dialect has


def returns(body: object, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route whose successful responses have this type. `Mounted.bodies` has its Structs."""
    [schema], _ = msgspec.json.schema_components((body,), ref_template=PREFIX + "{name}")
    return {status: {"content": {"application/json": {"schema": schema}}} for status in statuses or (200,)}


def returns_text(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that answers with a plain text, where other calls of its dialect do not."""
    return {status: {"content": {"text/plain": {"schema": {"type": "string"}}}} for status in statuses}


def components_of(dialect: Mounted) -> Json:
    """Return the schemas of the bodies of a dialect's responses by name."""
    types = (*dialect.bodies, *dialect.error_bodies, Refused)
    return msgspec.json.schema_components(types, ref_template=f"{PREFIX}{dialect.name}.{{name}}")[1]


def answers_of(call: Json, path: str, dialect: Mounted, alone: bool) -> Json:
    """Return the responses of a call. FastAPI's defaults are left out: they are wrong here."""
    answers = {status: _declared(answer, int(status)) for status, answer in call["responses"].items()}
    answers = {status: answer for status, answer in answers.items() if answer}
    for code in _codes_of(call):
        _add(answers, dialect.problem(ChatError(code, "")), _schema(dialect, dialect.error_bodies))
    if "requestBody" in call:
        owned = alone or any(is_under(path, own) for own in dialect.owns)
        bodies = dialect.error_bodies if owned else (Refused,)
        _add(answers, (dialect.plain if owned else detail)(413, ""), _schema(dialect, bodies))
    return answers


def merge_answers(one: Mapping[str, Json], other: Mapping[str, Json]) -> Json:
    """Merge the responses of two calls of the same method and path."""
    merged = {status: {**answer, "content": dict(answer.get("content", {}))} for status, answer in one.items()}
    for status, answer in other.items():
        both = merged.setdefault(status, {**answer, "content": {}})["content"]
        for media, content in answer.get("content", {}).items():
            both[media] = _merge_content(both[media], content) if media in both else content
    return {
        status: answer if answer["content"] else {"description": answer["description"]}
        for status, answer in merged.items()
    }


def _merge_content(one: Json, other: Json) -> Json:
    schemas = [schema for content in (one, other) if "schema" in content for schema in _parts(content["schema"])]
    different = [schema for at, schema in enumerate(schemas) if schema not in schemas[:at]]
    merged: Json = {"schema": different[0] if len(different) == 1 else {"anyOf": different}} if different else {}
    if examples := one.get("examples", {}) | other.get("examples", {}):
        merged["examples"] = examples
    return merged


def _parts(schema: Json) -> list[Json]:
    return list(schema["anyOf"]) if schema.keys() == {"anyOf"} else [schema]


def _declared(answer: Json, status: int) -> Json:
    content = {media: of for media, of in answer.get("content", {}).items() if of.get("schema")}
    return (
        {"description": HTTPStatus(status).phrase, "content": content} if content and status != FASTAPI_REFUSES else {}
    )


def _codes_of(call: Json) -> list[Code]:
    """Return the codes with which any call of this kind may be refused."""
    body, signed_in, parameters = "requestBody" in call, "security" in call, call.get("parameters", ())
    by_id = any(parameter["in"] == "path" for parameter in parameters)
    found: list[Code] = []
    found += [Code.BAD_REQUEST] if body else []
    found += [Code.INVALID] if body or parameters else []
    found += [Code.UNAUTHENTICATED] if signed_in else []
    found += [Code.NOT_FOUND, Code.NOT_MEMBER] if by_id else []
    found += sorted(TEMPORARY) if body or signed_in else []
    return found


def _schema(dialect: Mounted, bodies: Iterable[type]) -> Json:
    refs = [{"$ref": f"{PREFIX}{dialect.name}.{body.__name__}"} for body in bodies]
    return refs[0] if len(refs) == 1 else {"anyOf": refs}


def schema_of_refusal(dialect: Mounted, media: str) -> Json:
    """Return the schema of a refusal that only an example shows."""
    return _text_or(_schema(dialect, dialect.error_bodies), media)


def _text_or(schema: Json, media: str) -> Json:
    return {"type": "string"} if media.startswith("text/") else schema


def _add(answers: Json, response: RawResponse, schema: Json) -> None:
    status, _, headers = response
    media = headers["Content-Type"].partition(";")[0]
    content = {media: {"schema": _text_or(schema, media)}}
    answer = answers.setdefault(f"{status}", {"description": HTTPStatus(status).phrase})
    answer["content"] = answer.get("content", {}) | content
