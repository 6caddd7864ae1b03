"""How refusals read in the socketio contract: a status and `{"error": ...}`, to the letter."""

import msgspec

from veche.core.errors import ChatError, Code
from veche.gateway.http import RawResponse

MISSING = (400, "Missing username or password")
INVALID_JSON = "json"
"""The `reason` of a body that is no JSON, which the contract answers in plain text."""

ANSWERS: dict[Code, tuple[int, str]] = {
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

_encode = msgspec.json.Encoder().encode


def problem(refusal: ChatError) -> RawResponse:
    """Make status, body and headers of a refusal."""
    if refusal.data.get("reason") == INVALID_JSON:
        return 400, b"Invalid JSON", {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
    answer = _answer(*ANSWERS[refusal.code])
    if refusal.temporary:
        answer[2]["Retry-After"] = str(refusal.data.get("retry_after", 1))
    return answer


def plain(status: int, sentence: str) -> RawResponse:
    """Make the answer of a bare HTTP status: an unknown path, a body too large, a bug; a wrong method has none."""
    if status == 405:
        return status, b"", {}
    return _answer(*ANSWERS[Code.INTERNAL]) if status == 500 else _answer(status, sentence)


def _answer(status: int, words: str) -> RawResponse:
    return status, _encode({"error": words}), {"Content-Type": "application/json", "Cache-Control": "no-store"}
