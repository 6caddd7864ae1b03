"""A socket of either channel: who may come in, and the end of it. `echo` and `public` say what it is for.

Gets: text frames. Gives: what its channel sends.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from veche.core.errors import ChatError, Code
from veche.core.rooms import LogId
from veche.dialects.channels.errors import NOT_YOU
from veche.dialects.channels.links import Links
from veche.gateway.client import Seat
from veche.service.accounts import Login
from veche.service.chat import Chat
from veche.wire.frames import ping_frame
from veche.wire.handler import Accepted, Socket
from veche.wire.handshake import Upgrade, UpgradeRefused


class Channel(Protocol):
    """What one socket is for."""

    def begin(self, client: "ChannelSocket", socket: Socket) -> None:
        """The socket is open."""

    def said(self, text: str) -> None:
        """The client sent a text."""

    def over(self) -> None:
        """The socket is closed, or is about to be; said once, and nothing else after it."""


Open = Callable[[int], Awaitable[Channel]]
"""Makes the channel of an account."""


class ChannelSocket:
    """One connection. It has its seat before it is asked whether the session stands: no ending is missed."""

    __slots__ = ("_channel", "seat")
    heartbeat: bytes | None = ping_frame()

    def __init__(self, chat: Chat, login: Login) -> None:
        self._channel: Channel | None = None
        self.seat = Seat(chat, login.account.person, login.session_id, self, "channels")

    async def come_in(self, chat: Chat, open: Open) -> None:
        """Check that the session stands, and open the channel."""
        await chat.check_session(self.seat.subscriber.session_id)
        self._channel = await open(self.seat.subscriber.account.id)

    # From the wire.

    def opened(self, socket: Socket) -> None:
        self.seat.open(socket)
        if self.seat.ended:
            _refuse(socket)
        elif self._channel is not None:
            self._channel.begin(self, socket)

    def text(self, text: str) -> None:
        if self._channel is not None:
            self._channel.said(text)

    def binary(self, data: bytes) -> None:
        self.end(1003, "text only")

    def paused(self) -> None:
        self.seat.paused()

    def resumed(self) -> None:
        self.seat.resumed()

    def draining(self) -> None:
        self.end(1012, "restart")

    def unanswered(self) -> None:
        self.end(1011, "keepalive ping timeout")

    def stalled(self) -> None:
        self.end(1013, "slow")

    def closed(self) -> None:
        self.seat.leave()
        self._over()

    # From the hub.

    def caught_up(self, log_id: LogId) -> None:
        """Nothing is said about it."""

    def joined(self, room_id: int, after: int) -> None:
        """Nothing is said about it."""

    def removed(self, room_id: int, seq: int) -> None:
        """Nobody leaves the lobby."""

    def session_ended(self) -> None:
        self.end(1008, "session ended")

    def lost(self) -> None:
        self.end(1013, "come back")

    # The end.

    def end(self, code: int, reason: str) -> None:
        """Close; the channel is over before the client is told."""
        self._over()
        self.seat.end(code, reason)

    def _over(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.over()


class Refusal:
    """Somebody whom nothing vouches for: told so in the contract's words, and closed."""

    heartbeat: bytes | None = None

    def opened(self, socket: Socket) -> None:
        _refuse(socket)

    def text(self, text: str) -> None: ...
    def binary(self, data: bytes) -> None: ...
    def paused(self) -> None: ...
    def resumed(self) -> None: ...
    def draining(self) -> None: ...
    def closed(self) -> None: ...
    def unanswered(self) -> None: ...
    def stalled(self) -> None: ...


def _refuse(socket: Socket) -> None:
    socket.send(NOT_YOU.encode())
    socket.close(1008)


class Accept:
    """Lets in who comes by a good link: `/{channel}/{username}?ticket=`. The others are told on a socket too."""

    def __init__(self, chat: Chat, links: Links, channel: str, open: Open) -> None:
        self._chat = chat
        self._links = links
        self._channel = channel
        self._open = open

    async def __call__(self, upgrade: Upgrade) -> Accepted:
        try:
            session = ChannelSocket(self._chat, await self._links.login(upgrade, self._channel))
            try:
                await session.come_in(self._chat, self._open)
            except BaseException:
                session.closed()
                raise
        except ChatError as refusal:
            if refusal.code is not Code.UNAUTHENTICATED:
                raise UpgradeRefused(503) from None
            return Accepted(Refusal())
        return Accepted(session)
