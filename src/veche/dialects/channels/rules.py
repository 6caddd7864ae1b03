"""Checks request bodies of the channels dialect."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from veche.core.names import MAX_NAME
from veche.gateway.openapi_bodies import characters, shown
from veche.service.passwords import MAX_BYTES

MIN_PASSWORD = 8


def validate_password(password: str) -> str:
    """Refuse a weak password with the text of the first broken rule. Letters and digits of all scripts count."""
    if len(password) < MIN_PASSWORD:
        raise ValueError(f"Пароль должен содержать не менее {MIN_PASSWORD} символов")
    if not any(map(str.isupper, password)):
        raise ValueError("Пароль должен содержать хотя бы 1 заглавную букву")
    if not any(map(str.islower, password)):
        raise ValueError("Пароль должен содержать хотя бы 1 строчную букву")
    if not any(map(str.isdigit, password)):
        raise ValueError("Пароль должен содержать хотя бы 1 цифру")
    return password


def validate_username(username: str) -> str:
    """Refuse an empty or blank username."""
    if not username.strip():
        raise ValueError("Имя пользователя не может быть пустым")
    return username


Password = Annotated[str, AfterValidator(validate_password), Field(repr=False)]


class Credentials(BaseModel):
    """A login. The password rules are checked at login too, as in the original."""

    username: Annotated[str, shown(characters())]
    password: Annotated[Password, shown(characters(MIN_PASSWORD))]


class Registration(Credentials):
    """A new account."""

    username: Annotated[str, AfterValidator(validate_username), shown(characters(1, MAX_NAME))]
    password: Annotated[Password, shown(characters(MIN_PASSWORD, MAX_BYTES))]
