"""The WebSocket of the dispatch dialect: a token first, then all messages of the lobby, old and new.

The handler receives text frames and sends none. The hub writes the messages, including the client's own. The original
client stops reading when it gets any other frame, even a ping. So there is no heartbeat: TCP detects dead connections.
"""

import asyncio
import logging

from veche.core.actor import Actor
from veche.core.errors import ChatError
from veche.core.messages import SendMessage
from veche.core.values import LOBBY_ID
from veche.dialects.dispatch.encode import SERIALIZER
from veche.dialects.dispatch.errors import CLOSE_CODES, NO_TOKEN, REPLACED
from veche.gateway.actors import guest_of_upgrade
from veche.gateway.client import Client
from veche.gateway.endings import Ending
from veche.gateway.handler import DialectHandler
from veche.service.accounts import Accounts
from veche.service.chat import Chat
from veche.wire.handler import Accepted, Socket
from veche.wire.handshake import Upgrade

logger = logging.getLogger("veche.dispatch")

TOKEN_TIMEOUT = 5.0  # seconds between the 101 response and the token


class DispatchHandler(DialectHandler):
    """One connection. `_sign_in_task` is None until the first frame, the token, has arrived."""

    __slots__ = ("_accounts", "_chat", "_closing", "_early_texts", "_guest", "_sign_in_task", "_timer")
    heartbeat: bytes | None = None
    close_codes = CLOSE_CODES

    def __init__(self, chat: Chat, accounts: Accounts, guest: Actor) -> None:
        super().__init__()
        self._chat = chat
        self._accounts = accounts
        self._guest = guest
        self._timer: asyncio.TimerHandle
        self._sign_in_task: asyncio.Task[None] | None = None
        self._early_texts: list[str] = []  # received while the token is checked; few, as reading is paused
        self._closing = False  # closed by the client, or by us before the account was known

    def opened(self, socket: Socket) -> None:
        super().opened(socket)
        self._timer = asyncio.get_running_loop().call_later(TOKEN_TIMEOUT, self.close, *NO_TOKEN)

    def text(self, text: str) -> None:
        if self._sign_in_task is None:
            self._timer.cancel()
            self.socket.pause_reading()
            self._sign_in_task = asyncio.get_running_loop().create_task(self._sign_in(text))
        elif self._sign_in_task.done() and self.client is not None:
            self._send(self.client, text)
        else:
            self._early_texts.append(text)  # the token gets no answer, so the client does not wait

    def binary(self, data: bytes) -> None:
        if self._sign_in_task is None:
            self.close(*NO_TOKEN)
        else:
            super().binary(data)

    def resumed(self) -> None:
        if self.client is not None or self._sign_in_task is None:
            super().resumed()

    def closed(self) -> None:
        self._timer.cancel()
        self._closing = True
        # Texts that arrived before the close are still stored, so cancel the check of the token only if there are none.
        if self._sign_in_task is not None and not self._early_texts:
            self._sign_in_task.cancel()
        super().closed()

    def close(self, code: int | None, reason: str = "") -> None:
        self._closing = self._closing or self.client is None
        super().close(code, reason)

    def replaced(self) -> None:
        self.close(*REPLACED)

    async def _sign_in(self, token: str) -> None:
        try:
            login = await self._accounts.authenticate(self._guest, token)
            self.client = client = Client(self._chat, login.account.person, login.actor, self)
            self.socket.admitted()
            client.open(self.socket)
            if self._closing:
                client.detach()
            await client.admit()
            if not client.ended:
                self._enter_lobby(client)
            if self._closing or not client.ended:
                self._send_early_texts(client)
        except ChatError:
            self.end(Ending.NOT_ADMITTED)
        except Exception:
            logger.exception("the token could not be checked")
            self.end(Ending.INTERNAL)

    def _enter_lobby(self, client: Client) -> None:
        """Close the account's other connections, and subscribe to the lobby from its first entry."""
        client.replace_others()
        client.subscribe(LOBBY_ID, SERIALIZER, after=0)
        self.socket.resume_reading()

    def _send_early_texts(self, client: Client) -> None:
        for text in self._early_texts:
            self._send(client, text)
        self._early_texts.clear()

    def _send(self, client: Client, text: str) -> None:
        client.submit(SendMessage(LOBBY_ID, text))


class Accept:
    """Accepts every upgrade. The first frame authenticates the client."""

    def __init__(self, chat: Chat, accounts: Accounts) -> None:
        self._chat = chat
        self._accounts = accounts

    async def __call__(self, upgrade: Upgrade) -> Accepted:
        return Accepted(DispatchHandler(self._chat, self._accounts, guest_of_upgrade("dispatch", upgrade)))
