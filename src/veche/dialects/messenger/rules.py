"""What a request of the messenger contract may hold."""

from enum import StrEnum
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, BaseModel, EmailStr, Field

from veche.core.values import RESERVED_IDS

MAX_PERSON_NAME = 50
MAX_CLIENT_MESSAGE_ID = 64
MAX_MEMBERS = 1000


def known(id: int) -> int:
    """Make 0, which is never an id, of a number that no id can be."""
    return id if 0 < id < 2**63 else 0


def known_person(id: int) -> int:
    """Make 0 of a number that no person's id can be: nobody chats with what is built in."""
    return id if 0 < id < RESERVED_IDS else 0


def usable_id(value: object) -> str | None:
    """Make None of a `client_message_id` that cannot be one: a socket has no words to refuse it."""
    usable = isinstance(value, str) and 1 <= len(value) <= MAX_CLIENT_MESSAGE_ID and value.isprintable()
    return str(value) if usable else None


Password = Annotated[str, Field(min_length=8, max_length=64, repr=False)]
Id = Annotated[int, AfterValidator(known)]
PersonId = Annotated[int, AfterValidator(known_person)]
Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, lt=2**63)]


class ChatType(StrEnum):
    """A chat of two, or of as many as one likes."""

    PRIVATE = "private"
    GROUP = "group"


class Registration(BaseModel):
    """A new account. The contract's own page sends no name: then it is the e-mail's local part."""

    email: EmailStr
    password: Password
    name: str = Field("", min_length=1, max_length=MAX_PERSON_NAME)

    @property
    def display_name(self) -> str:
        """The name that the others see."""
        return self.name or self.email.rpartition("@")[0][:MAX_PERSON_NAME]


class Credentials(BaseModel):
    """Who signs in."""

    email: EmailStr
    password: Password


class NewChat(BaseModel):
    """A new chat; who asks is in it without being named."""

    name: str = Field(min_length=1, max_length=50)
    chat_type: ChatType = ChatType.PRIVATE
    member_ids: list[PersonId] = Field(max_length=MAX_MEMBERS)


class NewMessage(BaseModel):
    """A message; the same `client_message_id` again is harmless."""

    text: str
    client_message_id: Annotated[str, Field(min_length=1, max_length=MAX_CLIENT_MESSAGE_ID)] | None = None
