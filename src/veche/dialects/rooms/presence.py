"""Where one socket is: in one room at a time, or in none. Its comings and goings are notices of the room.

Gets: what the socket asks for, one after another. Gives: commands, and the room's log from its own coming on.
"""

import asyncio
import contextlib

from veche.core import commands as c
from veche.core.errors import ChatError, Code
from veche.core.rooms import Kind
from veche.dialects.rooms.encode import line
from veche.dialects.rooms.errors import NOT_A_MEMBER, said
from veche.dialects.rooms.options import Options
from veche.gateway.client import Seat
from veche.hub.subscriber import Serializer
from veche.service.chat import Chat, Outcome


class Presence:
    """`room_id`: the room that it is in or about to be in. `unanswered`: what it said that is not stored yet."""

    __slots__ = ("_change", "_chat", "_inside", "_options", "_seat", "_serializer", "room_id", "unanswered")

    def __init__(self, chat: Chat, seat: Seat, serializer: Serializer, options: Options) -> None:
        self._chat = chat
        self._seat = seat
        self._serializer = serializer
        self._options = options
        self._inside = False  # the others have been told that it came
        self._change: asyncio.Future[None] | None = None
        self.room_id: int | None = None
        self.unanswered = 0

    # What it asks for.

    async def join(self, room_id: int) -> None:
        """Leave the room that it is in, and come into another; refuses whoever is no member of that."""
        await self.leave()
        if self._seat.ended:
            return
        self.room_id = room_id  # from here on a removal is noticed, so that none is missed after the check
        try:
            await self._check_member(room_id)
            if self.room_id != room_id:
                return
            notice = (await self._chat.do(self._notice(room_id, "joined"))).message
        except Exception as error:
            told, self.room_id = self.room_id != room_id, None
            if told and isinstance(error, ChatError):
                return
            raise
        self._inside = True
        if self.room_id != room_id:  # removed or closed while it was stored
            self._farewell(room_id)
            return
        self._seat.hear(room_id, self._serializer, notice.seq - 1, notice.seq)

    async def leave(self) -> None:
        """Leave the room, if it is in one, once all was written that was said before."""
        await self._settled()
        if self.room_id is not None and not self._seat.ended:
            room_id, self.room_id, self._inside = self.room_id, None, False
            self._seat.stop_hearing(room_id)
            with contextlib.suppress(ChatError):  # gone it is, whether or not that can be stored
                await self._chat.do(self._notice(room_id, "leaved"))
            self._seat.send(line(self._options.system_name, "you leaved the room"))

    def say(self, room_id: int, text: str) -> None:
        """Say something in the room."""
        self.unanswered += 1
        self._seat.submit(c.SendMessage(self._seat.subscriber.account.id, room_id, text, "rooms"), self._said)

    def refuse(self, words: str) -> None:
        """Tell this socket alone what went wrong."""
        self._seat.send(line(self._options.error_name, words))

    # What happens to it.

    def removed(self, room_id: int, seq: int) -> None:
        """Its account is no longer a member of a room."""
        if room_id == self.room_id:
            self.room_id = None
            self.refuse(NOT_A_MEMBER)
            self._farewell(room_id)
            self.changed()

    def over(self) -> None:
        """Its connection is closed."""
        room_id, self.room_id = self.room_id, None
        if room_id is not None:
            self._farewell(room_id)
        self.changed()

    def forget(self) -> None:
        """The server stops: that is nobody's going."""
        self._inside, self.room_id = False, None

    def changed(self) -> None:
        """Look again whether all is settled."""
        if self._change is not None and not self._change.done():
            self._change.set_result(None)

    async def _settled(self) -> None:
        """Wait until all is stored that was said here, and all is written that the room has stored.

        Whoever waits goes on in a turn of the loop after the answer, in which it was announced to the hub too.
        """
        while self.room_id is not None and not self._seat.ended:
            if not self.unanswered and not self._seat.subscriber.behind:
                return
            self._change = asyncio.get_running_loop().create_future()
            await self._change

    async def _check_member(self, room_id: int) -> None:
        view = await self._chat.entered_room(self._seat.subscriber.account.id, room_id)
        if view.room.kind is Kind.DIRECT:
            raise ChatError(Code.FORBIDDEN, "A conversation of two is not a room.")

    def _notice(self, room_id: int, did: str) -> c.PostNotice:
        return c.PostNotice(room_id, f"{self._seat.subscriber.account.username} {did} the room", "rooms")

    def _farewell(self, room_id: int) -> None:
        if self._inside:
            self._inside = False
            self._chat.submit(self._notice(room_id, "leaved"), _nothing)

    def _said(self, outcome: Outcome) -> None:
        self.unanswered -= 1
        if isinstance(outcome, ChatError):
            self.refuse(said(outcome))
        self.changed()


def _nothing(outcome: Outcome) -> None:
    """A going that cannot be stored is not told."""
