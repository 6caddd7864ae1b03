"""Decodes and checks requests of the dispatch dialect: a username and a password of 1 to 8 ASCII characters."""

from typing import Annotated

import msgspec
from fastapi import Depends, Request

from veche.core.errors import ChatError, Code
from veche.gateway.openapi_bodies import characters, request_body

MAX_LENGTH = 8


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """The body of both POST requests. Other keys are ignored."""

    username: str
    password: str

    @property
    def is_complete(self) -> bool:
        """Whether both fields are non-empty."""
        return bool(self.username and self.password)

    @property
    def is_valid(self) -> bool:
        """Whether both fields are 1 to 8 ASCII characters."""
        return self.is_complete and all(
            len(field) <= MAX_LENGTH and field.isascii() for field in (self.username, self.password)
        )


def wrong_format() -> ChatError:
    """Make the refusal of an invalid body: `Wrong format`."""
    return ChatError(Code.BAD_REQUEST, "This is not a name and a password of 1 to 8 ASCII characters.")


_decode = msgspec.json.Decoder(Credentials).decode


async def _credentials(request: Request) -> Credentials:
    """Decode the body as JSON, whatever its Content-Type is. The original ignores the Content-Type too."""
    try:
        return _decode(await request.body())
    except (ValueError, RecursionError):  # ValueError: not UTF-8, not JSON, wrong keys or types
        raise wrong_format() from None


CredentialsOf = Annotated[Credentials, Depends(_credentials)]

_NEW, _TYPED = characters(1, MAX_LENGTH), characters(1)
NEW_ACCOUNT = request_body(Credentials, username=_NEW, password=_NEW)
SIGN_IN = request_body(Credentials, username=_TYPED, password=_TYPED)
"""The descriptions of the bodies in the OpenAPI document. An account of another dialect may have a longer name."""
