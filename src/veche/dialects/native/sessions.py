"""The sessions of one's own account: the routes (docs/native.md, Sessions)."""

import re
from typing import Annotated

from fastapi import Path, Query, Response

from veche.core.errors import ChatError, Code
from veche.dialects.native.feature import Feature
from veche.dialects.native.limits import DEFAULT_PAGE
from veche.dialects.native.out import Outgoing
from veche.dialects.native.routing import Limit, LoginOf, new_router
from veche.dialects.native.views import time_of
from veche.gateway.http import AccountsOf, ChatOf, reply
from veche.gateway.openapi_answers import returns
from veche.service.sessions import NEWEST, OwnSession, own_sessions

MAX_SESSION_ID = 64

SessionId = Annotated[str, Path(min_length=1, max_length=MAX_SESSION_ID)]
SessionCursor = Annotated[str | None, Query(max_length=MAX_SESSION_ID + 20)]


class OwnSessionOut(Outgoing):
    """A session of yours. `current`: it is that of the token with which you ask.

    `dialect` is the one through which somebody signed in, and `device` what the client said then. `refreshed_at` is
    null if the session has not been refreshed. `connected` is null if that could not be found out now.
    """

    id: str
    device: str | None
    dialect: str
    created_at: str
    refreshed_at: str | None
    expires_at: str
    connected: bool | None
    current: bool


class SessionPage(Outgoing):
    """Sessions, the newest first. `cursor` fetches the next page. If it is null, this page is the last one."""

    items: list[OwnSessionOut]
    cursor: str | None


router = new_router()


@router.get("/sessions", responses=returns(SessionPage))
async def sessions(login: LoginOf, chat: ChatOf, cursor: SessionCursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """List your sessions: where you are signed in."""
    found = await own_sessions(chat, login, _before(cursor), limit + 1)
    page = found[:limit]
    return reply(SessionPage([_out(one) for one in page], _cursor(page[-1]) if len(found) > limit else None))


@router.delete("/sessions", status_code=204)
async def end_other_sessions(login: LoginOf, accounts: AccountsOf) -> Response:
    """End all your sessions but that of the token, and close their connections."""
    await accounts.end_other_sessions(login)
    return Response(status_code=204)


@router.delete("/sessions/{session_id}", status_code=204)
async def end_session(session_id: SessionId, login: LoginOf, accounts: AccountsOf) -> Response:
    """End one of your sessions, and close its connections. If it has ended already, nothing happens."""
    await accounts.end_session(login, session_id)
    return Response(status_code=204)


def _out(one: OwnSession) -> OwnSessionOut:
    session, refreshed_at = one.view.session, one.view.refreshed_at
    return OwnSessionOut(
        session.id,
        session.device,
        session.dialect,
        time_of(session.created_at),
        time_of(refreshed_at) if refreshed_at is not None else None,
        time_of(session.expires_at),
        one.connected,
        one.current,
    )


def _cursor(one: OwnSession) -> str:
    return f"{one.view.session.created_at}.{one.view.session.id}"


def _before(cursor: str | None) -> tuple[int, str]:
    if cursor is None:
        return NEWEST
    if (found := re.fullmatch(r"(\d{1,18})\.([\w-]+)", cursor, re.ASCII)) is None:
        raise ChatError(Code.INVALID, "This is no cursor of ours.", field="cursor")
    return int(found[1]), found[2]


FEATURE = Feature(router=router, bodies=(SessionPage,))
