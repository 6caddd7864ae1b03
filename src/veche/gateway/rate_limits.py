"""The headers that tell a client what is left of its limits (draft-ietf-httpapi-ratelimit-headers-10)."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from veche.service.uses import USES, Uses

HEADERS = "RateLimit", "RateLimit-Policy"


class RateLimitHeaders:
    """Middleware that adds the headers to each answer for which something was counted. No contract forbids them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        uses: Uses = {}

        async def send_with_headers(message: Message) -> None:
            if uses and message["type"] == "http.response.start":
                add_headers(MutableHeaders(scope=message), uses)
            await send(message)

        token = USES.set(uses)
        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            USES.reset(token)


def add_headers(headers: MutableHeaders, uses: Uses) -> None:
    """Add what is left of each limit, in how many seconds it is whole again, and how much it is in how many seconds."""
    headers["RateLimit"] = ", ".join(f'"{name}";r={use.left};t={use.reset}' for name, use in uses.items())
    headers["RateLimit-Policy"] = ", ".join(f'"{name}";q={use.quota};w={use.window}' for name, use in uses.items())
