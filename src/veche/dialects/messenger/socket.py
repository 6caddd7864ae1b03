"""A socket of one chat: who may listen, what they may say, and the end of it.

Gets: text frames. Gives: nothing of its own; messages and read marks come from the hub, to their sender too.
"""

import json
import re

from veche.core import commands as c
from veche.core.errors import ChatError
from veche.core.rooms import LogId, account_log
from veche.dialects.messenger.encode import MESSAGES, reads_of
from veche.dialects.messenger.rules import known, usable_id
from veche.gateway.client import Seat
from veche.service.accounts import Accounts, Login
from veche.service.chat import Chat, Outcome
from veche.wire.frames import ping_frame
from veche.wire.handler import Accepted, Socket
from veche.wire.handshake import Upgrade, UpgradeRefused

_CHAT_ID = re.compile(r"[0-9]{1,19}")


class ChatSocket:
    """One connection. It has its seat before it is asked who may listen: a removal is never missed."""

    __slots__ = ("_chat", "_heads", "_room_id", "seat")
    heartbeat: bytes | None = ping_frame()

    def __init__(self, chat: Chat, login: Login, room_id: int) -> None:
        self._chat = chat
        self._room_id = room_id
        self._heads: dict[LogId, int] = {}
        self.seat = Seat(chat, login.account.person, login.session_id, self, "messenger")

    async def admit(self, by: int, session_id: str) -> None:
        """Check membership, and note where both logs stand: what comes after that is heard."""
        await self._chat.check_session(session_id)
        await self._chat.entered_room(by, self._room_id)
        self._heads = await self._chat.heads_of([self._room_id, account_log(by)])
        if self.seat.ended:
            raise UpgradeRefused(403)

    # From the wire.

    def opened(self, socket: Socket) -> None:
        self.seat.open(socket)
        if self.seat.ended:
            socket.close(1008, "removed")
        own = account_log(self.seat.subscriber.account.id)
        for log_id, serializer in ((self._room_id, MESSAGES), (own, reads_of(self._room_id))):
            self.seat.hear(log_id, serializer, self._heads[log_id])

    def text(self, text: str) -> None:
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            frame = None
        if not isinstance(frame, dict):
            self.seat.end(1003, "a JSON object, please")
        elif command := self._decode(self.seat.subscriber.account.id, frame):
            self.seat.submit(command, self._decided)

    def binary(self, data: bytes) -> None:
        self.seat.end(1003, "text only")

    def paused(self) -> None:
        self.seat.paused()

    def resumed(self) -> None:
        self.seat.resumed()

    def draining(self) -> None:
        self.seat.end(1012, "restart")

    def unanswered(self) -> None:
        self.seat.end(1011, "keepalive ping timeout")

    def stalled(self) -> None:
        self.seat.end(1013, "slow")

    def closed(self) -> None:
        self.seat.leave()

    # From the hub.

    def caught_up(self, log_id: LogId) -> None:
        """Nothing is said about it."""

    def joined(self, room_id: int, after: int) -> None:
        """Nothing is said about it."""

    def removed(self, room_id: int, seq: int) -> None:
        if room_id == self._room_id:
            self.seat.end(1008, "removed")

    def session_ended(self) -> None:
        self.seat.end(1008, "session ended")

    def lost(self) -> None:
        self.seat.end(1013, "come back")

    # Commands.

    def _decode(self, by: int, frame: dict[str, object]) -> c.Command | None:
        """Make the command of a frame; whatever else it says is ignored, as by the original."""
        match frame:
            case {"type": "message", "text": str(text)}:
                client_id = usable_id(frame.get("client_message_id"))
                return c.SendMessage(by, self._room_id, text, "messenger", client_id)
            case {"type": "read", "message_id": int(message_id)} if message_id is not True and known(message_id):
                return c.MarkRead(by, self._room_id, message_id)
        return None

    def _decided(self, outcome: Outcome) -> None:
        """A refusal is not told: the contract has no frame for it."""


class Accept:
    """Lets members of a chat in: `/ws/{chat_id}?token=`; everybody else gets 403 instead of a socket."""

    def __init__(self, chat: Chat, accounts: Accounts) -> None:
        self._chat = chat
        self._accounts = accounts

    async def __call__(self, upgrade: Upgrade) -> Accepted:
        chat_id = upgrade.path.rpartition("/")[2]
        if not _CHAT_ID.fullmatch(chat_id):
            raise UpgradeRefused(403)
        try:
            login = await self._accounts.authenticate(upgrade.query.get("token", ""))
        except ChatError:
            raise UpgradeRefused(403) from None
        session = ChatSocket(self._chat, login, known(int(chat_id)))
        try:
            await session.admit(login.account.id, login.session_id)
        except BaseException as error:
            session.seat.leave()
            if isinstance(error, ChatError):
                raise UpgradeRefused(403) from None
            raise
        return Accepted(session)
