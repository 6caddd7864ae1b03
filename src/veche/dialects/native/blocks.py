"""Blocks: the routes (docs/native.md, Blocks)."""

from fastapi import Response

from veche.core.blocks import BlockPerson, UnblockPerson
from veche.dialects.native import out
from veche.dialects.native.feature import Feature
from veche.dialects.native.limits import DEFAULT_PAGE
from veche.dialects.native.routing import Cursor, Limit, LoginOf, PathId, cursor_after, id_after, new_router
from veche.gateway.http import ChatOf, reply
from veche.gateway.openapi_answers import returns

router = new_router()


@router.get("/blocks", responses=returns(out.PersonPage))
async def blocks(login: LoginOf, chat: ChatOf, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """List whom you have blocked."""
    found = await chat.blocks(login.account.id, id_after(cursor), limit + 1)
    items = found[:limit]
    return reply(out.PersonPage(items, cursor_after(items, found)))


@router.put("/blocks/{account_id}", status_code=204)
async def block(account_id: PathId, login: LoginOf, chat: ChatOf) -> Response:
    """Block a person, who can then neither open a direct room with you nor add you to a room."""
    await chat.do(login.actor, BlockPerson(account_id))
    return Response(status_code=204)


@router.delete("/blocks/{account_id}", status_code=204)
async def unblock(account_id: PathId, login: LoginOf, chat: ChatOf) -> Response:
    """Take a block back."""
    await chat.do(login.actor, UnblockPerson(account_id))
    return Response(status_code=204)


FEATURE = Feature(router=router)
