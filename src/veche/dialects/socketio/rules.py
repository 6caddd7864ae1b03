"""Decodes the body of the two POST requests: a JSON object or a form, with two non-empty strings."""

from typing import Annotated, Any
from urllib.parse import parse_qs

import msgspec
from fastapi import Depends, Request

from veche.core.errors import ChatError, Code
from veche.core.names import MAX_NAME
from veche.dialects.socketio.errors import INVALID_JSON
from veche.gateway.openapi_bodies import characters, request_body
from veche.service.passwords import MAX_BYTES as MAX_PASSWORD_BYTES

JSON = ("application/json", "application/ld+json")
FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 64


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """The body. Other keys are ignored."""

    username: str
    password: str


_json = msgspec.json.Decoder().decode


async def _credentials(request: Request) -> Credentials:
    """Decode the body by its Content-Type, as the original's framework does. A body of another type counts as empty."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    found = _of_json(body) if kind in JSON else _of_form(body) if kind == FORM else {}
    username, password = found.get("username"), found.get("password")
    if not (isinstance(username, str) and isinstance(password, str) and username and password):
        raise ChatError(Code.BAD_REQUEST, "The body needs a username and a password.")
    return Credentials(username, password)


def _of_json(body: bytes) -> dict[str, Any]:
    try:
        found = _json(body) if body else {}
    except (ValueError, RecursionError):
        raise ChatError(Code.BAD_REQUEST, "The body is not JSON.", reason=INVALID_JSON) from None
    return found if isinstance(found, dict) else {}


def _of_form(body: bytes) -> dict[str, Any]:
    """Decode a form. A repeated field becomes a list, which is refused because it is not a string."""
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


CredentialsOf = Annotated[Credentials, Depends(_credentials)]

_TYPES = (JSON[0], FORM)
NEW_ACCOUNT = request_body(
    Credentials, *_TYPES, username=characters(1, MAX_NAME), password=characters(1, MAX_PASSWORD_BYTES)
)
SIGN_IN = request_body(Credentials, *_TYPES, username=characters(1), password=characters(1))
"""The descriptions of the bodies in the OpenAPI document."""
