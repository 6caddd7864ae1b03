"""Maps refusals to the rooms dialect: a status and a line of text on REST, the text of an error frame on the socket."""

from veche.core.errors import ChatError, Code
from veche.gateway.endings import COMMON_CLOSE_CODES, CloseCode
from veche.gateway.http import RawResponse
from veche.gateway.refusals import ErrorText, error_text, headers_of

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'self'",
    "Cache-Control": "no-store",
}
"""Headers of every REST response."""

INVALID_DATA = "invalid data"
SERVER_ERROR = "server error"
NOT_A_MEMBER = "user not a member of room"
OUTSIDE = "not connected to any room"
ARCHIVED = "room is archived"
TOO_MANY = "too many requests"
NAME_RULE = (400, "name must be 3-20 characters long and contain only letters, numbers or underscores")

ANSWERS: dict[Code, ErrorText] = {
    Code.BAD_REQUEST: (400, INVALID_DATA),
    Code.UNAUTHENTICATED: (401, "authorization failed"),
    Code.WRONG_CREDENTIALS: (401, "invalid password"),
    Code.FORBIDDEN: (403, "only creator can invite to room"),
    Code.NOT_MEMBER: (403, NOT_A_MEMBER),
    Code.NOT_FOUND: (401, "room not found"),
    Code.TAKEN: (409, "user with same name or email already exists"),
    Code.TOO_LARGE: (413, "request body too large"),
    Code.INVALID: (400, INVALID_DATA),
    Code.IDEMPOTENCY_MISMATCH: (400, INVALID_DATA),
    Code.RATE_LIMITED: (429, TOO_MANY),
    Code.INTERNAL: (500, SERVER_ERROR),
    Code.UNAVAILABLE: (503, SERVER_ERROR),
    Code.OVERLOADED: (429, "Server capacity exceeded."),
}
PARTICULAR: dict[tuple[Code, object], ErrorText] = {
    (Code.UNAUTHENTICATED, "socket"): (401, "invalid token"),
    (Code.WRONG_CREDENTIALS, "unknown"): (401, "user not found"),
    (Code.NOT_FOUND, "account"): (401, "user not found"),
    (Code.NOT_FOUND, "private"): (401, "room is private"),
    (Code.FORBIDDEN, "banned"): (401, "room is private"),
    (Code.FORBIDDEN, "archived"): (403, ARCHIVED),
    (Code.TAKEN, "rename"): (409, "user with same name already exists"),
    (Code.TAKEN, "name"): (409, "room with same name already exists"),
    (Code.TAKEN, "member"): (409, "user is already a member of room"),
    (Code.INVALID, "missing"): (400, "missing fields"),
    (Code.INVALID, "same"): (400, "new name matches the current"),
    (Code.INVALID, "email"): (400, "invalid email"),
    (Code.INVALID, "name"): NAME_RULE,
    (Code.INVALID, "username"): NAME_RULE,
    (Code.INVALID, "password"): (400, "password must be 8-128 characters long"),
}

ON_SOCKET: dict[Code, str] = {
    Code.BAD_REQUEST: INVALID_DATA,
    Code.INVALID: INVALID_DATA,
    Code.NOT_MEMBER: NOT_A_MEMBER,
    Code.NOT_FOUND: NOT_A_MEMBER,
    Code.FORBIDDEN: "room is private",
    Code.RATE_LIMITED: TOO_MANY,
}
"""Texts of error frames. The text for all other codes is `server error`."""

TOO_MUCH: CloseCode = (1008, "too much at once")
CLOSE_CODES = COMMON_CLOSE_CODES


def problem(refusal: ChatError) -> RawResponse:
    """Make the REST response for a refusal."""
    status, text = error_text(refusal, ANSWERS, PARTICULAR)
    return _text_response(status, text, headers_of(refusal))


def invalid(error: Exception) -> RawResponse:
    """Make the response for a request that FastAPI cannot validate."""
    return _text_response(400, INVALID_DATA, {})


def plain(status: int, sentence: str) -> RawResponse:
    """Make the response for an error outside a route: unknown path, wrong method, body too large."""
    text = {404: "404 page not found", 413: ANSWERS[Code.TOO_LARGE][1]}.get(status, sentence)
    return (status, b"", HEADERS) if status == 405 else _text_response(status, text, {})


def on_socket(refusal: ChatError) -> str:
    """Return the text of the error frame for a refusal."""
    if refusal.data.get("role") == "reader":
        return NOT_A_MEMBER
    if refusal.data.get("reason") == "archived":
        return ARCHIVED
    return ON_SOCKET.get(refusal.code, SERVER_ERROR)


def _text_response(status: int, text: str, headers: dict[str, str]) -> RawResponse:
    return status, f"{text}\n".encode(), {"Content-Type": "text/plain; charset=utf-8", **HEADERS, **headers}
