"""Maps refusals to the channels dialect: a status and `{"detail": ...}`, or `{"message": ...}` for a taken name."""

import msgspec
from fastapi.exceptions import RequestValidationError

from veche.core.errors import ChatError, Code
from veche.gateway.endings import COMMON_CLOSE_CODES, CloseCode, Ending
from veche.gateway.http import RawResponse, raw_json
from veche.gateway.refusals import ErrorText, detail_of, details_of, error_text, headers_of

INVALID_CREDENTIALS = "Не удалось проверить учетные данные"
"""Sent on REST, and on a socket before it is closed with 1008."""
TRY_LATER = "Сервер сейчас не может этого сделать. Попробуйте позже."
NO_ACCESS = (403, "Нет доступа")

ANSWERS: dict[Code, ErrorText] = {
    Code.BAD_REQUEST: (400, "Запрос не удалось прочитать"),
    Code.UNAUTHENTICATED: (401, INVALID_CREDENTIALS),
    Code.WRONG_CREDENTIALS: (401, "Неверное имя пользователя или пароль"),
    Code.FORBIDDEN: NO_ACCESS,
    Code.NOT_MEMBER: NO_ACCESS,
    Code.NOT_FOUND: (404, "Not Found"),
    Code.TAKEN: (400, "Пользователь с таким именем уже существует"),
    Code.TOO_LARGE: (413, "Сообщение слишком большое"),
    Code.INVALID: (422, ""),
    Code.IDEMPOTENCY_MISMATCH: (422, ""),
    Code.RATE_LIMITED: (429, "Слишком много попыток. Попробуйте позже."),
    Code.INTERNAL: (500, "Внутренняя ошибка сервера"),
    Code.UNAVAILABLE: (503, TRY_LATER),
    Code.OVERLOADED: (503, TRY_LATER),
}
PARTICULAR: dict[tuple[Code, object], ErrorText] = {
    (Code.FORBIDDEN, "missing"): (403, "Not authenticated"),
    (Code.FORBIDDEN, "scheme"): (403, "Invalid authentication credentials"),
}
INVALID_FIELDS: dict[object, str] = {
    "username": "Имя пользователя слишком длинное или содержит недопустимые символы",
    "password": "Пароль слишком длинный",
}
"""The text for each field that the core may refuse."""

UPSTREAM_FAILED: CloseCode = (1011, "upstream failed")
CLOSE_CODES = COMMON_CLOSE_CODES | {Ending.NOT_ADMITTED: (1008, "")}


class Taken(msgspec.Struct):
    """The body of the refusal of a name that is taken."""

    message: str


def problem(refusal: ChatError) -> RawResponse:
    """Make the response for a refusal."""
    status, text = error_text(refusal, ANSWERS, PARTICULAR)
    key = "message" if refusal.code is Code.TAKEN else "detail"
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else headers_of(refusal)
    return raw_json({key: text or [_invalid_field(refusal)]}, status, headers)


def invalid(error: RequestValidationError) -> RawResponse:
    """Make the response for an invalid body."""
    return raw_json({"detail": details_of(error)}, 422)


def _invalid_field(refusal: ChatError) -> dict[str, object]:
    field = refusal.data.get("field")
    return detail_of(field, f"Value error, {INVALID_FIELDS.get(field, refusal.message)}")
