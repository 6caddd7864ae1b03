"""What a request of the dispatch contract may hold: a name and a password of 1 to 8 ASCII characters."""

from typing import Annotated

import msgspec
from fastapi import Depends, Request

from veche.core.errors import ChatError, Code

LONGEST = 8


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """The body of both calls; other keys are ignored."""

    username: str
    password: str

    @property
    def filled(self) -> bool:
        """Whether nothing is empty."""
        return bool(self.username and self.password)

    @property
    def proper(self) -> bool:
        """Whether the contract's rule is kept."""
        return self.filled and all(len(word) <= LONGEST and word.isascii() for word in (self.username, self.password))


def wrong_format() -> ChatError:
    """Make the refusal of what does not fit."""
    return ChatError(Code.BAD_REQUEST, "This is not a name and a password of 1 to 8 ASCII characters.")


_decode = msgspec.json.Decoder(Credentials).decode


async def _credentials(request: Request) -> Credentials:
    """Decode the body, whatever its Content-Type says: the original does not look at it."""
    try:
        return _decode(await request.body())
    except (ValueError, RecursionError):  # not JSON, not of this form, not UTF-8; too deep
        raise wrong_format() from None


CredentialsOf = Annotated[Credentials, Depends(_credentials)]

BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": msgspec.json.schema(Credentials)["$defs"]["Credentials"]}},
    }
}
"""The body as OpenAPI describes it."""
