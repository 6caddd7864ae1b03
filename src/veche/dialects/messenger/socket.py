"""The WebSocket of the messenger dialect: messages and read marks of one chat.

The handler receives text frames and sends none. The hub writes messages and read marks, also the client's own messages.
"""

import json
import re

from veche.core.command import Command
from veche.core.errors import ChatError
from veche.core.messages import SendMessage
from veche.core.reading import MarkRead
from veche.core.values import account_log
from veche.dialects.messenger.encode import SERIALIZER, read_serializer_of
from veche.dialects.messenger.errors import CLOSE_CODES, NOT_AN_OBJECT
from veche.dialects.messenger.rules import usable_id, valid_id
from veche.gateway.actors import guest_of_upgrade
from veche.gateway.endings import Ending
from veche.gateway.handler import AdmittedHandler
from veche.gateway.membership import CheckedMembership
from veche.service.accounts import Accounts, Login
from veche.service.chat import Chat
from veche.wire.handler import Accepted
from veche.wire.handshake import Upgrade, UpgradeRefused

_CHAT_ID = re.compile(r"[0-9]{1,19}")


class MessengerHandler(AdmittedHandler):
    """One connection to a chat. Subscribes to the chat and the account's own log, from the heads that `check` read."""

    __slots__ = ("_chat", "_membership", "_own_head", "_room_id")
    close_codes = CLOSE_CODES

    def __init__(self, chat: Chat, login: Login, room_id: int) -> None:
        super().__init__(chat, login)
        self._chat = chat
        self._room_id = room_id
        self._own_head = 0
        self._membership = CheckedMembership()

    async def check(self) -> None:
        self._own_head = await self.client.admit()
        view = await self._chat.entered_room(self.client.account_id, self._room_id)
        if self._membership.confirm(view.head.last_seq):
            self.end(Ending.REMOVED)
        if self.client.ended:
            raise UpgradeRefused(403)

    def started(self) -> None:
        self.client.subscribe(self._room_id, SERIALIZER, self._membership.head_seq)
        self.client.subscribe(account_log(self.client.account_id), read_serializer_of(self._room_id), self._own_head)

    def text(self, text: str) -> None:
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            frame = None
        if not isinstance(frame, dict):
            self.close(*NOT_AN_OBJECT)
        elif command := self._decode(frame):
            self.client.submit(command)

    def _decode(self, frame: dict[str, object]) -> Command[object] | None:
        """Decode a frame to a command. Returns None for an unknown frame, which the original ignores too."""
        match frame:
            case {"type": "message", "text": str(text)}:
                client_id = usable_id(frame.get("client_message_id"))
                return SendMessage(self._room_id, text, client_id)
            case {"type": "read", "message_id": int(message_id)} if message_id is not True and valid_id(message_id):
                return MarkRead(self._room_id, message_id)
        return None

    def removed(self, room_id: int, seq: int) -> None:
        """Close the connection, because entry `seq` of the chat's log removed the account."""
        if room_id == self._room_id and self._membership.is_ended_by(seq):
            self.end(Ending.REMOVED)


class Accept:
    """Accepts `/ws/{chat_id}?token=` from members of the chat. Refuses everybody else with 403."""

    def __init__(self, chat: Chat, accounts: Accounts) -> None:
        self._chat = chat
        self._accounts = accounts

    async def __call__(self, upgrade: Upgrade) -> Accepted:
        chat_id = upgrade.path.rpartition("/")[2]
        if not _CHAT_ID.fullmatch(chat_id):
            raise UpgradeRefused(403)
        try:
            login = await self._accounts.authenticate(
                guest_of_upgrade("messenger", upgrade), upgrade.query.get("token", "")
            )
            handler = MessengerHandler(self._chat, login, valid_id(int(chat_id)))
            await handler.admit()
        except ChatError:
            raise UpgradeRefused(403) from None
        return Accepted(handler)
