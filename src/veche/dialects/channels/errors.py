"""How refusals read in the channels contract: a status and `{"detail": ...}`; `{"message": ...}` for a taken name."""

from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError

from veche.core.errors import ChatError, Code
from veche.gateway.http import RawResponse

NOT_YOU = "Не удалось проверить учетные данные"
"""Said on REST, and on a socket before it is closed with 1008."""
LATER = "Сервер сейчас не может этого сделать. Попробуйте позже."
NO_ACCESS = (403, "Нет доступа")

ANSWERS: dict[Code, tuple[int, str]] = {
    Code.BAD_REQUEST: (400, "Запрос не удалось прочитать"),
    Code.UNAUTHENTICATED: (401, NOT_YOU),
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
    Code.UNAVAILABLE: (503, LATER),
    Code.OVERLOADED: (503, LATER),
}
PARTICULAR: dict[tuple[Code, object], tuple[int, str]] = {
    (Code.FORBIDDEN, "missing"): (403, "Not authenticated"),
    (Code.FORBIDDEN, "scheme"): (403, "Invalid authentication credentials"),
}
"""Where a code's `reason` asks for other words."""
MISFITS: dict[object, str] = {
    "username": "Имя пользователя слишком длинное или содержит недопустимые символы",
    "password": "Пароль слишком длинный",
}
"""What the core refuses in a field, in words of this contract."""

_encode = msgspec.json.Encoder().encode


def problem(refusal: ChatError) -> RawResponse:
    """Make status, body and headers of a refusal."""
    status, words = PARTICULAR.get((refusal.code, refusal.data.get("reason")), ANSWERS[refusal.code])
    key = "message" if refusal.code is Code.TAKEN else "detail"
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.temporary:
        headers["Retry-After"] = str(refusal.data.get("retry_after", 1))
    return _answer(status, {key: words or [_misfit(refusal)]}, headers)


def invalid(error: RequestValidationError) -> RawResponse:
    """Make the refusal of a body that does not fit, in the original's form without `input`: the password is there."""
    details = [{key: detail[key] for key in _KEYS if key in detail} for detail in error.errors()]
    for detail in details:
        if isinstance(context := detail.get("ctx"), dict):
            detail["ctx"] = {key: {} if isinstance(value, Exception) else value for key, value in context.items()}
    return _answer(422, {"detail": details}, {})


_KEYS = ("type", "loc", "msg", "ctx")


def _misfit(refusal: ChatError) -> dict[str, Any]:
    field = refusal.data.get("field")
    words = MISFITS.get(field, refusal.message)
    return {"type": "value_error", "loc": ["body", field] if field else ["body"], "msg": f"Value error, {words}"}


def _answer(status: int, body: dict[str, Any], headers: dict[str, str]) -> RawResponse:
    return status, _encode(body), {"Content-Type": "application/json", "Cache-Control": "no-store", **headers}
