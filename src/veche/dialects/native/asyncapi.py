"""The AsyncAPI document of the socket, and a page that shows it. Both are made from the Structs of the frames.

https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

import functools
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import msgspec

from veche import __version__
from veche.dialects.native.features import ANSWERS, EVENTS, PUSHES
from veche.dialects.native.frames import STRUCTS, CommandId

Json = dict[str, Any]

PATH = "/asyncapi.json"
PAGE = "/docs/socket"
SCHEMA = "#/components/schemas/"
_CHANNEL = {"$ref": "#/channels/socket"}
_ABOUT = (
    "The WebSocket of Veche's native dialect. Each frame is a text frame with one JSON object. A command has an `id`, "
    "and its answer has the same one. Say `hello` first. docs/native.md says what the frames mean."
)


@functools.cache
def document() -> Json:
    """Return the document, version 3.0.0: one channel, an operation for each command, and one for what is pushed."""
    pushed = [*EVENTS, *PUSHES]
    messages = {_command(name): _message(_command(name), fields) for name, fields in STRUCTS.items()}
    messages |= {kind.__name__: _message(kind.__name__, kind) for kind in (*ANSWERS, *pushed)}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Veche, native dialect", "version": __version__, "description": _ABOUT},
        "defaultContentType": "application/json",
        "channels": {"socket": {"address": "/v1/socket", "messages": {name: _ref(name) for name in messages}}},
        "operations": {
            **{name: _operation(name) for name in STRUCTS},
            "push": {
                "action": "send",
                "channel": _CHANNEL,
                "summary": "Events of the logs that you receive, and what the server says about them.",
                "messages": [_in_channel(kind.__name__) for kind in pushed],
            },
        },
        "components": {"messages": messages, "schemas": _schemas([*ANSWERS, *pushed])},
    }


def as_json() -> bytes:
    """Return the document as JSON."""
    return msgspec.json.encode(document())


def _command(name: str) -> str:
    return f"{name.capitalize()}Command"


def _message(name: str, kind: type[msgspec.Struct]) -> Json:
    summary = (kind.__doc__ or "").strip().partition("\n")[0]
    return {"name": name, "summary": summary, "payload": {"$ref": f"{SCHEMA}{name}"}}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/messages/{name}"}


def _in_channel(name: str) -> Json:
    return {"$ref": f"#/channels/socket/messages/{name}"}


def _operation(name: str) -> Json:
    found = [kind.__name__ for kind in ANSWERS if name in kind.__struct_fields__]
    return {
        "action": "receive",
        "channel": _CHANNEL,
        "summary": (STRUCTS[name].__doc__ or "").strip().partition("\n")[0],
        "messages": [_in_channel(_command(name))],
        "reply": {"channel": _CHANNEL, "messages": [_in_channel(kind) for kind in (*found, "ErrorAnswer")]},
    }


def _schemas(sent: Iterable[type[msgspec.Struct]]) -> Json:
    """Return the schemas of all frames, and of the values in them."""
    _, schemas = msgspec.json.schema_components(sent, ref_template=f"{SCHEMA}{{name}}")
    (id, *fields), values = msgspec.json.schema_components(
        [CommandId, *STRUCTS.values()], ref_template=f"{SCHEMA}Fields.{{name}}"
    )
    schemas |= {f"Fields.{name}": schema for name, schema in values.items()}
    for name, schema in zip(STRUCTS, fields, strict=True):
        schemas[_command(name)] = {
            "type": "object",
            "properties": {"id": id, name: schema},
            "required": ["id", name],
            "additionalProperties": False,
        }
    return schemas


@functools.cache
def as_page() -> bytes:
    """Return a page without scripts that shows the commands with their fields and answers, and what is pushed."""
    found = document()
    schemas = found["components"]["schemas"]
    parts = [f"<h1>{escape(found['info']['title'])}</h1><p>{escape(_ABOUT)}</p>", "<h2>Commands</h2>"]
    for name, operation in found["operations"].items():
        if name == "push":
            parts.append(f"<h2>Events and pushes</h2><p>{escape(operation['summary'])}</p>")
        else:
            parts.append(f"<h3 id={name}>{name}</h3><p>{escape(operation['summary'])}</p>")
        shown = [*operation["messages"], *operation.get("reply", {}).get("messages", [])]
        parts += [_schema_as_html(message["$ref"].rpartition("/")[2], schemas) for message in shown]
    parts.append("<h2>Values</h2>")
    frames = set(found["components"]["messages"])
    parts += [_schema_as_html(name, schemas) for name in sorted(schemas.keys() - frames)]
    return f"{_HEAD}{''.join(parts)}</main>\n".encode()


_HEAD = """<!doctype html><html lang=en><meta charset=utf-8><title>Veche: the socket</title>
<meta name=viewport content="width=device-width">
<style>body{font:16px/1.5 system-ui;margin:0}main{max-width:60rem;margin:auto;padding:1rem}
table{border-collapse:collapse;width:100%}td,th{border:1px solid #8888;padding:.2rem .5rem;text-align:left}
h4{margin-bottom:.2rem}code{white-space:pre-wrap}:root{color-scheme:light dark}</style><main>
"""


def _schema_as_html(name: str, schemas: Mapping[str, Json]) -> str:
    schema = schemas[name]
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{'' if field in schema.get('required', ()) else ' (optional)'}"
        f"<td>{_type_as_html(value)}"
        for field, value in schema.get("properties", {}).items()
    )
    table = f"<table><tr><th>field<th>type{rows}</table>" if rows else ""
    return f"<h4 id={escape(name)}>{escape(name)}</h4><p>{escape(schema.get('description', ''))}</p>{table}"


def _type_as_html(schema: Json) -> str:
    if ref := schema.get("$ref"):
        name = escape(ref.removeprefix(SCHEMA))
        return f'<a href="#{name}">{name}</a>'
    if choices := schema.get("anyOf"):
        return " or ".join(map(_type_as_html, choices))
    if items := schema.get("items"):
        return f"array of {_type_as_html(items)}"
    if values := schema.get("enum"):
        return escape(" or ".join(map(repr, values)))
    bounds = [f"{key} {schema[key]}" for key in ("minimum", "maximum", "minLength", "maxLength") if key in schema]
    return escape(", ".join([str(schema.get("type", "anything")), *bounds]))
