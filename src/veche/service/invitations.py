"""What people may know of invitations and links. The commands go through `Chat.do_limited` and `Chat.do`."""

import time
from functools import partial

from veche.core.access import Right
from veche.core.links import no_such_link, room_of
from veche.core.values import Link, Room
from veche.core.views import InvitationView, InvitedView
from veche.service.chat import Chat
from veche.storage import invitations, links


async def invitations_of(chat: Chat, by: int, after: int, limit: int) -> list[InvitationView]:
    """Return what an account is invited into, in the order of room ids, starting after the id `after`."""
    found = await chat.read(by, invitations.invitations_of, by, after, limit)
    chat.charge(by, len(found))
    return found


async def invited_into(chat: Chat, by: int, room_id: int, after: int, limit: int) -> list[InvitedView]:
    """Return who is invited into a room, for those who may invite people."""
    page = partial(invitations.invited_into, room_id=room_id, after=after, limit=limit)
    found = await chat.beside_room(Right.INVITE, by, room_id, page)
    chat.charge(by, len(found))
    return found


async def links_of(chat: Chat, by: int, room_id: int) -> tuple[Link, ...]:
    """Return the links of a room that are not over, the oldest first, for those who may invite people."""
    found = await chat.beside_room(Right.INVITE, by, room_id, partial(links.links_of, room_id=room_id, now=_now()))
    chat.charge(by, len(found))
    return found


async def room_of_link(chat: Chat, by: int, code: str) -> tuple[Link, Room]:
    """Return the link with a code and its room. Raises ChatError (NOT_FOUND) if nobody joins by it."""
    found = await chat.read(by, links.room_of_link, code, _now()) if room_of(code) is not None else None
    if found is None:
        raise no_such_link()
    return found


def _now() -> int:
    return time.time_ns() // 1000
