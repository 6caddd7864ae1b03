"""The interface of dialects to the chat. Commands go to the writer, queries to the reader.

All dialects make their changes through `Chat.submit`. The answer comes after the commit.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from veche.bus.bus import Bus
from veche.bus.memory import MemoryBus
from veche.core.access import Right, check_access
from veche.core.actor import Actor, Party
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.messages import Message, MessagePage, of_room
from veche.core.values import LogId, Person
from veche.core.views import BanView, MemberView, PinView, Revision, RoomView, ThreadView, Welcome
from veche.hub.hub import Hub
from veche.service.elsewhere import Elsewhere
from veche.service.room_limits import RoomLimits
from veche.service.shares import Shares
from veche.service.typing import Typists
from veche.storage import (
    accounts,
    bans,
    blocks,
    editing,
    log,
    membership,
    messages,
    pins,
    reactions,
    rooms,
    seen,
    sessions,
    threads,
)
from veche.storage.engines.engine import Transaction
from veche.storage.reader import Query, Reader
from veche.storage.writer import Reply, Writer

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("veche")

ROWS_OF_A_UNIT: Final = 20
"""Rows that are read and shown with about as much work as sending one message."""


class Chat:
    """The commands and the queries of all dialects.

    Queries raise ChatError if the account `by` may not see what it asks for.
    """

    def __init__(
        self,
        writer: Writer,
        reader: Reader,
        hub: Hub,
        limits: RoomLimits | None = None,
        bus: Bus | None = None,
    ) -> None:
        self._writer = writer
        self._limits = limits or RoomLimits()
        self._reader = reader
        self.hub = hub
        bus = bus or MemoryBus()
        self.elsewhere, self.typists = Elsewhere(bus, hub), Typists(bus, hub)
        self._tasks: set[asyncio.Task[None]] = set()
        self.shares = Shares(self._cpu_seconds)

    def _cpu_seconds(self) -> float:
        """Return how long the threads have computed that serve everybody. Call it in the loop's thread."""
        return time.thread_time() + self._writer.cpu_seconds

    @property
    def accepts_commands(self) -> bool:
        """Whether commands are taken. When the server stops, they are refused."""
        return self._writer.accepts

    def submit(self, actor: Actor, command: Command[T], reply: Reply[T]) -> None:
        """Submit a command. `reply` is called on the loop, with the answer after the commit, or with a ChatError."""
        self._writer.submit(actor, command, reply)

    async def do(self, actor: Actor, command: Command[T]) -> T:
        """Submit a command and wait until it is stored. Raises ChatError if it is refused."""
        answer: asyncio.Future[T | ChatError] = asyncio.get_running_loop().create_future()

        def reply(outcome: T | ChatError) -> None:
            if not answer.cancelled():
                answer.set_result(outcome)

        self.submit(actor, command, reply)
        outcome = await answer
        if isinstance(outcome, ChatError):
            raise outcome
        return outcome

    def charge_command(self, actor: Actor, command: Command[Any]) -> None:
        """Count a command that makes a room, or asks somebody into one. Raises ChatError (RATE_LIMITED)."""
        self._limits.charge(actor.account_id, command)

    async def do_limited(self, actor: Actor, command: Command[T]) -> T:
        """Do what `charge_command` counts. Raises ChatError as both do."""
        self.charge_command(actor, command)
        return await self.do(actor, command)

    async def stored(self) -> None:
        """Wait until every command submitted so far is stored or refused."""
        await self._writer.wait_until_answered()

    async def read(self, by: Party | None, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query of `storage`. The caller has to check the access. `by` is None for queries of the server itself.

        Raises ChatError (OVERLOADED) if too many queries of `by` wait. So do all queries below.
        """
        return await self._reader.read(by, query, *args, **kwargs)

    def charge(self, by: Party, rows: int) -> None:
        """Count the rows that were read for somebody as work of theirs (`service.shares`)."""
        if rows:
            self.shares.of(by).work(rows / ROWS_OF_A_UNIT)

    async def welcome(self, by: int, session_id: str, limit: int) -> Welcome:
        """Read in one snapshot what a client needs when it connects. It has at most `limit` rooms, and all heads.

        Raises ChatError (UNAUTHENTICATED) if the session has ended. Call this after the client was attached to the hub,
        so that a later end of the session is not missed.
        """
        welcome = await self.read(by, rooms.welcome, by, session_id, limit)
        if not welcome.session_exists:
            raise ChatError(Code.UNAUTHENTICATED, "The session has ended.")
        self.charge(by, len(welcome.rooms) + len(welcome.heads) // 10)  # a head is a number, and a room is many
        return welcome

    def heads(self, by: Party, reply: Callable[[dict[LogId, int] | None], None], log_ids: Sequence[LogId]) -> None:
        """Read the heads of logs. `reply` is called on the loop with the heads, or with None if the query failed."""
        self._reader.call(by, reply, log.head_seqs, log_ids)

    async def own_head(self, by: Actor) -> int:
        """Check the session of an actor and read the head of its account's own log, in one snapshot.

        Raises ChatError (UNAUTHENTICATED) if the session has ended. An anonymous person has no session.
        """
        head = await self.read(by.party, sessions.own_head, by.account_id, by.session_id or None)
        if head is None:
            raise ChatError(Code.UNAUTHENTICATED, "The session has ended.")
        return head

    async def heads_of(self, by: Party, log_ids: Sequence[LogId]) -> dict[LogId, int]:
        return await self.read(by, log.head_seqs, log_ids)

    async def room(self, by: int, room_id: int) -> RoomView:
        """Return a public room, or a room that the account is a member of."""
        return _checked(Right.SEE, await self.read(by, rooms.room, room_id, by))

    async def entered_room(self, by: int, room_id: int) -> RoomView:
        """Return a room that the account is a member of, or the lobby."""
        return _checked(Right.READ, await self.read(by, rooms.room, room_id, by))

    async def rooms(self, by: int, after: int, limit: int) -> list[RoomView]:
        """Return the rooms that the account is a member of, without the lobby, in the order of their ids."""
        return self._charged(by, await self.read(by, rooms.rooms_of, by, after, limit))

    async def public_rooms(self, by: int, after: int, limit: int) -> list[RoomView]:
        """Return public rooms that are not archived, with an id above `after`, in the order of their ids."""
        return self._charged(by, await self.read(by, rooms.public_rooms, by, after, limit))

    async def members(self, by: int, room_id: int, after: int, limit: int) -> list[MemberView]:
        """Return the members of a public room, or of a room that the account is a member of."""
        page = partial(membership.list_members, room_id=room_id, after=after, limit=limit)
        return self._charged(by, await self.beside_room(Right.SEE, by, room_id, page))

    async def beside_room(self, right: Right, by: int, room_id: int, query: Callable[[Transaction], T]) -> T:
        """Run a query about a room for an account that has a right in it, in the snapshot that shows the right."""
        view, found = await self.read(by, rooms.beside_room, room_id, by, query)
        _checked(right, view)
        return found

    async def bans(self, by: int, room_id: int, after: int, limit: int) -> list[BanView]:
        """Return the bans of a room, for those who may ban people from it."""
        now = time.time_ns() // 1000
        page = partial(bans.list_bans, room_id=room_id, after=after, limit=limit, now=now)
        return self._charged(by, await self.beside_room(Right.REMOVE, by, room_id, page))

    async def blocks(self, by: int, after: int, limit: int) -> list[Person]:
        """Return whom an account has blocked, in the order of ids, starting after the id `after`."""
        return self._charged(by, await self.read(by, blocks.blocked_by, by, after, limit))

    async def history(
        self,
        by: int,
        room_id: int,
        limit: int,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        party: Party | None = None,
        with_reactions: bool = False,
    ) -> MessagePage:
        """Return a page of messages. `before`, `after` and `around` are seqs; without them it is the newest page.

        `party` is the one that reads, if `by` stands for many.
        """

        def page(tx: Transaction) -> MessagePage:
            found = messages.history(tx, room_id, limit, before=before, after=after, around=around)
            return reactions.page_with_reactions(tx, by, found) if with_reactions else found

        party = by if party is None else party
        view, found = await self.read(party, rooms.beside_room, room_id, by, page)
        _checked(Right.READ, view)
        self.charge(party, len(found.items))
        return found

    async def message(self, by: int, room_id: int, message_id: int) -> Message:
        """Return one message as it is now. Raises ChatError (NOT_FOUND) if the room does not have it."""
        page = partial(reactions.message_with_reactions, account_id=by, id=message_id)
        found = await self.beside_room(Right.READ, by, room_id, page)
        return of_room(found, room_id)

    async def seen_by(
        self, by: int, room_id: int, message_id: int, after: int, limit: int
    ) -> tuple[list[Person], int | None]:
        """Return who has seen a message, as `storage.seen` reads it: people, and the id after which to go on.

        Whoever hides what they read does not see what others have read.
        """
        page = partial(seen.seen_by, room_id=room_id, message_id=message_id, asker_id=by, after=after, limit=limit)
        view, found = await self.read(by, rooms.beside_room, room_id, by, page)
        self.charge(by, found.scanned)
        _checked(Right.READ, view)
        of_room(found.message, room_id)
        if found.hidden:
            raise ChatError(Code.FORBIDDEN, "You hide what you read, so you do not see what others have read.")
        return found.people, found.last_id

    async def revisions(self, by: int, room_id: int, message_id: int, before: int, limit: int) -> list[Revision]:
        """Return earlier texts of a message, the newest first: those with a revision below `before`.

        Only its author and those who moderate the room may see them.
        """
        page = partial(editing.message_with_revisions, id=message_id, before=before, limit=limit)
        view, (message, found) = await self.read(by, rooms.beside_room, room_id, by, page)
        room = _checked(Right.READ, view)
        if of_room(message, room_id).sender.id != by:
            check_access(Right.MODERATE, room.room, room.member)
        return self._charged(by, found)

    async def thread(
        self, by: int, room_id: int, thread_id: int, limit: int, *, before: int | None = None, after: int | None = None
    ) -> MessagePage:
        """Return a page of the messages that follow the first one of a thread, as `history` does."""

        def page(tx: Transaction) -> tuple[Message | None, MessagePage]:
            found = threads.thread(tx, room_id, thread_id, limit, before, after)
            return messages.message(tx, thread_id), reactions.page_with_reactions(tx, by, found)

        root, found = await self.beside_room(Right.READ, by, room_id, page)
        of_room(root, room_id)
        self.charge(by, len(found.items))
        return found

    async def followed_threads(self, by: int, before: int, limit: int) -> list[ThreadView]:
        """Return the threads that the account follows, the newest first: those with an id below `before`."""
        return self._charged(by, await self.read(by, threads.followed_threads, by, before, limit))

    async def reacted_people(
        self, by: int, room_id: int, message_id: int, emoji: str, after: int, limit: int
    ) -> list[Person]:
        """Return the accounts with an id above `after` that put an emoji to a message, in the order of their ids."""
        page = partial(reactions.reacted_people, message_id=message_id, emoji=emoji, after=after, limit=limit)
        message, found = await self.beside_room(Right.READ, by, room_id, page)
        of_room(message, room_id)
        return self._charged(by, found)

    async def pins(self, by: int, room_id: int, before: int, limit: int) -> tuple[list[PinView], int]:
        """Return pins of a room, the newest first: those whose seq is below `before`. Return also the room's head."""
        page = partial(pins.pinned, room_id=room_id, account_id=by, before=before, limit=limit)
        view, found = await self.read(by, rooms.beside_room, room_id, by, page)
        return self._charged(by, found), _checked(Right.READ, view).head.last_seq

    async def history_by_offset(self, by: int, room_id: int, offset: int, limit: int) -> tuple[list[Message], int]:
        """Return messages from an offset on, oldest first, and the number of all messages and notices of the room.

        The page may have fewer than `limit` messages if they are long.
        """
        page = partial(messages.history_by_offset, room_id=room_id, offset=offset, limit=limit)
        found = await self.beside_room(Right.READ, by, room_id, page)
        self.charge(by, len(found[0]))
        return found

    def _charged(self, by: Party, rows: list[T]) -> list[T]:
        self.charge(by, len(rows))
        return rows

    async def is_connected(self, account_id: int, dialect: str) -> bool:
        """Return whether an account has a connection in a dialect, to any node. Raises ChatError (OVERLOADED)."""
        return self.hub.is_connected(account_id, dialect) or await self.elsewhere.is_connected(account_id, dialect)

    def online(
        self,
        by: Party,
        reply: Callable[[list[Person] | ChatError], None],
        room_id: int,
        after: int,
        limit: int,
    ) -> None:
        """Find people who are subscribed to a room, on any node: the first `limit` with an id above `after`.

        `reply` is called on the loop with them, in the order of their ids, or with a ChatError. If there is no other
        node, it is called at once.
        """
        if self.elsewhere.is_alone():
            reply(self.hub.online(room_id, after, limit))
            return
        task = asyncio.get_running_loop().create_task(self._online(by, reply, room_id, after, limit))
        self._tasks.add(task)  # the loop alone would not keep it
        task.add_done_callback(self._tasks.discard)

    async def _online(
        self,
        by: Party,
        reply: Callable[[list[Person] | ChatError], None],
        room_id: int,
        after: int,
        limit: int,
    ) -> None:
        try:
            elsewhere = await self.elsewhere.online(by, room_id, after, limit)
            people = {person.id: person for person in self.hub.online(room_id, after, limit)}
            ids = sorted(elsewhere | people.keys())[:limit]
            if missing := [id for id in ids if id not in people]:
                people |= await self.read(by, accounts.people, missing)
            outcome: list[Person] | ChatError = [people[id] for id in ids if id in people]
        except ChatError as refusal:
            outcome = refusal
        except Exception:
            logger.exception("who is in a room could not be found out")
            outcome = ChatError(Code.INTERNAL, "Something went wrong.")
        reply(outcome)


def _checked(right: Right, view: RoomView | None) -> RoomView:
    check_access(right, view.room if view is not None else None, view.member if view is not None else None)
    assert view is not None  # check_access has refused a room that does not exist
    return view
