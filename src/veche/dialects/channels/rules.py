"""What a request of the channels contract may hold."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field


def strong(password: str) -> str:
    """Refuse a weak password by the first rule that it breaks; letters and digits of any alphabet count."""
    if len(password) < 8:
        raise ValueError("Пароль должен содержать не менее 8 символов")
    if not any(map(str.isupper, password)):
        raise ValueError("Пароль должен содержать хотя бы 1 заглавную букву")
    if not any(map(str.islower, password)):
        raise ValueError("Пароль должен содержать хотя бы 1 строчную букву")
    if not any(map(str.isdigit, password)):
        raise ValueError("Пароль должен содержать хотя бы 1 цифру")
    return password


def visible(username: str) -> str:
    """Refuse a name of which nothing is seen."""
    if not username.strip():
        raise ValueError("Имя пользователя не может быть пустым")
    return username


class Credentials(BaseModel):
    """Who signs in: the password's rules hold here too."""

    username: str
    password: Annotated[str, AfterValidator(strong), Field(repr=False)]


class Registration(Credentials):
    """A new account."""

    username: Annotated[str, AfterValidator(visible)]
