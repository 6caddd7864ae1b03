"""Search: the route, and what it answers (docs/search.md)."""

import struct
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import Query, Response

from veche.core.errors import ChatError, Code
from veche.core.search import MAX_QUERY, Found, Order, Place, Wanted, parse
from veche.core.values import Person
from veche.dialects.native.feature import Feature
from veche.dialects.native.limits import DEFAULT_PAGE
from veche.dialects.native.out import Outgoing
from veche.dialects.native.routing import Limit, LoginOf, new_router
from veche.dialects.native.views import time_of
from veche.gateway.http import SearchOf, reply
from veche.gateway.openapi_answers import returns

MAX_CURSOR: Final = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SnippetOut(Outgoing):
    """The part of a message's text around what was found.

    `ranges` has what was found in it: from which character of the snippet, and before which one. Characters are code
    points. `before` and `after`: the text of the message goes on there.
    """

    text: str
    ranges: list[tuple[int, int]]
    before: bool
    after: bool


class FoundMessage(Outgoing):
    """A message that was found, without its text. `revision` is that of the text that the snippet is of."""

    id: int
    room_id: int
    seq: int
    sender: Person
    at: str
    revision: int
    snippet: SnippetOut


class FoundMessages(Outgoing):
    """Messages that were found. `cursor` fetches the next page; null on the last. A page before it may be empty.

    `complete`: with `order=rank`, false if there are so many matches that only the newest were compared.
    """

    items: list[FoundMessage]
    cursor: str | None
    complete: bool


router = new_router()

Words = Annotated[str, Query(min_length=1, max_length=MAX_QUERY)]
RoomId = Annotated[int | None, Query(ge=1, lt=2**63)]
SenderId = Annotated[int | None, Query(ge=0, lt=2**63)]
Time = Annotated[str | None, Query(max_length=40)]
SearchCursor = Annotated[str | None, Query(max_length=MAX_CURSOR)]


@router.get("/search", responses=returns(FoundMessages))
async def search(
    login: LoginOf,
    search: SearchOf,
    q: Words,
    room_id: RoomId = None,
    sender_id: SenderId = None,
    after: Time = None,
    before: Time = None,
    order: Order = Order.RANK,
    cursor: SearchCursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """Search for messages in your rooms and the lobby."""
    begins, ends = _microseconds("after", after), _microseconds("before", before)
    place = _place(cursor, order)
    wanted = Wanted(parse(q), room_id, sender_id, begins, ends, order, place, limit)
    page = await search.find(login.account.id, wanted)
    following = None if page.next is None else _cursor(page.next, order)
    return reply(FoundMessages([_found(found) for found in page.found], following, page.complete))


def _found(found: Found) -> FoundMessage:
    message, snippet = found
    return FoundMessage(
        message.id,
        message.log_id,
        message.seq,
        message.sender,
        time_of(message.at),
        message.revision,
        SnippetOut(snippet.text, list(snippet.ranges), snippet.before, snippet.after),
    )


def _microseconds(field: str, time: str | None) -> int | None:
    """Return a time in microseconds since 1970. Raises ChatError if it is none."""
    if time is None:
        return None
    try:
        found = datetime.fromisoformat(time)
        if found.tzinfo is not None:
            return (found - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        pass
    raise ChatError(Code.INVALID, "Give a time like 2026-11-28T12:00:00Z.", field=field)


def _cursor(place: Place, order: Order) -> str:
    if order is Order.NEWEST:
        return f"{place.below:x}"
    return f"{place.below:x}-{place.id or 0:x}-{struct.pack('>d', place.score).hex()}"


def _place(cursor: str | None, order: Order) -> Place | None:
    """Return the place that a cursor stands for. Raises ChatError if it is not one that we gave for this order."""
    if cursor is None:
        return None
    try:
        below, *rest = cursor.split("-")
        if order is Order.NEWEST:
            () = rest
            return Place(_number(below))
        id, score = rest
        return Place(_number(below), _number(id), *struct.unpack(">d", bytes.fromhex(score)))
    except (ValueError, struct.error):
        raise ChatError(Code.INVALID, "This is no cursor of ours.", field="cursor") from None


def _number(text: str) -> int:
    number = int(text, 16)
    if not 0 <= number < 2**63:
        raise ValueError("no id is as large")
    return number


FEATURE = Feature(router=router, bodies=(FoundMessages,))
