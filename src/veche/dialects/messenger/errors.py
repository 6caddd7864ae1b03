"""How refusals read in the messenger contract: a status and `{"detail": ...}`, to the letter."""

from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError

from veche.core.errors import ChatError, Code
from veche.gateway.http import RawResponse

NO_ACCESS = (403, "У вас нет доступа к этому чату")
NO_SUCH_USER = (400, "Пользователь не найден.")
LATER = "Сервер сейчас не может этого сделать. Попробуйте позже."

ANSWERS: dict[Code, tuple[int, str]] = {
    Code.BAD_REQUEST: (400, "Запрос не удалось прочитать."),
    Code.UNAUTHENTICATED: (401, "Invalid authentication credentials"),
    Code.WRONG_CREDENTIALS: (400, "Неверный пароль."),
    Code.FORBIDDEN: NO_ACCESS,
    Code.NOT_MEMBER: NO_ACCESS,
    Code.NOT_FOUND: NO_ACCESS,
    Code.TAKEN: (400, "Пользователь с таким email уже существует."),
    Code.TOO_LARGE: (413, "Сообщение слишком большое."),
    Code.INVALID: (422, ""),
    Code.IDEMPOTENCY_MISMATCH: (422, ""),
    Code.RATE_LIMITED: (429, "Слишком много попыток. Попробуйте позже."),
    Code.INTERNAL: (500, "Внутренняя ошибка сервера."),
    Code.UNAVAILABLE: (503, LATER),
    Code.OVERLOADED: (503, LATER),
}
PARTICULAR: dict[tuple[Code, object], tuple[int, str]] = {
    (Code.UNAUTHENTICATED, "missing"): (401, "Not authenticated"),
    (Code.UNAUTHENTICATED, "me"): (401, "Неверный или истекший токен"),
    (Code.WRONG_CREDENTIALS, "unknown"): NO_SUCH_USER,
    (Code.NOT_FOUND, "account"): NO_SUCH_USER,
    (Code.INVALID, "not_one"): (400, "При создании приватного чата можно указать только одного участника"),
    (Code.INVALID, "oneself"): (400, "Нельзя создать приватный чат с самим собой"),
    (Code.TAKEN, "private_chat"): (400, "Приватный чат между этими пользователями уже существует"),
}
"""Where a code's `reason` or `what` asks for other words."""

_encode = msgspec.json.Encoder().encode


def problem(refusal: ChatError) -> RawResponse:
    """Make status, body and headers of a refusal."""
    reason = refusal.data.get("reason", refusal.data.get("what"))
    status, words = PARTICULAR.get((refusal.code, reason), ANSWERS[refusal.code])
    headers: dict[str, str] = {}
    if reason in ("missing", "me"):
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.temporary:
        headers["Retry-After"] = str(refusal.data.get("retry_after", 1))
    return _answer(status, words or [_misfit(refusal)], headers)


def invalid(error: RequestValidationError) -> RawResponse:
    """Make the refusal of a request that does not fit, in FastAPI's form but without `input`.

    So no password is echoed, and NaN, which JSON cannot say, is not tried.
    """
    return _answer(422, [{key: detail[key] for key in _KEYS if key in detail} for detail in error.errors()], {})


_KEYS = ("type", "loc", "msg", "ctx")


def _misfit(refusal: ChatError) -> dict[str, Any]:
    field = "client_message_id" if refusal.code is Code.IDEMPOTENCY_MISMATCH else refusal.data.get("field")
    return {"type": "value_error", "loc": ["body", field] if field else ["body"], "msg": refusal.message}


def _answer(status: int, detail: str | list[dict[str, Any]], headers: dict[str, str]) -> RawResponse:
    body = _encode({"detail": detail})
    return status, body, {"Content-Type": "application/json", "Cache-Control": "no-store", **headers}
