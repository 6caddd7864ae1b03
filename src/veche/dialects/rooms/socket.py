"""The socket of the rooms contract: what its frames ask for, in their order, and the end of it.

Gets: `{"type","content"}`. Gives: errors to itself; what is said in its room comes from the hub, to who said it too.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine

from veche.core.errors import ChatError
from veche.core.values import LogId
from veche.dialects.rooms.encode import serializer_of
from veche.dialects.rooms.errors import CLOSE_CODES, INVALID_DATA, SERVER_ERROR, TOO_MUCH, on_socket, problem
from veche.dialects.rooms.options import Options
from veche.dialects.rooms.presence import Presence
from veche.dialects.rooms.rules import Frame, decode, known_room, room_number
from veche.gateway.actors import guest_of_upgrade
from veche.gateway.handler import AdmittedHandler
from veche.hub.serializer import Serializer
from veche.service.accounts import Accounts, Login
from veche.service.chat import Chat
from veche.wire.handler import Accepted
from veche.wire.handshake import Upgrade, UpgradeRefused

MAX_HELD = 10_000  # frames that wait for a join or a leave: all that was received when it began, and some more

log = logging.getLogger("veche.dialects.rooms")


class RoomsHandler(AdmittedHandler):
    """One connection. While it joins or leaves, what it sends next waits: `_held` is there then, and only then."""

    __slots__ = ("_held", "_moving", "_options", "_presence")
    close_codes = CLOSE_CODES

    def __init__(self, chat: Chat, login: Login, serializer: Serializer, options: Options) -> None:
        super().__init__(chat, login)
        self._options = options
        self._held: deque[str | bytes] | None = None
        self._moving: asyncio.Task[None] | None = None
        self._presence = Presence(chat, self.client, serializer, options)

    # From the wire.

    def text(self, text: str | bytes) -> None:
        if self._held is None:
            self._handle(text)
        elif len(self._held) < MAX_HELD:
            self._held.append(text)
            self.socket.pause_reading()
        else:
            self.close(*TOO_MUCH)

    def binary(self, data: bytes) -> None:
        """The original did not look which of the two it is."""
        self.text(data)

    def draining(self) -> None:
        self._presence.forget()
        super().draining()

    def closed(self) -> None:
        super().closed()
        self._presence.closed()

    # From the hub.

    def caught_up(self, log_id: LogId) -> None:
        self._presence.changed()

    def removed(self, room_id: int, seq: int) -> None:
        self._presence.removed(room_id, seq)

    # Frames.

    def _handle(self, text: str | bytes) -> None:
        try:
            frame = decode(Frame, text)
        except ChatError as refusal:
            self._presence.refuse(on_socket(refusal))
            return
        match frame.type:
            case "join":
                self._join(frame.content)
            case "leave":
                self._leave()
            case "message":
                self._send(frame.content)
            case _:
                self._presence.refuse("invalid operation")

    def _join(self, content: str | int) -> None:
        room_id = room_number(content)
        if room_id is None:
            self._presence.refuse("room id must be number")
        elif room_id == (self._presence.room_id or 0):
            self._presence.refuse("already in room")
        else:
            self._move(self._presence.join(known_room(room_id)))

    def _leave(self) -> None:
        if self._presence.room_id is None:
            self._presence.refuse("not connected to any room")
        else:
            self._move(self._presence.leave())

    def _send(self, content: str | int) -> None:
        limit = self._options.text_bytes
        if not isinstance(content, str):
            self._presence.refuse(INVALID_DATA)
        elif (room_id := self._presence.room_id) is None:
            self._presence.refuse("not connected to any room")
        elif not content:
            self._presence.refuse("can not send empty message")
        elif len(content.encode()) > limit:
            self._presence.refuse(f"message should be less {limit} symbols long")
        else:
            self._presence.send(room_id, content)

    def _move(self, moving: Coroutine[object, object, None]) -> None:
        if self._held is None:
            self._held = deque()
        self._moving = asyncio.get_running_loop().create_task(self._finish(moving))

    async def _finish(self, moving: Coroutine[object, object, None]) -> None:
        try:
            await moving
        except ChatError as refusal:
            self._presence.refuse(on_socket(refusal))
        except Exception:
            log.exception("a socket could not join or leave")
            self._presence.refuse(SERVER_ERROR)
        self._moving = None
        self._handle_held()

    def _handle_held(self) -> None:
        """Handle what waited, up to the next join or leave; read on when nothing waits."""
        while self._held and self._moving is None and not self.client.ended:
            self._handle(self._held.popleft())
        if self._moving is None:
            self._held = None
            self.client.resume_reading()


class Accept:
    """Lets in whoever has a good token: `/ws?token=`; it is in no room yet."""

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
