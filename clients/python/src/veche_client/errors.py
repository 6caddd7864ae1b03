"""Refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class VecheError(Exception):
    """A refusal by the server, or no answer.

    `code` is one of the contract, or of this client: "offline" (there is no connection), "lost" (the connection ended
    before the answer), "unreachable" (no answer to a REST call) or "stopped". If it is `temporary`, the same may
    succeed after `retry_after` seconds.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        temporary: bool = False,
        retry_after: float = 0.0,
        field: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message or code
        self.temporary = temporary
        self.retry_after = retry_after
        self.field = field
        self.request_id = request_id


def refusal(error: Mapping[str, Any]) -> VecheError:
    """Return the refusal of an `error` of the socket, or of a problem document of REST."""
    wrong = [each.get("field") for each in error.get("errors", ())]
    return VecheError(
        error["code"],
        error.get("message") or error.get("detail") or error.get("title") or "",
        temporary=error.get("temporary", False),
        retry_after=error.get("retry_after_ms", 0) / 1000,
        field=error.get("field", wrong[0] if wrong else None),
        request_id=error.get("request_id"),
    )
