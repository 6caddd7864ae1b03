"""Maps refusals to the dispatch dialect: a status and a plain text. Clients compare the texts exactly."""

from veche.core.errors import ChatError, Code
from veche.gateway.endings import COMMON_CLOSE_CODES, CloseCode, Ending
from veche.gateway.http import RawResponse
from veche.gateway.refusals import ErrorText, error_text, headers_of

WRONG_FORMAT = (409, "Wrong format")

ANSWERS: dict[Code, ErrorText] = {
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
PARTICULAR: dict[tuple[Code, object], ErrorText] = {(Code.TAKEN, "connected"): (409, "Already in")}

NO_TOKEN: CloseCode = (None, "")  # an empty close frame, also for a bad token or an ended session
REPLACED: CloseCode = (1008, "replaced")
CLOSE_CODES = COMMON_CLOSE_CODES | {Ending.NOT_ADMITTED: NO_TOKEN}


def problem(refusal: ChatError) -> RawResponse:
    """Make the response for a refusal."""
    status, text = error_text(refusal, ANSWERS, PARTICULAR)
    return raw_text(text, status, headers_of(refusal))


def plain(status: int, sentence: str) -> RawResponse:
    """Make the response for an error outside a route: unknown path, wrong method, body too large (409 here)."""
    status, text = WRONG_FORMAT if status == 413 else (status, sentence)
    return raw_text(text, status)


def raw_text(text: str, status: int = 200, headers: dict[str, str] | None = None) -> RawResponse:
    """Make a response that is the text alone, without a newline or quotes. The Content-Type has no charset."""
    return status, text.encode(), {"Content-Type": "text/plain", "Cache-Control": "no-store", **(headers or {})}
