"""A Socket.IO client in the lobby: what is said there from now on, to its sender too, and nothing else.

Gets: `message` events. Gives: an empty acknowledgement where one is asked for, after the commit; messages come from the
hub. A line that cannot be stored is dropped: the contract has no event for a refusal.
"""

from typing import Any

from veche.core.errors import ChatError, Code
from veche.core.messages import SendMessage, Sent
from veche.core.values import ANONYMOUS_ID, LOBBY_ID, LogId, Person
from veche.dialects.socketio.encode import LINES, line
from veche.dialects.socketio.errors import ANSWERS
from veche.dialects.socketio.lines import DIALECT, line_of
from veche.gateway.actors import guest
from veche.gateway.endings import Ending
from veche.gateway.handler import DialectHandler
from veche.gateway.socketio import SocketioClient
from veche.service.accounts import Accounts
from veche.service.chat import Chat
from veche.wire.socketio import Ack, ConnectRefused, Socket

ANONYMOUS = Person(ANONYMOUS_ID, "anonymous", "anonymous")


class SocketioHandler(DialectHandler):
    """One client that asks to enter, or has entered. What is not in Socket.IO's `NamespaceHandler` is never called."""

    __slots__ = ("_accounts", "_anonymous", "_chat", "_head", "_scope")

    client: SocketioClient | None
    socket: Socket

    def __init__(self, chat: Chat, accounts: Accounts, anonymous: bool) -> None:
        super().__init__()
        self._chat = chat
        self._accounts = accounts
        self._anonymous = anonymous  # whether who has no token is let in
        self._scope = ""  # within which the ids of an anonymous client mean the same; else within the account
        self._head = 0

    # From Socket.IO.

    async def connect(self, socket: Socket, auth: dict[str, Any]) -> None:
        self.socket = socket
        try:
            self.client = client = await self._identify(auth.get("token"))
            await client.admit()
            self._head = (await self._chat.heads_of([LOBBY_ID]))[LOBBY_ID]
        except ChatError as refusal:
            raise ConnectRefused(ANSWERS[refusal.code][1]) from None
        if client.ended:
            raise ConnectRefused(ANSWERS[Code.UNAUTHENTICATED][1])

    async def _identify(self, token: object) -> SocketioClient:
        actor = guest(DIALECT, self.socket.address)
        if self._anonymous and not token:
            self._scope = self.socket.id
            return SocketioClient(self._chat, ANONYMOUS, actor._replace(account_id=ANONYMOUS_ID), self)
        login = await self._accounts.authenticate(actor, token if isinstance(token, str) else "")
        return SocketioClient(self._chat, login.account.person, login.actor, self)

    def connected(self) -> None:
        if self.client is not None:
            self.client.open(self.socket)
            self.client.subscribe(LOBBY_ID, LINES.current(self.socket), self._head)

    def event(self, name: str, data: list[Any], ack: Ack | None) -> None:
        sent = line_of(data[0], self._scope) if name == "message" and data else None
        if self.client is None or sent is None:
            return
        author = sent.author if self._scope else None

        def done(outcome: Sent | ChatError) -> None:
            if isinstance(outcome, Sent):
                self._stored(outcome, ack)

        self.client.submit(SendMessage(LOBBY_ID, sent.text, sent.stored_id, author), done)

    def _stored(self, sent: Sent, ack: Ack | None) -> None:
        """What was stored before is sent again to this client alone."""
        if sent.duplicate and (again := line(sent.message)) is not None:
            self.socket.send(again)
        if ack is not None:
            ack()

    def upgraded(self) -> None:
        if self.client is not None:
            self.client.move(self.socket, LINES)

    def disconnected(self, reason: str) -> None:
        self.closed()

    # From the hub.

    def caught_up(self, log_id: LogId) -> None:
        self.upgraded()

    def end(self, ending: Ending) -> None:
        """Put out a client whose session ended: it stays away, as its token would be refused. Others come back."""
        if self.client is not None:
            self.client.detach()
        if ending is Ending.SESSION_ENDED:
            self.socket.disconnect()
        else:
            self.socket.close()
