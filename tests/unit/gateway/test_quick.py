"""Quick routes are taken for usual requests, and left to the application otherwise."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from veche.core.errors import ChatError, Code
from veche.gateway.http import RawResponse
from veche.gateway.quick import QuickRequest, QuickRoute, QuickRoutes


async def application(scope: Any, receive: Any, send: Any) -> None:
    message = await receive()
    body = message.get("body", b"")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"application " + body})


async def handler(request: QuickRequest) -> RawResponse | None:
    if request.body == b"refuse":
        raise ChatError(Code.FORBIDDEN, "No.")
    if request.body == b"decline":
        return None
    return 200, f"quick {request.ids} ".encode() + request.body, {"X-Quick": "yes"}


def refused(refusal: ChatError) -> RawResponse:
    return 403, refusal.message.encode(), {}


ROUTES = [
    QuickRoute("GET", "/rooms", handler, refused),
    QuickRoute("POST", "/rooms/{}/messages/{}", handler, refused),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "answer"),
    [
        ("GET", "/rooms", b"", "quick () "),
        ("POST", "/rooms/7/messages/12", b"hi", "quick (7, 12) hi"),
        ("POST", "/rooms/7/messages/12", b"refuse", "No."),
        ("POST", "/rooms/7/messages/12", b"decline", "application decline"),
        ("POST", "/rooms/0/messages/12", b"hi", "application hi"),
        ("POST", "/rooms/07/messages/12", b"hi", "application hi"),
        ("POST", "/rooms/x/messages/12", b"hi", "application hi"),
        ("POST", "/rooms/7/messages", b"hi", "application hi"),
        ("POST", "/rooms", b"hi", "application hi"),
        ("GET", "/rooms/", b"", "application "),
        ("GET", "/", b"", "application "),
    ],
)
async def test_a_request_is_answered_by_its_quick_route_or_by_the_application(
    method: str, path: str, body: bytes, answer: str
) -> None:
    transport = httpx.ASGITransport(app=QuickRoutes(application, ROUTES))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.request(method, path, content=body)
    assert response.text == answer
