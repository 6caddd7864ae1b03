"""The base classes of dialects' handlers. They have default callbacks for the wire and for the hub.

They implement `wire.handler.Handler` and `hub.listener.Listener`. A dialect overrides the callbacks that differ.
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
    """The handler of one connection. `client` is None until it is known which account connects."""

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
        """Ignore the message."""

    def binary(self, data: bytes) -> None:
        self.end(Ending.TEXT_ONLY)

    def paused(self) -> None:
        if self.client is not None:
            self.client.paused()
        else:
            self.socket.pause_reading()  # a client that does not read its answers must not send more

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

    def crowded_out(self) -> None:
        """End the connection: as one too many of its address, or of its account if that is known."""
        self.end(Ending.UNAVAILABLE if self.client is None else Ending.TOO_MANY)

    def closed(self) -> None:
        if self.client is not None:
            self.client.detach()

    # From the hub.

    def caught_up(self, log_id: LogId) -> None:
        """Do nothing: most dialects have no frame that says so."""

    def joined(self, room_id: int, after: int) -> None:
        """Do nothing: most connections are for one room, which the client chose when it connected."""

    def removed(self, room_id: int, seq: int) -> None:
        """Do nothing: most connections are for the lobby, which nobody leaves."""

    def session_ended(self) -> None:
        self.end(Ending.SESSION_ENDED)

    def replaced(self) -> None:
        """Do nothing: in most dialects, an account may have several clients."""

    def lost(self) -> None:
        self.end(Ending.LOST)

    # The end.

    def end(self, ending: Ending) -> None:
        """Close the connection with the dialect's close code for `ending`."""
        self.close(*self.close_codes[ending])

    def close(self, code: int | None, reason: str = "") -> None:
        """Detach the client, then close the socket."""
        if self.client is not None:
            self.client.close(code, reason)
        else:
            self.socket.close(code, reason)


class AdmittedHandler(DialectHandler):
    """The handler of one connection whose client is authenticated before the 101."""

    __slots__ = ("_first_ending",)

    client: Client

    def __init__(self, chat: Chat, login: Login) -> None:
        self._first_ending: Ending | None = None
        self.client = Client(chat, login.account.person, login.actor, self)

    async def admit(self) -> None:
        """Call `check`. If it raises, detach the client and raise the exception again."""
        try:
            await self.check()
        except BaseException:
            self.closed()
            raise

    async def check(self) -> None:
        """Raise ChatError if the client may not connect. Dialects that check more than the session override this."""
        await self.client.admit()

    def opened(self, socket: Socket) -> None:
        super().opened(socket)
        socket.admitted()
        self.client.open(socket)
        if self.client.ended:  # it was detached before the 101, when there was no socket to close
            self.end(self._first_ending or Ending.NOT_ADMITTED)
        else:
            self.started()

    def end(self, ending: Ending) -> None:
        """Close the connection with the dialect's close code for `ending`.

        Before the 101 there is no socket to close. In this case `opened` closes the connection, with the first ending.
        """
        self._first_ending = self._first_ending or ending
        super().end(ending)

    def started(self) -> None:
        """Called after the 101, unless the client was detached before it. Does nothing by default."""
