"""Refreshing a session: the route (docs/native.md, Short-lived tokens)."""

from typing import Annotated

from fastapi import Response
from pydantic import Field

from veche.dialects.native.feature import Feature
from veche.dialects.native.out import Outgoing
from veche.dialects.native.routing import Body, GuestOf, new_router
from veche.gateway.http import RefreshingOf, reply
from veche.gateway.openapi_answers import returns
from veche.service.refreshing import MAX_TOKEN


class RefreshBody(Body):
    """A refresh token of `register`, `login` or `refresh`."""

    refresh_token: Annotated[str, Field(max_length=MAX_TOKEN)]


class RefreshedTokens(Outgoing):
    """A new token, which is valid for `expires_in` seconds, and the refresh token to go on with."""

    token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


router = new_router()


@router.post("/refresh", responses=returns(RefreshedTokens))
async def refresh(body: RefreshBody, refreshing: RefreshingOf, guest: GuestOf) -> Response:
    """Exchange a refresh token for a new token and the next refresh token."""
    issued = await refreshing.refresh(guest, body.refresh_token)
    return reply(RefreshedTokens(issued.token, issued.expires_in, issued.refresh_token, issued.refresh_expires_in))


FEATURE = Feature(router=router, bodies=(RefreshedTokens,))
