"""What the files with routes of the native dialect share: the router, and the types of parameters and bodies."""

from collections.abc import Sequence
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.names import MAX_EMAIL
from veche.core.room_settings import MAX_TOPIC
from veche.core.text import MAX_CLIENT_ID
from veche.dialects.native import out
from veche.dialects.native.errors import invalid, problem
from veche.dialects.native.limits import (
    EMAIL_PATTERN,
    MAX_DEVICE,
    MAX_PAGE,
    MAX_PASSWORD_BYTES,
    MAX_PERSON_NAME,
    MAX_ROOM_NAME,
    MAX_TEXT_BYTES,
    MAX_USERNAME,
    MIN_PASSWORD,
    MIN_USERNAME,
)
from veche.gateway.fairness import NATIVE
from veche.gateway.http import RawResponse, authenticate, guest_of, route_class
from veche.gateway.openapi_bodies import characters, shown, utf8_bytes
from veche.service.accounts import Login


def _invalid(error: RequestValidationError) -> RawResponse:
    details = error.errors()
    if any(detail["type"] == "json_invalid" for detail in details):
        return problem(ChatError(Code.BAD_REQUEST, "The body is not JSON that can be read."))
    return invalid([out.FieldError(_field(detail["loc"]), str(detail["msg"])) for detail in details])


def _field(loc: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in loc[1:]) or str(loc[0])


def new_router() -> APIRouter:
    """Make a router for routes of the native dialect."""
    return APIRouter(prefix="/v1", tags=["native"], route_class=route_class(problem, _invalid))


PathId = Annotated[int, Path(ge=1, lt=2**63)]
Seq = Annotated[int | None, Query(ge=0, lt=2**63)]
BodyId = Annotated[int, Field(ge=1, lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Cursor = Annotated[str | None, Query(max_length=32)]
IdempotencyKey = Annotated[str | None, Header()]
"""The header Idempotency-Key: another way to give a client id."""
bearer = HTTPBearer(auto_error=False, description="The token of `register` or `login`.")


GuestOf = Annotated[Actor, Depends(guest_of("native"))]


async def login_of(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Login:
    """Return the login of a token. Raises ChatError (UNAUTHENTICATED)."""
    if credentials is None:
        raise ChatError(Code.UNAUTHENTICATED, "Send the header Authorization: Bearer TOKEN.")
    return await authenticate(request, "native", credentials.credentials, NATIVE)


LoginOf = Annotated[Login, Depends(login_of)]


class Body(BaseModel):
    """The base of request bodies. Unknown keys are refused, and a string is not accepted as a number."""

    model_config = ConfigDict(extra="forbid", strict=True)


Email = Annotated[str | None, Field(max_length=MAX_EMAIL, pattern=EMAIL_PATTERN)]


# The checks in `limits.py` have better texts than pydantic.
Username = Annotated[str, shown(characters(MIN_USERNAME, MAX_USERNAME))]
NewPassword = Annotated[str, shown(utf8_bytes(MIN_PASSWORD, MAX_PASSWORD_BYTES))]
PersonName = Annotated[str, shown(characters(1, MAX_PERSON_NAME))]
Device = Annotated[str, shown(characters(1, MAX_DEVICE))]
RoomName = Annotated[str, shown(characters(1, MAX_ROOM_NAME))]
Topic = Annotated[str, shown(characters(0, MAX_TOPIC))]
Text = Annotated[str, shown(utf8_bytes(1, MAX_TEXT_BYTES))]
ClientId = Annotated[str, shown(characters(1, MAX_CLIENT_ID))]
Typed = Annotated[str, shown(characters())]
"""With which somebody signs in. Whatever it is, a wrong one is answered as a wrong one."""


def client_id_of(given: str | None, key: IdempotencyKey) -> str | None:
    """Return the client id of a command: that of the body, or else the header Idempotency-Key."""
    return key if given is None else given


def id_after(cursor: str | None) -> int:
    """Return the id that a page of a list comes after. Raises ChatError if the cursor is not one that we gave."""
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or int(cursor) >= 2**63:
        raise ChatError(Code.INVALID, "This is no cursor of ours.", field="cursor")
    return int(cursor)


class WithId(Protocol):
    """What a page of a list has."""

    @property
    def id(self) -> int: ...


def cursor_after(items: Sequence[WithId], found: Sequence[object]) -> str | None:
    """Return the cursor of the page that follows these items, if more was found than they are."""
    return str(items[-1].id) if len(found) > len(items) else None
