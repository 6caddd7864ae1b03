"""The WebSocket of the rooms dialect: handles the client's frames in order.

The handler receives `{"type","content"}` frames and sends only error frames. The hub writes the messages of the room,
including the client's own.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine

from veche.core.errors import ChatError
from veche.core.values import LogId
from veche.dialects.rooms.encode import serializer_of
from veche.dialects.rooms.errors import CLOSE_CODES, INVALID_DATA, OUTSIDE, SERVER_ERROR, TOO_MUCH, on_socket, problem
from veche.dialects.rooms.options import Options
from veche.dialects.rooms.presence import Presence
from veche.dialects.rooms.rules import Frame, decode, room_number, valid_room_id
from veche.gateway.actors import guest_of_upgrade
from veche.gateway.handler import AdmittedHandler
from veche.hub.serializer import Serializer
from veche.service.accounts import Accounts, Login
from veche.service.chat import Chat
from veche.wire.handler import Accepted
from veche.wire.handshake import Upgrade, UpgradeRefused

MAX_QUEUED = 10_000  # frames that are queued while another is handled; reading is paused, but more may have arrived

logger = logging.getLogger("veche.dialects.rooms")


class RoomsHandler(AdmittedHandler):
    """One connection.

    `_task` handles a frame that takes some time: a join, a leave, or an error that waits until the answers to earlier
    frames are written. `_queued` holds the frames that arrive meanwhile. Otherwise both are None.
    """

    __slots__ = ("_options", "_presence", "_queued", "_task")
    close_codes = CLOSE_CODES

    def __init__(self, chat: Chat, login: Login, serializer: Serializer, options: Options) -> None:
        super().__init__(chat, login)
        self._options = options
        self._queued: deque[str | bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._presence = Presence(chat, self.client, serializer, options)

    # From the wire.

    def text(self, text: str | bytes) -> None:
        if self._queued is None:
            self._handle(text)
        elif len(self._queued) < MAX_QUEUED:
            self._queued.append(text)
            self.socket.pause_reading()
        else:
            self.close(*TOO_MUCH)

    def binary(self, data: bytes) -> None:
        """Handle a binary frame like a text frame, as the original does."""
        self.text(data)

    def draining(self) -> None:
        self._presence.forget()
        super().draining()

    def closed(self) -> None:
        super().closed()
        self._presence.closed()

    # From the hub.

    def caught_up(self, log_id: LogId) -> None:
        self._presence.wake()

    def removed(self, room_id: int, seq: int) -> None:
        self._presence.removed(room_id, seq)

    # Frames.

    def _handle(self, text: str | bytes) -> None:
        try:
            frame = decode(Frame, text)
        except ChatError as refusal:
            self._refuse(on_socket(refusal))
            return
        match frame.type:
            case "join":
                self._join(frame.content)
            case "leave":
                self._leave()
            case "message":
                self._send(frame.content)
            case _:
                self._refuse("invalid operation")

    def _join(self, content: str | int) -> None:
        room_id = room_number(content)
        if room_id is None:
            self._refuse("room id must be number")
        elif room_id == (self._presence.room_id or 0):
            self._refuse("already in room")
        else:
            self._start(self._presence.join(valid_room_id(room_id)))

    def _leave(self) -> None:
        if self._presence.room_id is None:
            self._refuse(OUTSIDE)
        else:
            self._start(self._presence.leave())

    def _send(self, content: str | int) -> None:
        limit = self._options.text_bytes
        if not isinstance(content, str):
            self._refuse(INVALID_DATA)
        elif (room_id := self._presence.room_id) is None:
            self._refuse(OUTSIDE)
        elif not content:
            self._refuse("can not send empty message")
        elif len(content.encode()) > limit:
            self._refuse(f"message should be less {limit} symbols long")
        else:
            self._presence.send(room_id, content)

    def _refuse(self, text: str) -> None:
        """Send an error frame, after the answers to the frames before."""
        if self._presence.is_idle():
            self._presence.refuse(text)
        else:
            self._start(self._presence.refuse_when_idle(text))

    def _start(self, work: Coroutine[object, object, None]) -> None:
        if self._queued is None:
            self._queued = deque()
        self._task = asyncio.get_running_loop().create_task(self._finish(work))

    async def _finish(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except ChatError as refusal:
            self._presence.send_error(on_socket(refusal))
        except Exception:
            logger.exception("a frame could not be handled")
            self._presence.send_error(SERVER_ERROR)
        self._task = None
        self._handle_queued()

    def _handle_queued(self) -> None:
        """Handle the queued frames up to the next that takes some time. Resume reading once the queue is empty."""
        while self._queued and self._task is None and not self.client.ended:
            self._handle(self._queued.popleft())
        if self._task is None:
            self._queued = None
            self.client.resume_reading()


class Accept:
    """Accepts `/ws?token=` if the token is valid. The connection starts in no room."""

    def __init__(self, chat: Chat, accounts: Accounts, options: Options) -> None:
        self._chat = chat
        self._accounts = accounts
        self._options = options
        self._serializer = serializer_of(options.system_name)

    async def __call__(self, upgrade: Upgrade) -> Accepted:
        try:
            login = await self._accounts.authenticate(
                guest_of_upgrade("rooms", upgrade), upgrade.query.get("token", "")
            )
            handler = RoomsHandler(self._chat, login, self._serializer, self._options)
            await handler.admit()
        except ChatError as refusal:
            refusal.data["reason"] = "socket"
            status, body, headers = problem(refusal)
            raise UpgradeRefused(status, body, tuple(headers.items())) from None
        return Accepted(handler)
