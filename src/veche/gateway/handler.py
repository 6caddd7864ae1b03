"""What every dialect does alike with what the wire and the hub tell it of a connection: the defaults of all callbacks.

A dialect's handler overrides only what differs. It is a `wire.handler.Handler` and a `hub.listener.Listener`.
"""

from collections.abc import Mapping

from veche.core.values import LogId
from veche.gateway.client import Client
from veche.gateway.endings import COMMON_CLOSE_CODES, CloseCode, Ending
from veche.service.accounts import Login
from veche.service.chat import Chat
from veche.wire.frames import ping_frame
from veche.wire.handler import Socket


class DialectHandler:
    """One connection. `client` is None until it is known whose it is."""

    __slots__ = ("client", "socket")
    heartbeat: bytes | None = ping_frame()
    close_codes: Mapping[Ending, CloseCode] = COMMON_CLOSE_CODES

    client: Client | None
    socket: Socket

    def __init__(self) -> None:
        self.client = None

    # From the wire.

    def opened(self, socket: Socket) -> None:
        self.socket = socket

    def text(self, text: str) -> None:
        """A text is ignored."""

    def binary(self, data: bytes) -> None:
        self.end(Ending.TEXT_ONLY)

    def paused(self) -> None:
        if self.client is not None:
            self.client.paused()
        else:
            self.socket.pause_reading()  # a client that does not read answers may not ask for more

    def resumed(self) -> None:
        if self.client is not None:
            self.client.resumed()
        else:
            self.socket.resume_reading()

    def draining(self) -> None:
        self.end(Ending.RESTART)

    def unanswered(self) -> None:
        self.end(Ending.NO_PONG)

    def stalled(self) -> None:
        self.end(Ending.SLOW)

    def closed(self) -> None:
        if self.client is not None:
            self.client.detach()

    # From the hub.

    def caught_up(self, log_id: LogId) -> None:
        """Most contracts have no frame for it."""

    def joined(self, room_id: int, after: int) -> None:
        """Most connections hear one room, which was chosen when they connected."""

    def removed(self, room_id: int, seq: int) -> None:
        """Nobody is removed from the lobby."""

    def session_ended(self) -> None:
        self.end(Ending.SESSION_ENDED)

    def lost(self) -> None:
        self.end(Ending.LOST)

    # The end.

    def end(self, ending: Ending) -> None:
        """Close, with the code and the reason that the dialect has for it."""
        self.close(*self.close_codes[ending])

    def close(self, code: int | None, reason: str = "") -> None:
        """Close the socket; the client is detached before."""
        if self.client is not None:
            self.client.close(code, reason)
        else:
            self.socket.close(code, reason)


class AdmittedHandler(DialectHandler):
    """One connection whose client is known, and admitted, before the 101."""

    __slots__ = ()

    client: Client

    def __init__(self, chat: Chat, login: Login) -> None:
        self.client = Client(chat, login.account.person, login.actor, self)

    async def admit(self) -> None:
        """Refuse a client that may not connect, and detach it then."""
        try:
            await self.check()
        except BaseException:
            self.closed()
            raise

    async def check(self) -> None:
        """Refuse a client that may not connect."""
        await self.client.admit()

    def opened(self, socket: Socket) -> None:
        super().opened(socket)
        self.client.open(socket)
        if self.client.ended:  # after it was admitted, and before the 101
            self.end(Ending.NOT_ADMITTED)
        else:
            self.started()

    def started(self) -> None:
        """The socket is open, and the client may use it."""
