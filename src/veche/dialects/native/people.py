"""Finding people: the route (docs/native.md, Finding people)."""

from typing import Annotated

from fastapi import Query, Response

from veche.core.errors import ChatError, Code
from veche.core.names import MAX_NAME
from veche.dialects.native import out
from veche.dialects.native.feature import Feature
from veche.dialects.native.routing import LoginOf, new_router
from veche.gateway.http import PeopleOf, reply
from veche.gateway.openapi_answers import returns
from veche.service.people import MAX_FOUND

Name = Annotated[str | None, Query(min_length=1, max_length=MAX_NAME)]

router = new_router()


@router.get("/people", responses=returns(out.PersonPage))
async def people(
    login: LoginOf,
    people: PeopleOf,
    username: Name = None,
    prefix: Name = None,
    limit: Annotated[int, Query(ge=1, le=MAX_FOUND)] = MAX_FOUND,
) -> Response:
    """Find the person with a username, or people by the beginning of a name."""
    if (username is None) == (prefix is None):
        raise ChatError(Code.INVALID, "Give a username, or the beginning of a name.", field="username")
    if prefix is not None:
        return reply(out.PersonPage(await people.by_prefix(login, prefix, limit), None))
    found = await people.by_username(login, username or "")
    return reply(out.PersonPage([] if found is None else [found], None))


FEATURE = Feature(router=router)
