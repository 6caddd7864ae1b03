"""Logs what the HTTP answers of all dialects say about the server: failures, limits, and each request if asked to."""

import logging
import time
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from veche.ops.logs import ACCESS
from veche.wire.proxy import Trusted, client_of
from veche.wire.request_id import HEADER

_HEADER = HEADER.lower().encode()

logger = logging.getLogger("veche.http")
access = logging.getLogger(ACCESS)


class Watch:
    """The outermost application. It sees every answer, also those of middleware and of the last handler of errors.

    The query of a request is never logged: two contracts have tokens in it.
    """

    def __init__(self, app: ASGIApp, trusted: Trusted) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic() if access.isEnabledFor(logging.INFO) else None
        status = 0

        def watched(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status == 429 or status >= 500:
                    self._log_trouble(scope, status, _request_id(message))
                if started is not None:
                    self._log_access(scope, status, time.monotonic() - started)
            return send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            if status != 500:  # the answer had begun: uvicorn logs the traceback, and closes the connection
                raise

    def _log_trouble(self, scope: Scope, status: int, request_id: str) -> None:
        request = {"client": self._client(scope), "method": scope["method"], "path": scope["path"], "status": status}
        if status == 429:
            logger.warning(
                "too many requests from %s: %s %s was answered %d", *request.values(), extra={"fields": request}
            )
        elif status == 503:
            logger.warning(
                "a request from %s failed: %s %s was answered %d", *request.values(), extra={"fields": request}
            )
        else:
            request["request_id"] = request_id
            text = "a request from %s failed: %s %s was answered %d (request %s)"
            logger.error(text, *request.values(), extra={"fields": request})

    def _log_access(self, scope: Scope, status: int, seconds: float) -> None:
        request = {"client": self._client(scope), "method": scope["method"], "path": scope["path"], "status": status}
        values = (*request.values(), seconds * 1000)
        fields = {**request, "ms": seconds * 1000}
        access.info("%s %s %s %d %.1f ms", *values, extra={"fields": fields})

    def _client(self, scope: Scope) -> str:
        return client_of(scope, self._trusted) or "unix"


def _request_id(start: Message) -> str:
    """Return the id in the head of an answer to a bug, or "-"."""
    return next((value.decode("latin-1") for name, value in start["headers"] if name == _HEADER), "-")
