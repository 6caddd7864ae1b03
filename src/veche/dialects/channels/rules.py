"""Checks request bodies of the channels dialect."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field


def validate_password(password: str) -> str:
    """Refuse a weak password with the text of the first broken rule. Letters and digits of all scripts count."""
    if len(password) < 8:
        raise ValueError("Пароль должен содержать не менее 8 символов")
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


class Credentials(BaseModel):
    """A login. The password rules are checked at login too, as in the original."""

    username: str
    password: Annotated[str, AfterValidator(validate_password), Field(repr=False)]


class Registration(Credentials):
    """A new account."""

    username: Annotated[str, AfterValidator(validate_username)]
