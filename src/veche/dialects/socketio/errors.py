"""Maps refusals to the socketio dialect: a status and `{"error": ...}`. The texts are those of the original."""

import msgspec

from veche.core.errors import ChatError, Code
from veche.gateway.http import RawResponse, raw_json
from veche.gateway.refusals import ErrorText, error_text, headers_of

MISSING = (400, "Missing username or password")
INVALID_JSON = "json"
"""The `reason` of the refusal of a body that is not JSON. The response is plain text."""

ANSWERS: dict[Code, ErrorText] = {
    Code.BAD_REQUEST: MISSING,
    Code.UNAUTHENTICATED: (401, "Unauthorized"),
    Code.WRONG_CREDENTIALS: (401, "Invalid username or password"),
    Code.FORBIDDEN: (403, "Forbidden"),
    Code.NOT_MEMBER: (403, "Forbidden"),
    Code.NOT_FOUND: (404, "Not Found"),
    Code.TAKEN: (409, "Username already exists"),
    Code.IDEMPOTENCY_MISMATCH: (409, "Already used"),
    Code.TOO_LARGE: (413, "Too large"),
    Code.INVALID: (400, "Invalid username or password"),
    Code.RATE_LIMITED: (429, "Too many attempts"),
    Code.INTERNAL: (500, "Internal server error"),
    Code.UNAVAILABLE: (503, "Try again later"),
    Code.OVERLOADED: (503, "Try again later"),
}
PARTICULAR: dict[tuple[Code, object], ErrorText] = {}


class ErrorBody(msgspec.Struct):
    """The JSON body of a refusal."""

    error: str


def problem(refusal: ChatError) -> RawResponse:
    """Make the response for a refusal."""
    if refusal.data.get("reason") == INVALID_JSON:
        return 400, b"Invalid JSON", {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
    status, text = error_text(refusal, ANSWERS, PARTICULAR)
    return raw_json({"error": text}, status, headers_of(refusal))


def plain(status: int, sentence: str) -> RawResponse:
    """Make the response for an error outside a route: unknown path, wrong method or body too large."""
    if status == 405:
        return status, b"", {}
    return raw_json({"error": sentence}, status)
