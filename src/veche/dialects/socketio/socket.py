"""A Socket.IO client in the lobby: what is said there from now on, to its sender too, and nothing else.

Gets: `message` events. Gives: an empty acknowledgement where one is asked for, after the commit; messages come from the
hub. A line that cannot be stored is dropped: the contract has no event for a refusal.
"""

from typing import Any

from veche.core import commands as c
from veche.core.accounts import ANONYMOUS_ID, Person
from veche.core.errors import ChatError, Code
from veche.core.rooms import LOBBY_ID, LogId
from veche.dialects.socketio.encode import LINES, line
from veche.dialects.socketio.errors import ANSWERS
from veche.dialects.socketio.lines import DIALECT, line_of
from veche.gateway.client import Seat
from veche.gateway.socketio import move
from veche.service.accounts import Accounts
from veche.service.chat import Chat, Outcome
from veche.wire.socketio import Ack, ConnectRefused, Socket

ANONYMOUS = Person(ANONYMOUS_ID, "anonymous", "anonymous")


class Chatter:
    """One client that wants in, or is in."""

    __slots__ = ("_accounts", "_anonymous", "_chat", "_head", "_scope", "_seat", "_socket")

    def __init__(self, chat: Chat, accounts: Accounts, anonymous: bool) -> None:
        self._chat = chat
        self._accounts = accounts
        self._anonymous = anonymous  # whether who has no token is let in
        self._scope = ""  # within which the ids of an anonymous client mean the same; else within the account
        self._socket: Socket
        self._seat: Seat | None = None
        self._head = 0

    # From Socket.IO.

    async def connect(self, socket: Socket, auth: dict[str, Any]) -> None:
        self._socket = socket
        try:
            self._seat = seat = await self._come_in(auth.get("token"))
            self._head = (await self._chat.heads_of([LOBBY_ID]))[LOBBY_ID]
        except ChatError as refusal:
            raise ConnectRefused(ANSWERS[refusal.code][1]) from None
        if seat.ended:
            raise ConnectRefused(ANSWERS[Code.UNAUTHENTICATED][1])

    async def _come_in(self, token: object) -> Seat:
        if self._anonymous and not token:
            self._scope = self._socket.id
            return Seat(self._chat, ANONYMOUS, self._socket.id, self, DIALECT)
        login = await self._accounts.authenticate(token if isinstance(token, str) else "")
        self._seat = seat = Seat(self._chat, login.account.person, login.session_id, self, DIALECT)
        await self._chat.check_session(login.session_id)
        return seat

    def connected(self) -> None:
        if self._seat is not None:
            self._seat.open(self._socket)
            self._seat.hear(LOBBY_ID, LINES.now(self._socket), self._head)

    def event(self, name: str, data: list[Any], ack: Ack | None) -> None:
        said = line_of(data[0], self._scope) if name == "message" and data else None
        if self._seat is None or said is None:
            return
        by, author = self._seat.subscriber.account.id, said.author if self._scope else None

        def done(outcome: Outcome) -> None:
            if isinstance(outcome, c.Sent):
                self._sent(outcome, ack)

        self._seat.submit(c.SendMessage(by, LOBBY_ID, said.text, DIALECT, said.stored_id, author), done)

    def _sent(self, sent: c.Sent, ack: Ack | None) -> None:
        """What was stored before is said again to this client alone."""
        if sent.duplicate and (again := line(sent.message)) is not None:
            self._socket.send(again)
        if ack is not None:
            ack()

    def upgraded(self) -> None:
        self._move()

    def paused(self) -> None:
        if self._seat is not None:
            self._seat.paused()

    def resumed(self) -> None:
        if self._seat is not None:
            self._seat.resumed()

    def disconnected(self, reason: str) -> None:
        if self._seat is not None:
            self._seat.leave()

    # From the hub.

    def caught_up(self, log_id: LogId) -> None:
        self._move()

    def joined(self, room_id: int, after: int) -> None:
        """Only the lobby is heard here."""

    def removed(self, room_id: int, seq: int) -> None:
        """Nobody can be put out of the lobby."""

    def session_ended(self) -> None:
        """It stays away: with this token it would not get in again."""
        if self._seat is not None:
            self._seat.leave()
        self._socket.disconnect()

    def lost(self) -> None:
        """It comes back by itself."""
        if self._seat is not None:
            self._seat.leave()
        self._socket.close()

    def _move(self) -> None:
        if self._seat is not None and not self._seat.ended:
            move(self._chat.hub, self._seat.subscriber, self._socket, LINES)
