"""Checks request bodies and ids of the messenger dialect."""

from enum import StrEnum
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, BaseModel, EmailStr, Field

from veche.core.names import MAX_EMAIL, Reserved
from veche.core.room_creation import MAX_FIRST_MEMBERS
from veche.core.text import MAX_CLIENT_ID, MAX_TEXT_BYTES
from veche.core.values import RESERVED_IDS, valid_person_id
from veche.gateway.openapi_bodies import characters, shown

IDS = 2**63  # every id is below it
MAX_PERSON_NAME = MAX_CHAT_NAME = 50


def valid_id(id: int) -> int:
    """Return the id, or 0 if it is out of range. Nothing has the id 0."""
    return id if 0 < id < IDS else 0


def usable_id(value: object) -> str | None:
    """Return the `client_message_id`, or None if it is invalid. The socket has no frame that could refuse it."""
    usable = isinstance(value, str) and 1 <= len(value) <= MAX_CLIENT_ID and value.isprintable()
    return str(value) if usable else None


Password = Annotated[str, Field(min_length=8, max_length=64, repr=False)]
Email = Annotated[EmailStr, shown(characters(1, MAX_EMAIL))]
Id = Annotated[int, AfterValidator(valid_id), shown({"minimum": 1, "exclusiveMaximum": IDS})]
PersonId = Annotated[int, AfterValidator(valid_person_id), shown({"minimum": 1, "exclusiveMaximum": RESERVED_IDS})]
Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, lt=IDS)]


class ChatType(StrEnum):
    """The kind of a chat. `private` is a direct room of two accounts."""

    PRIVATE = "private"
    GROUP = "group"


class Registration(BaseModel):
    """A new account. The original's page sends no name. The default is the part of the e-mail before the @."""

    email: Email
    password: Password
    name: str = Field("", min_length=1, max_length=MAX_PERSON_NAME)

    def display_name(self, reserved: Reserved) -> str | None:
        """Return the name to show. None: the username, because what is before the @ is reserved."""
        local = self.email.rpartition("@")[0][:MAX_PERSON_NAME]
        return self.name or (local if local not in reserved else None)


class Credentials(BaseModel):
    """A login."""

    email: Email
    password: Password


class NewChat(BaseModel):
    """A new chat. `member_ids` are the members besides the creator."""

    name: str = Field(min_length=1, max_length=MAX_CHAT_NAME)
    chat_type: ChatType = ChatType.PRIVATE
    member_ids: list[PersonId] = Field(max_length=MAX_FIRST_MEMBERS)


class NewMessage(BaseModel):
    """A message. A retry with the same `client_message_id` does not store it again."""

    text: Annotated[str, shown(characters(0, MAX_TEXT_BYTES))]
    client_message_id: Annotated[str, Field(min_length=1, max_length=MAX_CLIENT_ID)] | None = None
