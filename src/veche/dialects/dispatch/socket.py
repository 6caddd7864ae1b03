"""A socket of the lobby: a token first, then all that was ever said there, and what is said from now on.

Gets: text frames. Gives: nothing of its own; messages come from the hub, to their sender too. The original's client
stops reading at whatever else arrives, a ping even: there is no heartbeat, and TCP finds out who has vanished.
"""

import asyncio
import logging

from veche.core import commands as c
from veche.core.errors import ChatError
from veche.core.rooms import LOBBY_ID, LogId
from veche.dialects.dispatch.encode import LINES
from veche.gateway.client import Seat
from veche.service.accounts import Accounts
from veche.service.chat import Chat, Outcome
from veche.wire.handler import Accepted, Socket
from veche.wire.handshake import Upgrade

log = logging.getLogger("veche.dispatch")

TOKEN_WITHIN = 5.0  # seconds from the 101


class LobbySocket:
    """One connection. It has no seat before its token was found good."""

    __slots__ = ("_accounts", "_chat", "_coming", "_early", "_gone", "_seat", "_socket", "_timer")
    heartbeat: bytes | None = None

    def __init__(self, chat: Chat, accounts: Accounts) -> None:
        self._chat = chat
        self._accounts = accounts
        self._socket: Socket
        self._timer: asyncio.TimerHandle
        self._coming: asyncio.Task[None] | None = None
        self._early: list[str] = []  # bounded by one read: while the token is looked at, nothing more is read
        self._gone = False
        self._seat: Seat | None = None

    # From the wire.

    def opened(self, socket: Socket) -> None:
        self._socket = socket
        self._timer = asyncio.get_running_loop().call_later(TOKEN_WITHIN, self._end, None)

    def text(self, text: str) -> None:
        if self._coming is None:
            self._timer.cancel()
            self._socket.pause_reading()
            self._coming = asyncio.get_running_loop().create_task(self._come_in(text))
        elif self._coming.done() and self._seat is not None:
            self._say(self._seat, text)
        else:
            self._early.append(text)  # a client need not wait for an answer to its token: there is none

    def binary(self, data: bytes) -> None:
        self._end(1003 if self._coming else None, "text only")

    def paused(self) -> None:
        if self._seat is not None:
            self._seat.paused()
        else:
            self._socket.pause_reading()  # who does not read pongs may not ask for more

    def resumed(self) -> None:
        if self._seat is not None:
            self._seat.resumed()
        elif self._coming is None:
            self._socket.resume_reading()

    def draining(self) -> None:
        self._end(1012, "restart")

    def unanswered(self) -> None:
        """Nothing is ever asked."""

    def stalled(self) -> None:
        self._end(1013, "slow")

    def closed(self) -> None:
        self._timer.cancel()
        self._gone = True
        if self._coming is not None and not self._early:  # what came before the end is still to be said
            self._coming.cancel()
        if self._seat is not None:
            self._seat.leave()

    # From the hub.

    def caught_up(self, log_id: LogId) -> None:
        """Nothing is said about it."""

    def joined(self, room_id: int, after: int) -> None:
        """Nothing is said about it."""

    def removed(self, room_id: int, seq: int) -> None:
        """Nobody leaves the lobby."""

    def session_ended(self) -> None:
        self._end(1008, "session ended")

    def lost(self) -> None:
        self._end(1013, "come back")

    # From the account's next socket.

    def replaced(self) -> None:
        self._end(1008, "replaced")

    # Coming in.

    async def _come_in(self, token: str) -> None:
        try:
            login = await self._accounts.authenticate(token)
            self._seat = seat = Seat(self._chat, login.account.person, login.session_id, self, "dispatch")
            seat.open(self._socket)
            if self._gone:
                seat.leave()
            await self._chat.check_session(login.session_id)
            if not seat.ended:
                self._take_place(seat)
            if self._gone or not seat.ended:
                self._say_early(seat)
        except ChatError:
            self._end(None)
        except Exception:
            log.exception("a token could not be looked at")
            self._end(1011, "internal error")

    def _take_place(self, seat: Seat) -> None:
        """Close the account's other sockets, and hear the lobby from its first line on."""
        for connection in self._chat.hub.subscribers(seat.subscriber.account.id):
            other = connection.listener
            if isinstance(other, LobbySocket) and other is not self:
                other.replaced()
        seat.hear(LOBBY_ID, LINES, after=0)
        self._socket.resume_reading()

    def _say_early(self, seat: Seat) -> None:
        for text in self._early:
            self._say(seat, text)
        self._early.clear()

    def _say(self, seat: Seat, text: str) -> None:
        seat.submit(c.SendMessage(seat.subscriber.account.id, LOBBY_ID, text, "dispatch"), self._decided)

    def _decided(self, outcome: Outcome) -> None:
        """A refusal is not told: the contract has no frame for it."""

    def _end(self, code: int | None, reason: str = "") -> None:
        """Close; without a code where the contract says so."""
        if self._seat is not None:
            self._seat.end(code, reason)
        else:
            self._gone = True
            self._socket.close(code, reason)


class Accept:
    """Lets everybody in: who they are is said in the first frame."""

    def __init__(self, chat: Chat, accounts: Accounts) -> None:
        self._chat = chat
        self._accounts = accounts

    async def __call__(self, upgrade: Upgrade) -> Accepted:
        return Accepted(LobbySocket(self._chat, self._accounts))
