"""How refusals read in the dispatch contract: a status and bare words, to the letter."""

from veche.core.errors import ChatError, Code
from veche.gateway.http import RawResponse

WRONG_FORMAT = (409, "Wrong format")

ANSWERS: dict[Code, tuple[int, str]] = {
    Code.BAD_REQUEST: WRONG_FORMAT,
    Code.INVALID: WRONG_FORMAT,
    Code.TOO_LARGE: WRONG_FORMAT,
    Code.WRONG_CREDENTIALS: (401, "Wrong username/password"),
    Code.UNAUTHENTICATED: (401, "Wrong username/password"),
    Code.TAKEN: (409, "Already exists"),
    Code.IDEMPOTENCY_MISMATCH: (409, "Already exists"),
    Code.FORBIDDEN: (403, "Forbidden"),
    Code.NOT_MEMBER: (403, "Forbidden"),
    Code.NOT_FOUND: (404, "Not Found"),
    Code.RATE_LIMITED: (429, "Too many tries"),
    Code.INTERNAL: (500, "Internal error"),
    Code.UNAVAILABLE: (503, "Try again later"),
    Code.OVERLOADED: (503, "Try again later"),
}
PARTICULAR: dict[tuple[Code, object], tuple[int, str]] = {(Code.TAKEN, "connected"): (409, "Already in")}
"""Where a code's `reason` asks for other words."""


def problem(refusal: ChatError) -> RawResponse:
    """Make status, body and headers of a refusal."""
    status, words = PARTICULAR.get((refusal.code, refusal.data.get("reason")), ANSWERS[refusal.code])
    answer = bare(words, status)
    if refusal.temporary:
        answer[2]["Retry-After"] = str(refusal.data.get("retry_after", 1))
    return answer


def plain(status: int, sentence: str) -> RawResponse:
    """Make the answer of a bare HTTP status: an unknown path, a wrong method; a body too large fits no format."""
    status, words = WRONG_FORMAT if status == 413 else (status, sentence)
    return bare(words, status)


def bare(words: str, status: int = 200) -> RawResponse:
    """RawResponse with bare words: no newline, no quotes, no charset."""
    return status, words.encode(), {"Content-Type": "text/plain", "Cache-Control": "no-store"}
