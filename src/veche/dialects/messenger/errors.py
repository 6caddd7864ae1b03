"""Maps refusals to the messenger dialect: a status and `{"detail": ...}`. The texts are those of the original."""

from fastapi.exceptions import RequestValidationError

from veche.core.errors import ChatError, Code
from veche.gateway.endings import COMMON_CLOSE_CODES, CloseCode, Ending
from veche.gateway.http import RawResponse, raw_json
from veche.gateway.refusals import ErrorText, cause_of, detail_of, details_of, error_text, headers_of

NO_ACCESS = (403, "У вас нет доступа к этому чату")
NO_SUCH_USER = (400, "Пользователь не найден.")
TRY_LATER = "Сервер сейчас не может этого сделать. Попробуйте позже."

ANSWERS: dict[Code, ErrorText] = {
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
    Code.UNAVAILABLE: (503, TRY_LATER),
    Code.OVERLOADED: (503, TRY_LATER),
}
PARTICULAR: dict[tuple[Code, object], ErrorText] = {
    (Code.UNAUTHENTICATED, "missing"): (401, "Not authenticated"),
    (Code.UNAUTHENTICATED, "me"): (401, "Неверный или истекший токен"),
    (Code.WRONG_CREDENTIALS, "unknown"): NO_SUCH_USER,
    (Code.NOT_FOUND, "account"): NO_SUCH_USER,
    (Code.INVALID, "not_one"): (400, "При создании приватного чата можно указать только одного участника"),
    (Code.INVALID, "oneself"): (400, "Нельзя создать приватный чат с самим собой"),
    (Code.TAKEN, "private_chat"): (400, "Приватный чат между этими пользователями уже существует"),
}

NOT_AN_OBJECT: CloseCode = (1003, "a JSON object, please")
CLOSE_CODES = COMMON_CLOSE_CODES | {Ending.NOT_ADMITTED: (1008, "removed")}


def problem(refusal: ChatError) -> RawResponse:
    """Make the response for a refusal."""
    status, text = error_text(refusal, ANSWERS, PARTICULAR)
    headers = {"WWW-Authenticate": "Bearer"} if cause_of(refusal) in ("missing", "me") else headers_of(refusal)
    return raw_json({"detail": text or [_invalid_field(refusal)]}, status, headers)


def invalid(error: RequestValidationError) -> RawResponse:
    """Make the response for an invalid request."""
    return raw_json({"detail": details_of(error)}, 422)


def _invalid_field(refusal: ChatError) -> dict[str, object]:
    field = "client_message_id" if refusal.code is Code.IDEMPOTENCY_MISMATCH else refusal.data.get("field")
    return detail_of(field, refusal.message)
