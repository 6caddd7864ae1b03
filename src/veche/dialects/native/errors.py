"""Maps refusals to the native dialect: a status and problem+json (RFC 9457) on REST, an `error` on the socket."""

import random
from http import HTTPStatus

import msgspec
from msgspec import UNSET, UnsetType

from veche.core.errors import ChatError, Code
from veche.dialects.native.answers import Error
from veche.dialects.native.out import FieldError, Problem
from veche.gateway.endings import CloseCode, Ending
from veche.gateway.refusals import RETRY_AFTER, headers_of

STATUS: dict[Code, int] = {
    Code.BAD_REQUEST: 400,
    Code.UNAUTHENTICATED: 401,
    Code.WRONG_CREDENTIALS: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_MEMBER: 403,
    Code.NOT_FOUND: 404,
    Code.TAKEN: 409,
    Code.TOO_LARGE: 413,
    Code.INVALID: 422,
    Code.IDEMPOTENCY_MISMATCH: 422,
    Code.RATE_LIMITED: 429,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.OVERLOADED: 503,
}
CODES = {
    400: Code.BAD_REQUEST,
    401: Code.UNAUTHENTICATED,
    404: Code.NOT_FOUND,
    413: Code.TOO_LARGE,
    503: Code.UNAVAILABLE,
}

CLOSE_CODES: dict[Ending, CloseCode] = {
    Ending.TEXT_ONLY: (1003, "text_only"),
    Ending.NOT_ADMITTED: (4001, "unauthenticated"),
    Ending.SESSION_ENDED: (4004, "session_ended"),
    Ending.REMOVED: (4202, "resync"),
    Ending.RESTART: (4200, "restart"),
    Ending.NO_PONG: (4103, "no_pong"),
    Ending.SLOW: (4101, "slow"),
    Ending.TOO_MANY: (4005, "too_many_connections"),
    Ending.LOST: (4202, "resync"),
    Ending.UNAVAILABLE: (4100, "unavailable"),
    Ending.INTERNAL: (4100, "unavailable"),
}
HELLO_TIMEOUT: CloseCode = (4102, "hello_timeout")  # a slow network may be the reason
TOKEN_EXPIRED: CloseCode = (4201, "token_expired")
RETRY_AFTER_MS = {4100: 1000, 4101: 1000, 4102: 1000, 4103: 1000, 4201: 0}
"""Milliseconds until a client may reconnect, by close code. For other codes, see JITTERED and `retry_after_ms`."""
JITTERED = frozenset({4200, 4202})
"""Close codes that many clients get at once. Clients reconnect at a random time within a second, to spread the load."""

_encode = msgspec.json.Encoder().encode


def problem(refusal: ChatError) -> tuple[int, bytes, dict[str, str]]:
    """Make the REST response for a refusal."""
    status = STATUS[refusal.code]
    body = _problem(status, refusal.code, refusal.message, refusal.temporary)
    if field := refusal.data.get("field"):
        body.errors = [FieldError(str(field), refusal.message)]
    if request_id := refusal.data.get("request_id"):
        body.request_id = str(request_id)
    return status, _encode(body), _headers(status) | headers_of(refusal)


def invalid(errors: list[FieldError]) -> tuple[int, bytes, dict[str, str]]:
    """Make the response for an invalid body or query. The response never contains values of the request."""
    body = _problem(422, Code.INVALID, "The request does not fit; see errors.", temporary=False)
    body.errors = errors
    return 422, _encode(body), _headers(422)


def plain(status: int, detail: str) -> tuple[int, bytes, dict[str, str]]:
    """Make the response for an error outside a route: unknown path, wrong method."""
    code = "method_not_allowed" if status == 405 else CODES.get(status, Code.BAD_REQUEST)
    return status, _encode(_problem(status, code, detail, temporary=False)), _headers(status)


def socket_error(refusal: ChatError) -> Error:
    """Make the `error` value of a frame for a refusal."""
    field, request_id = refusal.data.get("field"), refusal.data.get("request_id")
    return Error(
        refusal.code,
        refusal.message,
        refusal.temporary,
        str(field) if field else UNSET,
        int(float(str(refusal.data.get("retry_after", RETRY_AFTER))) * 1000) if refusal.temporary else UNSET,
        str(request_id) if request_id else UNSET,
    )


def retry_after_ms(code: int | None) -> int | UnsetType:
    """Return the milliseconds until a client may reconnect after a close code, or UNSET if it should not reconnect."""
    if code in JITTERED:
        return random.randrange(1000)
    return RETRY_AFTER_MS.get(code, UNSET) if code is not None else UNSET


def _problem(status: int, code: str, detail: str, temporary: bool) -> Problem:
    return Problem(f"urn:veche:error:{code}", HTTPStatus(status).phrase, status, detail, code, temporary)


def _headers(status: int) -> dict[str, str]:
    headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers
