"""Who has seen a message: the route (docs/native.md, Seen by)."""

from fastapi import Response

from veche.dialects.native import out
from veche.dialects.native.feature import Feature
from veche.dialects.native.limits import DEFAULT_PAGE
from veche.dialects.native.routing import Cursor, Limit, LoginOf, PathId, id_after, new_router
from veche.gateway.http import ChatOf, reply
from veche.gateway.openapi_answers import returns

router = new_router()


@router.get("/rooms/{room_id}/messages/{message_id}/seen", responses=returns(out.PersonPage))
async def seen(
    room_id: PathId,
    message_id: PathId,
    login: LoginOf,
    chat: ChatOf,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """List the people who have seen a message."""
    people, last_id = await chat.seen_by(login.account.id, room_id, message_id, id_after(cursor), limit)
    return reply(out.PersonPage(people, None if last_id is None else str(last_id)))


FEATURE = Feature(router=router)
