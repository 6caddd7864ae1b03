"""Turns refusals into HTTP responses, with the tables in each dialect's `errors.py`.

`ANSWERS` has a status and a text for each code. `PARTICULAR` replaces them for refusals with a certain cause.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec
from fastapi.exceptions import RequestValidationError

from veche.core.errors import ChatError, Code
from veche.wire.request_id import HEADER as REQUEST_ID

ErrorText: TypeAlias = tuple[int, str]
"""The HTTP status and the text of a refusal."""
ErrorTexts: TypeAlias = Mapping[Code, ErrorText]
ErrorTextsByCause: TypeAlias = Mapping[tuple[Code, object], ErrorText]


class Detail(msgspec.Struct):
    """What is wrong with one field, in FastAPI's format."""

    type: str
    loc: list[str | int]
    msg: str
    ctx: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class Refused(msgspec.Struct):
    """A refusal in FastAPI's format."""

    detail: str | list[Detail]


_DETAIL_KEYS = ("type", "loc", "msg", "ctx")

RETRY_AFTER = 1  # seconds until a refused request may be sent again, if the refusal has no number of its own


def cause_of(refusal: ChatError) -> object:
    """Return the cause of a refusal, which makes its code more precise.

    It is "private" if the room is hidden. Otherwise it is the `reason`, `field` or `what` in the data, or None.
    """
    data = refusal.data
    return "private" if data.get("private") else data.get("reason", data.get("field", data.get("what")))


def error_text(refusal: ChatError, by_code: ErrorTexts, by_cause: ErrorTextsByCause) -> ErrorText:
    """Return the status and the text for the code and the cause of a refusal, or else for its code alone."""
    return by_cause.get((refusal.code, cause_of(refusal)), by_code[refusal.code])


def headers_of(refusal: ChatError) -> dict[str, str]:
    """Return the headers of a refusal in any dialect: Retry-After if it is temporary, X-Request-Id if it is a bug."""
    headers = {"Retry-After": str(refusal.data.get("retry_after", RETRY_AFTER))} if refusal.temporary else {}
    if request_id := refusal.data.get("request_id"):
        headers[REQUEST_ID] = str(request_id)
    return headers


def details_of(error: RequestValidationError) -> list[dict[str, Any]]:
    """Return the details of a validation error in FastAPI's format, without `input`.

    `input` could echo a password. Values that JSON cannot encode, such as NaN and exceptions, are left out.
    """
    details = [{key: detail[key] for key in _DETAIL_KEYS if key in detail} for detail in error.errors()]
    for detail in details:
        if isinstance(context := detail.get("ctx"), dict):
            detail["ctx"] = {key: {} if isinstance(value, Exception) else value for key, value in context.items()}
    return details


def detail_of(field: object, text: str) -> dict[str, Any]:
    """Make a detail in FastAPI's format for a field that the core refused."""
    return {"type": "value_error", "loc": ["body", field] if field else ["body"], "msg": text}
