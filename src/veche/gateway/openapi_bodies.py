"""The bounds of request bodies in the OpenAPI document.

A dialect checks names, passwords and texts itself, to refuse them in the words of its contract. These functions show
the numbers of its checks.
"""

from typing import Any, cast

import msgspec
from pydantic import Field
from pydantic.fields import FieldInfo

from veche.gateway.http import MAX_BODY

Json = dict[str, Any]

MAX_CHAR_BYTES = 4  # of one character in UTF-8


def characters(least: int = 0, most: int = MAX_BODY) -> Json:
    """Return the bounds of a string of `least` to `most` characters: at most as long as a whole body may be."""
    return {"minLength": least, "maxLength": most} if least else {"maxLength": most}


def utf8_bytes(least: int, most: int) -> Json:
    """Return the bounds of a string of `least` to `most` bytes.

    A schema counts characters. So it allows some strings that the check of the bytes refuses, and refuses none of the
    others.
    """
    return characters(-(-least // MAX_CHAR_BYTES), most)


def shown(bounds: Json) -> FieldInfo:
    """Return the annotation of a field of a pydantic model that shows these bounds. It checks nothing."""
    return cast(FieldInfo, Field(json_schema_extra=bounds))


def shown_in_struct(bounds: Json) -> msgspec.Meta:
    """Return the annotation of a field of a Struct that shows these bounds. It checks nothing."""
    return msgspec.Meta(extra_json_schema=bounds)


def request_body(model: type[msgspec.Struct], *media: str, **bounds: Json) -> Json:
    """Describe the body of a route that decodes it itself. `bounds` are those of fields that have none in the Struct.

    FastAPI takes it as `openapi_extra`.
    """
    schema = msgspec.json.schema_components((model,))[1][model.__name__]
    for name, of_field in bounds.items():
        schema["properties"][name] |= of_field
    return {
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": schema} for kind in media or ("application/json",)},
        }
    }
