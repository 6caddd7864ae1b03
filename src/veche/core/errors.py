"""ChatError, the exception for every refusal. If a command raises any other exception, that is a bug.

Each dialect maps the codes to its own statuses and texts, in its `errors.py`.
"""

from enum import StrEnum


class Code(StrEnum):
    """Why a command or a query was refused. The comments name the data that some codes have."""

    BAD_REQUEST = "bad_request"  # the request could not be parsed
    UNAUTHENTICATED = "unauthenticated"  # no token, or one that is invalid, expired or revoked
    WRONG_CREDENTIALS = "wrong_credentials"  # data: reason "unknown" or "password"
    FORBIDDEN = "forbidden"  # the account may see the room, but not do this in it
    NOT_MEMBER = "not_member"  # the room is public, and the account is not in it
    NOT_FOUND = "not_found"  # data: what "room", "account" or "message"
    TAKEN = "taken"  # data: field "username", "email" or "name"
    TOO_LARGE = "too_large"
    INVALID = "invalid"  # data: field, if one field is wrong
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"  # the client message id was used for another message
    RATE_LIMITED = "rate_limited"  # data: retry_after in seconds
    INTERNAL = "internal"  # a bug in the server; nothing was stored
    UNAVAILABLE = "unavailable"  # the database cannot store anything now
    OVERLOADED = "overloaded"  # too many commands are waiting


TEMPORARY = frozenset({Code.RATE_LIMITED, Code.UNAVAILABLE, Code.OVERLOADED})


class ChatError(Exception):
    """A refusal: a code, an English sentence for developers, and data from which a dialect makes its own text."""

    def __init__(self, code: Code, message: str, **data: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    @property
    def temporary(self) -> bool:
        """Whether the same request may succeed later."""
        return self.code in TEMPORARY
