"""Tracks the room that one connection is in, and stores a notice in the room for each join and leave.

A `Presence` gets the client's requests one at a time. It submits commands, and subscribes the client to the room's log
from the client's own join notice on.
"""

import asyncio
import contextlib
from functools import partial

from veche.core.errors import ChatError, Code
from veche.core.messages import PostNotice, SendMessage, Sent
from veche.core.values import Kind
from veche.dialects.rooms.encode import line
from veche.dialects.rooms.errors import NOT_A_MEMBER, OUTSIDE, on_socket
from veche.dialects.rooms.options import Options
from veche.gateway.client import Client
from veche.gateway.membership import CheckedMembership
from veche.hub.serializer import Serializer
from veche.service.chat import Chat


class Presence:
    """The room of one connection.

    `room_id` is the room that the connection is in or is joining, or None. `unstored` is the number of messages that
    were sent on it and are not stored yet.
    """

    __slots__ = (
        "_announced",
        "_chat",
        "_client",
        "_membership",
        "_options",
        "_serializer",
        "_unwritten",
        "_username",
        "_wakeup",
        "room_id",
        "unstored",
    )

    def __init__(self, chat: Chat, client: Client, serializer: Serializer, options: Options) -> None:
        self._chat = chat
        self._client = client
        self._username = client.account.username  # of when the socket connected: the notices have it, as the original's
        self._serializer = serializer
        self._options = options
        self._announced = False  # the join notice is stored, so a leave needs a notice too
        self._wakeup: asyncio.Future[None] | None = None
        self._membership = CheckedMembership()  # of the current room
        self.room_id: int | None = None
        self.unstored = 0
        self._unwritten = (
            False  # a message or join notice of the client may wait in the hub for the next turn of the loop
        )

    # Requests of the client.

    async def join(self, room_id: int) -> None:
        """Leave the current room and join another. Raises ChatError if the account is not a member of it."""
        await self.leave()
        if self._client.ended:
            return
        self.room_id = room_id  # set before the check, so that `removed` handles a removal during the check
        try:
            await self._check_member(room_id)
            if self.room_id != room_id:
                return
            notice = (await self._chat.do(self._client.actor, self._notice(room_id, "joined"))).message
        except Exception as error:
            already_left, self.room_id = self.room_id != room_id, None
            if already_left and isinstance(error, ChatError):
                return
            raise
        self._announced = True
        if self.room_id != room_id:  # removed or closed while the notice was stored
            self._post_leave(room_id)
            return
        self._unwritten = True
        self._client.subscribe(room_id, self._serializer, notice.seq - 1, notice.seq, self._membership.head_seq)

    async def leave(self) -> None:
        """Leave the current room, if any. First wait until everything sent before is stored and written."""
        await self._wait_until_idle()
        if self.room_id is not None and not self._client.ended:
            room_id, self.room_id, self._announced = self.room_id, None, False
            self._client.unsubscribe(room_id)
            with contextlib.suppress(ChatError):  # the client has left, even if the notice cannot be stored
                await self._chat.do(self._client.actor, self._notice(room_id, "leaved"))
            self._client.send(line(self._options.system_name, "you leaved the room"))

    def send(self, room_id: int, text: str) -> None:
        self.unstored += 1
        self._unwritten = True
        self._client.submit(SendMessage(room_id, text), partial(self._sent, room_id))

    def send_error(self, text: str) -> None:
        """Send an error frame to this client only."""
        self._client.send(line(self._options.error_name, text))

    def refuse(self, text: str) -> None:
        """Send an error frame after the client's messages and join notice. They are stored, but maybe not written."""
        if self._unwritten and self.room_id is not None:
            self._client.flush(self.room_id)
        self._unwritten = False
        self.send_error(text)

    async def refuse_when_idle(self, text: str) -> None:
        """Send an error frame once everything sent before is stored and written."""
        await self._wait_until_idle()
        self.refuse(text)

    def is_idle(self) -> bool:
        """Return whether everything sent before is stored, and the client has caught up with the room."""
        room_id = self.room_id
        return room_id is None or (not self.unstored and self._client.is_caught_up(room_id))

    # From the hub and the connection.

    def removed(self, room_id: int, seq: int) -> None:
        """Leave the room, because entry `seq` of its log removed the account."""
        if room_id == self.room_id and self._membership.is_ended_by(seq):
            self._leave_as_removed(room_id)

    def _leave_as_removed(self, room_id: int) -> None:
        self.room_id = None
        self.send_error(NOT_A_MEMBER)
        self._post_leave(room_id)
        self.wake()

    def closed(self) -> None:
        room_id, self.room_id = self.room_id, None
        if room_id is not None:
            self._post_leave(room_id)
        self.wake()

    def forget(self) -> None:
        """Forget the room without a leave notice, because the server is shutting down."""
        self._announced, self.room_id = False, None

    def wake(self) -> None:
        """Let a pending `leave` check again whether it can go on."""
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)

    async def _wait_until_idle(self) -> None:
        """Wait until the client's messages are stored, and the client has caught up with the room.

        The future resumes in a later turn of the loop. By then the hub has received the committed entries too.
        """
        while not self.is_idle() and not self._client.ended:
            self._wakeup = asyncio.get_running_loop().create_future()
            await self._wakeup

    async def _check_member(self, room_id: int) -> None:
        self._membership = membership = CheckedMembership()
        view = await self._chat.entered_room(self._client.account_id, room_id)
        if view.room.kind is Kind.DIRECT:
            raise ChatError(Code.FORBIDDEN, "A conversation of two is not a room.")
        if membership.confirm(view.head.last_seq) and room_id == self.room_id:
            self._leave_as_removed(room_id)

    def _notice(self, room_id: int, verb: str) -> PostNotice:
        return PostNotice(room_id, f"{self._username} {verb} the room")

    def _post_leave(self, room_id: int) -> None:
        if self._announced:
            self._announced = False
            self._chat.submit(self._client.actor, self._notice(room_id, "leaved"), _ignore_outcome)

    def _sent(self, room_id: int, outcome: Sent | ChatError) -> None:
        self.unstored -= 1
        if isinstance(outcome, ChatError):
            self._sending_refused(room_id, outcome)
        self.wake()

    def _sending_refused(self, room_id: int, refusal: ChatError) -> None:
        """Say why. If the account was removed and the entry of it is still on its way here, leave the room now."""
        is_outside = refusal.code is Code.NOT_MEMBER or refusal.data.get("what") == "room"
        if is_outside and room_id == self.room_id:
            self._client.unsubscribe(room_id)
            self._leave_as_removed(room_id)
        else:
            self.send_error(OUTSIDE if is_outside else on_socket(refusal))


def _ignore_outcome(outcome: Sent | ChatError) -> None:
    """Ignore the outcome of a leave notice: the connection has left already."""
