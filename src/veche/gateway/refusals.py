"""How refusals become answers, alike in every dialect; the words are the dialect's own, in tables of its `errors.py`.

`ANSWERS` has a status and words for each code, `PARTICULAR` others where the words depend on what a refusal is about.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from fastapi.exceptions import RequestValidationError

from veche.core.errors import ChatError, Code

Answer: TypeAlias = tuple[int, str]
"""Status and words."""
Answers: TypeAlias = Mapping[Code, Answer]
Particular: TypeAlias = Mapping[tuple[Code, object], Answer]

_SHOWN = ("type", "loc", "msg", "ctx")


def about(refusal: ChatError) -> object:
    """Find what a refusal is about, beside its code: a private room, or the reason, field or thing that it names."""
    data = refusal.data
    return "private" if data.get("private") else data.get("reason", data.get("field", data.get("what")))


def answer_to(refusal: ChatError, answers: Answers, particular: Particular) -> Answer:
    """Look up status and words of a refusal."""
    return particular.get((refusal.code, about(refusal)), answers[refusal.code])


def retry_headers(refusal: ChatError) -> dict[str, str]:
    """Make the headers of a refusal: when to try again, where it is temporary."""
    return {"Retry-After": str(refusal.data.get("retry_after", 1))} if refusal.temporary else {}


def details_of(error: RequestValidationError) -> list[dict[str, Any]]:
    """Say what does not fit in a request, in FastAPI's form without `input`.

    So no password is echoed, and nothing is tried that JSON cannot say: NaN, or an exception.
    """
    details = [{key: detail[key] for key in _SHOWN if key in detail} for detail in error.errors()]
    for detail in details:
        if isinstance(context := detail.get("ctx"), dict):
            detail["ctx"] = {key: {} if isinstance(value, Exception) else value for key, value in context.items()}
    return details


def detail_of(field: object, words: str) -> dict[str, Any]:
    """Make one such detail of a field that the core refused."""
    return {"type": "value_error", "loc": ["body", field] if field else ["body"], "msg": words}
