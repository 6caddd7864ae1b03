"""The one function behind every dialect: commands go to the writer, questions to the readers.

Gets: a command and a callback (or an await). Gives: the answer, after the commit.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import ParamSpec, TypeVar, overload

from veche.core import commands as c
from veche.core.accounts import Account
from veche.core.errors import ChatError, Code
from veche.core.events import Message
from veche.core.rooms import PUBLIC, Kind, LogId
from veche.core.views import MemberView, MessagePage, RoomView, Welcome
from veche.hub.hub import Hub
from veche.storage import read
from veche.storage.reader import Query, Reader
from veche.storage.writer import Outcome, Reply, Writer

__all__ = ["Chat", "Outcome", "Welcome"]

P = ParamSpec("P")
T = TypeVar("T")


class Chat:
    """What a dialect may do to the chat, and ask of it."""

    def __init__(self, writer: Writer, reader: Reader, hub: Hub) -> None:
        self._writer = writer
        self._reader = reader
        self.hub = hub

    def submit(self, command: c.Command, reply: Reply) -> None:
        """Ask for a change; `reply` gets the answer or a ChatError, on the loop, once it is stored or refused."""
        self._writer.submit(command, reply)

    @overload
    async def do(self, command: c.SendMessage | c.PostNotice) -> c.Sent: ...
    @overload
    async def do(self, command: c.OpenEcho) -> c.EchoBegun: ...
    @overload
    async def do(self, command: c.CreateRoom | c.JoinRoom | c.AddMember) -> c.Entered: ...
    @overload
    async def do(self, command: c.Register | c.RenameAccount) -> Account: ...
    @overload
    async def do(
        self,
        command: c.LeaveRoom
        | c.RemoveMember
        | c.ReadUpTo
        | c.MarkRead
        | c.SetPassword
        | c.OpenSession
        | c.EndSession
        | c.SpeakEcho
        | c.CloseEcho,
    ) -> None: ...
    async def do(self, command: c.Command) -> c.Answer:
        """Ask for a change and wait for its answer; raises ChatError where it is refused."""
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def reply(outcome: Outcome) -> None:
            if not answer.cancelled():
                answer.set_result(outcome)

        self.submit(command, reply)
        outcome = await answer
        if isinstance(outcome, ChatError):
            raise outcome
        return outcome

    async def read(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask a question of `storage.read`; the caller answers for who may ask it."""
        return await self._reader.read(query, *args, **kwargs)

    async def welcome(self, by: int, session_id: str) -> Welcome:
        """Look at everything that somebody who connects begins with, as of one moment.

        Asked after the connection was attached to the hub, it refuses a session that ended before that.
        """
        welcome = await self.read(read.welcome, by, session_id)
        if not welcome.stands:
            raise ChatError(Code.UNAUTHENTICATED, "The session has ended.")
        return welcome

    def heads(self, reply: Callable[[dict[LogId, int] | None], None], log_ids: Sequence[LogId]) -> None:
        """Ask for the highest seq of logs; `reply` is called on the loop, with None where it failed."""
        self._reader.call(reply, read.heads, log_ids)

    async def own_head(self, account_id: int, session_id: str | None) -> int:
        """Read the head of an account's own log, in the snapshot that finds the session good; refuses an ended one.

        Without a session id there is nothing to end: an anonymous person.
        """
        head = await self.read(read.own_head, account_id, session_id)
        if head is None:
            raise ChatError(Code.UNAUTHENTICATED, "The session has ended.")
        return head

    async def heads_of(self, log_ids: Sequence[LogId]) -> dict[LogId, int]:
        """Read the highest seq of logs."""
        return await self.read(read.heads, log_ids)

    async def room(self, by: int, room_id: int) -> RoomView:
        """Look at a room that one is in, or that is public."""
        return _visible(await self.read(read.room, room_id, by))

    async def entered_room(self, by: int, room_id: int) -> RoomView:
        """Look at a room that one is in (everybody is in the lobby)."""
        return _entered(await self.read(read.room, room_id, by))

    async def rooms(self, by: int, after: int = 0, limit: int | None = None) -> list[RoomView]:
        """Look at the rooms one is in, by id, without the lobby."""
        return await self.read(read.rooms_of, by, after, limit)

    async def public_rooms(self, by: int, after: int, limit: int) -> list[RoomView]:
        """Look at the rooms that anybody may enter, by id."""
        return await self.read(read.public_rooms, by, after, limit)

    async def members(self, by: int, room_id: int, after: int, limit: int) -> list[MemberView]:
        """Look at who is in a room that one can see."""
        await self.room(by, room_id)
        return await self.read(read.members, room_id, after, limit)

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
        page = partial(read.history, room_id=room_id, limit=limit, before=before, after=after, around=around)
        view, found = await self.read(read.beside_room, room_id, by, page)
        _entered(view)
        return found

    async def history_by_offset(self, by: int, room_id: int, offset: int, limit: int) -> tuple[list[Message], int]:
        """Read messages of a room that one is in, oldest first by offset, and how many there are in all."""
        page = partial(read.history_by_offset, room_id=room_id, offset=offset, limit=limit)
        view, found = await self.read(read.beside_room, room_id, by, page)
        _entered(view)
        return found

    def is_connected(self, account_id: int, dialect: str) -> bool:
        """Tell whether an account has a connection through a dialect."""
        return any(connection.dialect == dialect for connection in self.hub.subscribers(account_id))


def _visible(view: RoomView | None) -> RoomView:
    if view is None or (view.room.kind not in PUBLIC and view.member is None):
        raise ChatError(Code.NOT_FOUND, "No such room.", what="room", private=view is not None)
    return view


def _entered(found: RoomView | None) -> RoomView:
    view = _visible(found)
    if view.member is None and view.room.kind is not Kind.LOBBY:
        raise ChatError(Code.NOT_MEMBER, "You are not in this room.", room_id=view.room.id)
    return view
