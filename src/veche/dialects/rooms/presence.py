"""Where one socket is: in one room at a time, or in none. That it joins and leaves are notices of the room.

Gets: what the socket asks for, one after another. Gives: commands, and the room's log from its own joining on.
"""

import asyncio
import contextlib
import sys

from veche.core.errors import ChatError, Code
from veche.core.messages import PostNotice, SendMessage, Sent
from veche.core.values import Kind
from veche.dialects.rooms.encode import line
from veche.dialects.rooms.errors import NOT_A_MEMBER, on_socket
from veche.dialects.rooms.options import Options
from veche.gateway.client import Client
from veche.hub.serializer import Serializer
from veche.service.chat import Chat


class Presence:
    """`room_id`: the room that it is in or about to be in. `unstored`: how many of its messages are not stored yet."""

    __slots__ = (
        "_announced",
        "_change",
        "_chat",
        "_client",
        "_left_seq",
        "_member_seq",
        "_options",
        "_serializer",
        "room_id",
        "unstored",
    )

    def __init__(self, chat: Chat, client: Client, serializer: Serializer, options: Options) -> None:
        self._chat = chat
        self._client = client
        self._serializer = serializer
        self._options = options
        self._announced = False  # the others have been told that it joined
        self._change: asyncio.Future[None] | None = None
        self._member_seq: int | None = None  # the room's head at which it was a member; None: not known yet
        self._left_seq = 0  # the last leave that was heard of before that was known
        self.room_id: int | None = None
        self.unstored = 0

    # What it asks for.

    async def join(self, room_id: int) -> None:
        """Leave the room that it is in, and join another; refuses whoever is no member of that."""
        await self.leave()
        if self._client.ended:
            return
        self.room_id = room_id  # from here on a removal is noticed, so that none is missed after the check
        try:
            await self._check_member(room_id)
            if self.room_id != room_id:
                return
            notice = (await self._chat.do(self._client.actor, self._notice(room_id, "joined"))).message
        except Exception as error:
            told, self.room_id = self.room_id != room_id, None
            if told and isinstance(error, ChatError):
                return
            raise
        self._announced = True
        if self.room_id != room_id:  # removed or closed while it was stored
            self._post_leave(room_id)
            return
        self._client.subscribe(room_id, self._serializer, notice.seq - 1, notice.seq, self._member_seq)

    async def leave(self) -> None:
        """Leave the room, if it is in one, once all was written that was sent before."""
        await self._settled()
        if self.room_id is not None and not self._client.ended:
            room_id, self.room_id, self._announced = self.room_id, None, False
            self._client.unsubscribe(room_id)
            with contextlib.suppress(ChatError):  # it has left, whether or not that can be stored
                await self._chat.do(self._client.actor, self._notice(room_id, "leaved"))
            self._client.send(line(self._options.system_name, "you leaved the room"))

    def send(self, room_id: int, text: str) -> None:
        """Send a message to the room."""
        self.unstored += 1
        self._client.submit(SendMessage(room_id, text), self._sent)

    def refuse(self, words: str) -> None:
        """Tell this socket alone what went wrong."""
        self._client.send(line(self._options.error_name, words))

    # What happens to it.

    def removed(self, room_id: int, seq: int) -> None:
        """Its account left a room with an entry of the room's log (0: not known which).

        The notice may come late, when the account has long been a member again: an entry that the membership check
        has seen puts nobody out. Until the check is answered, the notice waits for it.
        """
        seq = seq or sys.maxsize
        if room_id != self.room_id:
            return
        if self._member_seq is None:
            self._left_seq = max(self._left_seq, seq)
        elif seq > self._member_seq:
            self.room_id = None
            self.refuse(NOT_A_MEMBER)
            self._post_leave(room_id)
            self.changed()

    def closed(self) -> None:
        """Its connection is closed."""
        room_id, self.room_id = self.room_id, None
        if room_id is not None:
            self._post_leave(room_id)
        self.changed()

    def forget(self) -> None:
        """The server stops: then nobody leaves."""
        self._announced, self.room_id = False, None

    def changed(self) -> None:
        """Look again whether all is settled."""
        if self._change is not None and not self._change.done():
            self._change.set_result(None)

    async def _settled(self) -> None:
        """Wait until all is stored that was sent here, and all is written that the room has stored.

        Whoever waits goes on in a turn of the loop after the answer, in which it was announced to the hub too.
        """
        while self.room_id is not None and not self._client.ended:
            if not self.unstored and self._client.is_caught_up(self.room_id):
                return
            self._change = asyncio.get_running_loop().create_future()
            await self._change

    async def _check_member(self, room_id: int) -> None:
        self._member_seq, self._left_seq = None, 0
        view = await self._chat.entered_room(self._client.account_id, room_id)
        if view.room.kind is Kind.DIRECT:
            raise ChatError(Code.FORBIDDEN, "A conversation of two is not a room.")
        self._member_seq = view.head.last_seq
        if self._left_seq:
            self.removed(room_id, self._left_seq)

    def _notice(self, room_id: int, did: str) -> PostNotice:
        return PostNotice(room_id, f"{self._client.account.username} {did} the room")

    def _post_leave(self, room_id: int) -> None:
        if self._announced:
            self._announced = False
            self._chat.submit(self._client.actor, self._notice(room_id, "leaved"), _ignore)

    def _sent(self, outcome: Sent | ChatError) -> None:
        self.unstored -= 1
        if isinstance(outcome, ChatError):
            self.refuse(on_socket(outcome))
        self.changed()


def _ignore(outcome: Sent | ChatError) -> None:
    """A leave that cannot be stored is not told."""
