"""The Socket.IO connection of the socketio dialect: new messages of the lobby, and nothing else.

The handler receives `message` events. If the client asks for an acknowledgement, it sends an empty one after the
commit. The hub writes the messages, including the client's own. A refused message is dropped without an answer, because
the contract has no event for refusals.
"""

from typing import Any

import msgspec

from veche.core.errors import ChatError, Code
from veche.core.messages import SendMessage, Sent
from veche.core.values import ANONYMOUS_ID, LOBBY_ID, LogId, Person
from veche.dialects.socketio.encode import SERIALIZERS, line
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
    """One connection, as a `NamespaceHandler` of Socket.IO and a `Listener` of the hub."""

    __slots__ = ("_accounts", "_anonymous", "_chat", "_head", "_id_scope")

    client: SocketioClient | None
    socket: Socket

    def __init__(self, chat: Chat, accounts: Accounts, anonymous: bool) -> None:
        super().__init__()
        self._chat = chat
        self._accounts = accounts
        self._anonymous = anonymous  # whether a client without a token is accepted
        self._id_scope = ""  # the connection id of an anonymous client, as these share one account
        self._head = 0

    # From Socket.IO.

    async def connect(self, socket: Socket, auth: dict[str, Any]) -> None:
        self.socket = socket
        try:
            self.client = client = await self._authenticate(auth.get("token"))
            await client.admit()
            self._head = (await self._chat.heads_of(client.actor.party, [LOBBY_ID]))[LOBBY_ID]
        except ChatError as refusal:
            raise ConnectRefused(ANSWERS[refusal.code][1]) from None
        if client.ended:
            raise ConnectRefused(ANSWERS[Code.UNAUTHENTICATED][1])

    async def _authenticate(self, token: object) -> SocketioClient:
        actor = guest(DIALECT, self.socket.address)
        if self._anonymous and not token:
            self._id_scope = self.socket.id
            actor = msgspec.structs.replace(actor, account_id=ANONYMOUS_ID, connection_id=self.socket.id)
            return SocketioClient(self._chat, ANONYMOUS, actor, self)
        login = await self._accounts.authenticate(actor, token if isinstance(token, str) else "")
        return SocketioClient(self._chat, login.account.person, login.actor, self)

    def connected(self) -> None:
        if self.client is not None:
            self.client.open(self.socket)
            self.client.subscribe(LOBBY_ID, SERIALIZERS.current(self.socket), self._head)

    def event(self, name: str, data: list[Any], ack: Ack | None) -> None:
        sent = line_of(data[0], self._id_scope) if name == "message" and data else None
        if self.client is None or sent is None:
            return
        author = sent.author if self._id_scope else None
        if author is not None and author in self._accounts.reserved:
            author = None  # shown as anonymous

        def done(outcome: Sent | ChatError) -> None:
            if isinstance(outcome, Sent):
                self._answer_stored(outcome, ack)

        self.client.submit(SendMessage(LOBBY_ID, sent.text, sent.stored_id, author), done)

    def _answer_stored(self, sent: Sent, ack: Ack | None) -> None:
        """Acknowledge a stored message. If an earlier attempt stored it, send it again, to this client only."""
        if sent.duplicate and (again := line(sent.message)) is not None:
            self.socket.send(again)
        if ack is not None:
            ack()

    def upgraded(self) -> None:
        if self.client is not None:
            self.client.move(self.socket, SERIALIZERS)

    def disconnected(self, reason: str) -> None:
        self.closed()

    # From the hub.

    def caught_up(self, log_id: LogId) -> None:
        self.upgraded()

    def end(self, ending: Ending) -> None:
        """Close the connection so that the client reconnects, or disconnect it for good.

        The client's library does not reconnect after a disconnect. Two clients that close each other would not end.
        """
        if self.client is not None:
            self.client.detach()
        if ending in (Ending.SESSION_ENDED, Ending.TOO_MANY):
            self.socket.disconnect()
        else:
            self.socket.close()
