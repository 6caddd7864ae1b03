"""The one error that a user can cause, with the short list of its codes.

Every dialect maps each code to its own status and words in its `errors.py`. Whatever else is raised is a bug.
"""

from enum import StrEnum


class Code(StrEnum):
    """Why a command or a query was refused."""

    BAD_REQUEST = "bad_request"  # it could not be read
    UNAUTHENTICATED = "unauthenticated"  # no token, or a bad, expired or revoked one
    WRONG_CREDENTIALS = "wrong_credentials"  # data: reason "unknown" or "password"
    FORBIDDEN = "forbidden"  # theirs to see, not to do
    NOT_MEMBER = "not_member"  # a public room they are not in
    NOT_FOUND = "not_found"  # data: what "room", "account" or "message"
    TAKEN = "taken"  # data: field "username", "email" or "name"
    TOO_LARGE = "too_large"
    INVALID = "invalid"  # data: field, where one is at fault
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"  # same client id, another body
    RATE_LIMITED = "rate_limited"  # data: retry_after in seconds
    INTERNAL = "internal"  # a bug of ours; nothing was stored
    UNAVAILABLE = "unavailable"  # the store cannot take it now
    OVERLOADED = "overloaded"  # too much waits already


TEMPORARY = frozenset({Code.RATE_LIMITED, Code.UNAVAILABLE, Code.OVERLOADED})


class ChatError(Exception):
    """A refusal: a code, an English sentence for developers, and data that a dialect may need for its words."""

    def __init__(self, code: Code, message: str, **data: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    @property
    def temporary(self) -> bool:
        """Whether the same request may pass later."""
        return self.code in TEMPORARY
