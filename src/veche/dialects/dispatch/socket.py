"""A socket of the lobby: a token first, then all that was ever said there, and what is said from now on.

Gets: text frames. Gives: nothing of its own; messages come from the hub, to their sender too. The original's client
stops reading at whatever else arrives, a ping even: there is no heartbeat, and TCP finds out who has vanished.
"""

import asyncio
import logging

from veche.core.actor import Actor
from veche.core.errors import ChatError
from veche.core.messages import SendMessage
from veche.core.values import LOBBY_ID
from veche.dialects.dispatch.encode import LINES
from veche.dialects.dispatch.errors import CLOSE_CODES, NO_TOKEN, REPLACED
from veche.gateway.actors import guest_of_upgrade
from veche.gateway.client import Client
from veche.gateway.endings import Ending
from veche.gateway.handler import DialectHandler
from veche.service.accounts import Accounts
from veche.service.chat import Chat
from veche.wire.handler import Accepted, Socket
from veche.wire.handshake import Upgrade

log = logging.getLogger("veche.dispatch")

TOKEN_WITHIN = 5.0  # seconds from the 101


class DispatchHandler(DialectHandler):
    """One connection. `_signing_in` is there from its first frame on, which is its token."""

    __slots__ = ("_accounts", "_chat", "_early", "_gone", "_guest", "_signing_in", "_timer")
    heartbeat: bytes | None = None
    close_codes = CLOSE_CODES

    def __init__(self, chat: Chat, accounts: Accounts, guest: Actor) -> None:
        super().__init__()
        self._chat = chat
        self._accounts = accounts
        self._guest = guest
        self._timer: asyncio.TimerHandle
        self._signing_in: asyncio.Task[None] | None = None
        self._early: list[str] = []  # bounded by one read: while the token is looked at, nothing more is read
        self._gone = False  # closed by the peer, or by us before we knew the account

    def opened(self, socket: Socket) -> None:
        super().opened(socket)
        self._timer = asyncio.get_running_loop().call_later(TOKEN_WITHIN, self.close, *NO_TOKEN)

    def text(self, text: str) -> None:
        if self._signing_in is None:
            self._timer.cancel()
            self.socket.pause_reading()
            self._signing_in = asyncio.get_running_loop().create_task(self._sign_in(text))
        elif self._signing_in.done() and self.client is not None:
            self._send(self.client, text)
        else:
            self._early.append(text)  # a client need not wait for an answer to its token: there is none

    def binary(self, data: bytes) -> None:
        if self._signing_in is None:
            self.close(*NO_TOKEN)
        else:
            super().binary(data)

    def resumed(self) -> None:
        if self.client is not None or self._signing_in is None:
            super().resumed()

    def closed(self) -> None:
        self._timer.cancel()
        self._gone = True
        if self._signing_in is not None and not self._early:  # what came before the end is still to be sent
            self._signing_in.cancel()
        super().closed()

    def close(self, code: int | None, reason: str = "") -> None:
        self._gone = self._gone or self.client is None
        super().close(code, reason)

    async def _sign_in(self, token: str) -> None:
        try:
            login = await self._accounts.authenticate(self._guest, token)
            self.client = client = Client(self._chat, login.account.person, login.actor, self)
            client.open(self.socket)
            if self._gone:
                client.detach()
            await client.admit()
            if not client.ended:
                self._enter(client)
            if self._gone or not client.ended:
                self._send_early(client)
        except ChatError:
            self.end(Ending.NOT_ADMITTED)
        except Exception:
            log.exception("a token could not be looked at")
            self.end(Ending.INTERNAL)

    def _enter(self, client: Client) -> None:
        """Close the account's other sockets, and hear the lobby from its first line on."""
        for other in client.other_listeners():
            if isinstance(other, DispatchHandler):
                other.close(*REPLACED)
        client.subscribe(LOBBY_ID, LINES, after=0)
        self.socket.resume_reading()

    def _send_early(self, client: Client) -> None:
        for text in self._early:
            self._send(client, text)
        self._early.clear()

    def _send(self, client: Client, text: str) -> None:
        client.submit(SendMessage(LOBBY_ID, text))


class Accept:
    """Lets everybody in: who they are is said in the first frame."""

    def __init__(self, chat: Chat, accounts: Accounts) -> None:
        self._chat = chat
        self._accounts = accounts

    async def __call__(self, upgrade: Upgrade) -> Accepted:
        return Accepted(DispatchHandler(self._chat, self._accounts, guest_of_upgrade("dispatch", upgrade)))
