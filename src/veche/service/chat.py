"""The one function behind every dialect: commands go to the writer, questions to the readers.

Gets: a command and a callback (or an await). Gives: the answer, after the commit.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import ParamSpec, TypeVar

from veche.core.access import Right, check_access
from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.messages import Message, MessagePage
from veche.core.values import LogId
from veche.core.views import MemberView, RoomView, Welcome
from veche.hub.hub import Hub
from veche.storage import log, membership, messages, rooms, sessions
from veche.storage.reader import Query, Reader
from veche.storage.writer import Reply, Writer

P = ParamSpec("P")
T = TypeVar("T")


class Chat:
    """What a dialect may do to the chat, and ask of it."""

    def __init__(self, writer: Writer, reader: Reader, hub: Hub) -> None:
        self._writer = writer
        self._reader = reader
        self.hub = hub

    def submit(self, actor: Actor, command: Command[T], reply: Reply[T]) -> None:
        """Ask for a change; `reply` gets the answer or a ChatError, on the loop, once it is stored or refused."""
        self._writer.submit(actor, command, reply)

    async def do(self, actor: Actor, command: Command[T]) -> T:
        """Ask for a change and wait for its answer; raises ChatError where it is refused."""
        answer: asyncio.Future[T | ChatError] = asyncio.get_running_loop().create_future()

        def reply(outcome: T | ChatError) -> None:
            if not answer.cancelled():
                answer.set_result(outcome)

        self.submit(actor, command, reply)
        outcome = await answer
        if isinstance(outcome, ChatError):
            raise outcome
        return outcome

    async def stored(self) -> None:
        """Wait until every command that was submitted before is stored or refused."""
        await self._writer.flushed()

    async def read(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query of `storage`; the caller answers for who may ask it."""
        return await self._reader.read(query, *args, **kwargs)

    async def welcome(self, by: int, session_id: str) -> Welcome:
        """Look at everything that somebody who connects begins with, as of one moment.

        Asked after the connection was attached to the hub, it refuses a session that ended before that.
        """
        welcome = await self.read(rooms.welcome, by, session_id)
        if not welcome.session_exists:
            raise ChatError(Code.UNAUTHENTICATED, "The session has ended.")
        return welcome

    def heads(self, reply: Callable[[dict[LogId, int] | None], None], log_ids: Sequence[LogId]) -> None:
        """Ask for the highest seq of logs; `reply` is called on the loop, with None where it failed."""
        self._reader.call(reply, log.heads, log_ids)

    async def own_head(self, account_id: int, session_id: str | None) -> int:
        """Read the head of an account's own log, in the snapshot that finds the session good; refuses an ended one.

        Without a session id there is nothing to end: an anonymous person.
        """
        head = await self.read(sessions.own_head, account_id, session_id)
        if head is None:
            raise ChatError(Code.UNAUTHENTICATED, "The session has ended.")
        return head

    async def heads_of(self, log_ids: Sequence[LogId]) -> dict[LogId, int]:
        """Read the highest seq of logs."""
        return await self.read(log.heads, log_ids)

    async def room(self, by: int, room_id: int) -> RoomView:
        """Look at a room that one is in, or that is public."""
        return _checked(Right.SEE, await self.read(rooms.room, room_id, by))

    async def entered_room(self, by: int, room_id: int) -> RoomView:
        """Look at a room that one is in (everybody is in the lobby)."""
        return _checked(Right.READ, await self.read(rooms.room, room_id, by))

    async def rooms(self, by: int, after: int = 0, limit: int | None = None) -> list[RoomView]:
        """Look at the rooms one is in, by id, without the lobby."""
        return await self.read(rooms.rooms_of, by, after, limit)

    async def public_rooms(self, by: int, after: int, limit: int) -> list[RoomView]:
        """Look at the rooms that anybody may enter, by id."""
        return await self.read(rooms.public_rooms, by, after, limit)

    async def members(self, by: int, room_id: int, after: int, limit: int) -> list[MemberView]:
        """Look at who is in a room that one can see."""
        await self.room(by, room_id)
        return await self.read(membership.list_members, room_id, after, limit)

    async def history(
        self,
        by: int,
        room_id: int,
        limit: int,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
    ) -> MessagePage:
        """Read a page of a room that one is in."""
        page = partial(messages.history, room_id=room_id, limit=limit, before=before, after=after, around=around)
        view, found = await self.read(rooms.beside_room, room_id, by, page)
        _checked(Right.READ, view)
        return found

    async def history_by_offset(self, by: int, room_id: int, offset: int, limit: int) -> tuple[list[Message], int]:
        """Read messages of a room that one is in, oldest first by offset, and how many there are in all."""
        page = partial(messages.history_by_offset, room_id=room_id, offset=offset, limit=limit)
        view, found = await self.read(rooms.beside_room, room_id, by, page)
        _checked(Right.READ, view)
        return found

    def is_connected(self, account_id: int, dialect: str) -> bool:
        """Tell whether an account has a connection through a dialect."""
        return any(subscriber.dialect == dialect for subscriber in self.hub.subscribers(account_id))


def _checked(right: Right, view: RoomView | None) -> RoomView:
    check_access(right, view.room if view is not None else None, view.member if view is not None else None)
    assert view is not None  # a room that is not there was refused
    return view
