"""A socket of one chat: who may listen, what they may say, and the end of it.

Gets: text frames. Gives: nothing of its own; messages and read marks come from the hub, to their sender too.
"""

import json
import re

from veche.core import commands as c
from veche.core.errors import ChatError
from veche.core.events import MemberJoined
from veche.core.rooms import LogId, account_log
from veche.dialects.messenger.encode import MESSAGES, reads_of
from veche.dialects.messenger.rules import known, usable_id
from veche.hub.connection import Connection
from veche.service.accounts import Accounts, Login
from veche.service.chat import Chat, Outcome
from veche.wire.frames import ping_frame
from veche.wire.handshake import Refused, Upgrade
from veche.wire.session import Accepted, Socket

MAX_WAITING = 1000  # commands of one socket that wait to be stored; above that it is not read on

_CHAT_ID = re.compile(r"[0-9]{1,19}")


class ChatSocket:
    """One connection. It has its place in the hub before it is asked who may listen: a removal is never missed."""

    __slots__ = ("_chat", "_connection", "_heads", "_refused", "_room_id", "_socket", "_waiting")
    heartbeat: bytes | None = ping_frame()

    def __init__(self, chat: Chat, login: Login, room_id: int) -> None:
        self._chat = chat
        self._room_id = room_id
        self._socket: Socket | None = None
        self._connection: Connection | None = Connection(login.account.person, login.session_id, _nowhere, self)
        self._heads: dict[LogId, int] = {}
        self._refused = False
        self._waiting = 0
        chat.hub.attach(self._connection)

    async def admit(self, by: int, session_id: str) -> None:
        """Check membership, and note where both logs stand: what comes after that is heard."""
        await self._chat.check_session(session_id)
        await self._chat.entered_room(by, self._room_id)
        self._heads = await self._chat.heads_of([self._room_id, account_log(by)])
        if self._refused:
            raise Refused(403)

    # From the wire.

    def opened(self, socket: Socket) -> None:
        self._socket = socket
        if self._connection is None:
            return
        self._connection.write = socket.write
        own = account_log(self._connection.account.id)
        for log_id, shape in ((self._room_id, MESSAGES), (own, reads_of(self._room_id))):
            self._chat.hub.subscribe(self._connection, log_id, shape, self._heads[log_id])

    def text(self, text: str) -> None:
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            frame = None
        if not isinstance(frame, dict):
            self.end(1003, "a JSON object, please")
        elif self._connection is not None and (command := self._decode(self._connection.account.id, frame)):
            self._submit(command)

    def binary(self, data: bytes) -> None:
        self.end(1003, "text only")

    def paused(self) -> None:
        if self._socket is not None and self._connection is not None:
            self._socket.pause_reading()
            self._chat.hub.slow(self._connection)

    def resumed(self) -> None:
        if self._connection is not None:
            self._chat.hub.drained(self._connection)
            self._read_on()

    def draining(self) -> None:
        self.end(1012, "restart")

    def unanswered(self) -> None:
        self.end(1011, "keepalive ping timeout")

    def stalled(self) -> None:
        self.end(1013, "slow")

    def closed(self) -> None:
        self.leave_hub()

    # From the hub.

    def caught_up(self, log_id: LogId) -> None:
        """Nothing is said about it."""

    def entered(self, event: MemberJoined) -> None:
        """Nothing is said about it."""

    def removed(self, room_id: int) -> None:
        if room_id == self._room_id:
            self.end(1008, "removed")

    def session_ended(self) -> None:
        self.end(1008, "session ended")

    def lost(self) -> None:
        self.end(1013, "come back")

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

    def _submit(self, command: c.Command) -> None:
        self._waiting += 1
        if self._waiting == MAX_WAITING and self._socket is not None:
            self._socket.pause_reading()
        self._chat.submit(command, self._decided)

    def _decided(self, outcome: Outcome) -> None:
        """A refusal is not told: the contract has no frame for it."""
        self._waiting -= 1
        if self._waiting == MAX_WAITING - 1:
            self._read_on()

    def _read_on(self) -> None:
        connection, socket = self._connection, self._socket
        if connection is not None and socket is not None and not connection.slow and self._waiting < MAX_WAITING:
            socket.resume_reading()

    # Going.

    def leave_hub(self) -> None:
        """Hear nothing more; what was announced before is written before."""
        connection, self._connection = self._connection, None
        if connection is not None:
            for log_id in tuple(connection.subscriptions):
                self._chat.hub.unsubscribe(connection, log_id)
            self._chat.hub.detach(connection)

    def end(self, code: int, reason: str) -> None:
        """Close: nothing may follow a close frame, so the hub lets go first."""
        self._refused = True
        self.leave_hub()
        if self._socket is not None:
            self._socket.close(code, reason)


def _nowhere(frames: bytes) -> None:
    """There is no socket yet."""


class Accept:
    """Lets members of a chat in: `/ws/{chat_id}?token=`; everybody else gets 403 instead of a socket."""

    def __init__(self, chat: Chat, accounts: Accounts) -> None:
        self._chat = chat
        self._accounts = accounts

    async def __call__(self, upgrade: Upgrade) -> Accepted:
        chat_id = upgrade.path.rpartition("/")[2]
        if not _CHAT_ID.fullmatch(chat_id):
            raise Refused(403)
        try:
            login = await self._accounts.authenticate(upgrade.query.get("token", ""))
        except ChatError:
            raise Refused(403) from None
        session = ChatSocket(self._chat, login, known(int(chat_id)))
        try:
            await session.admit(login.account.id, login.session_id)
        except BaseException as error:
            session.leave_hub()
            if isinstance(error, ChatError):
                raise Refused(403) from None
            raise
        return Accepted(session)
