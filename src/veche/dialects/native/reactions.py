"""Reactions: the commands, the event and the routes (docs/native.md, Reactions)."""

from typing import Annotated

from fastapi import Path, Response

from veche.core import reactions as core
from veche.core.emoji import MAX_EMOJI, check_emoji
from veche.core.values import Person
from veche.dialects.native import out
from veche.dialects.native.feature import Feature, Id, Incoming, SocketCommand
from veche.dialects.native.limits import DEFAULT_PAGE
from veche.dialects.native.out import Outgoing
from veche.dialects.native.routing import (
    Cursor,
    IdempotencyKey,
    Limit,
    LoginOf,
    PathId,
    cursor_after,
    id_after,
    new_router,
)
from veche.dialects.native.views import time_of
from veche.gateway.http import ChatOf, reply
from veche.gateway.openapi_answers import returns
from veche.gateway.openapi_bodies import characters, shown

# The socket.


class React(Incoming):
    """Puts an emoji to a message."""

    room_id: Id
    message_id: Id
    emoji: str
    client_id: str | None = None

    def command(self) -> core.React:
        return core.React(self.room_id, self.message_id, self.emoji, client_id=self.client_id)


class Unreact(React):
    """Takes your emoji back from a message."""

    def command(self) -> core.React:
        return core.React(self.room_id, self.message_id, self.emoji, added=False, client_id=self.client_id)


class ReactResult(Outgoing):
    """The room's events up to `seq` show the result. `duplicate` is true if an earlier attempt was carried out."""

    room_id: int
    seq: int
    message_id: int
    emoji: str
    duplicate: bool


class ReactAnswer(Outgoing):
    """The message has your emoji."""

    id: int
    react: ReactResult


class UnreactAnswer(Outgoing):
    """The message does not have your emoji."""

    id: int
    unreact: ReactResult


class Reacted(Outgoing):
    """An account put an emoji to a message, or took it back if `added` is false.

    `count` is how many people have that emoji there from then on.
    """

    room_id: int
    seq: int
    message_id: int
    account: Person
    emoji: str
    added: bool
    count: int
    at: str


class ReactedEvent(Outgoing):
    """An account put an emoji to a message, or took it back."""

    reacted: Reacted


def _result(done: core.Reacted) -> ReactResult:
    return ReactResult(done.room_id, done.seq, done.message_id, done.emoji, done.duplicate)


def _reacted(id: int, done: core.Reacted) -> ReactAnswer:
    return ReactAnswer(id, _result(done))


def _unreacted(id: int, done: core.Reacted) -> UnreactAnswer:
    return UnreactAnswer(id, _result(done))


def _event(event: core.MessageReacted) -> ReactedEvent:
    at = time_of(event.at)
    return ReactedEvent(
        Reacted(event.log_id, event.seq, event.message_id, event.person, event.emoji, event.added, event.count, at)
    )


# REST.

Emoji = Annotated[str, Path(), shown(characters(1, MAX_EMOJI))]
router = new_router()
_PATH = "/rooms/{room_id}/messages/{message_id}/reactions/{emoji}"


@router.put(_PATH, status_code=204)
async def react(
    room_id: PathId,
    message_id: PathId,
    emoji: Emoji,
    login: LoginOf,
    chat: ChatOf,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Put an emoji to a message."""
    await chat.do(login.actor, core.React(room_id, message_id, emoji, client_id=idempotency_key))
    return Response(status_code=204)


@router.delete(_PATH, status_code=204)
async def unreact(
    room_id: PathId,
    message_id: PathId,
    emoji: Emoji,
    login: LoginOf,
    chat: ChatOf,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Take your emoji back from a message."""
    await chat.do(login.actor, core.React(room_id, message_id, emoji, added=False, client_id=idempotency_key))
    return Response(status_code=204)


@router.get(_PATH, responses=returns(out.PersonPage))
async def reacted(
    room_id: PathId,
    message_id: PathId,
    emoji: Emoji,
    login: LoginOf,
    chat: ChatOf,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """List the people who put an emoji to a message."""
    check_emoji(emoji)
    found = await chat.reacted_people(login.account.id, room_id, message_id, emoji, id_after(cursor), limit + 1)
    items = found[:limit]
    return reply(out.PersonPage(items, cursor_after(items, found)))


FEATURE = Feature(
    commands={"react": SocketCommand(React, _reacted), "unreact": SocketCommand(Unreact, _unreacted)},
    events={core.MessageReacted: _event},
    router=router,
)
