"""The WebSocket of both endpoints of the channels dialect: authentication and closing.

The handler passes text frames to a `Conversation` of `echo.py` or `public.py`, which sends the answers.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.dialects.channels.errors import CLOSE_CODES, INVALID_CREDENTIALS
from veche.dialects.channels.links import Links
from veche.gateway.endings import Ending
from veche.gateway.handler import AdmittedHandler, DialectHandler
from veche.service.accounts import Login
from veche.service.chat import Chat
from veche.wire.handler import Accepted, Socket
from veche.wire.handshake import Upgrade, UpgradeRefused


class Conversation(Protocol):
    """What one connection does: the echo, or the public channel."""

    def start(self, handler: "ChannelsHandler") -> None:
        """Called once, when the connection is open."""

    def received(self, text: str) -> None:
        """Handle a text from the client."""

    def stop(self) -> None:
        """Called once, when the connection closes or is about to close. No other call follows."""


OpenConversation = Callable[[Actor], Awaitable[Conversation]]
"""Makes the conversation of an actor. Raises ChatError."""


class ChannelsHandler(AdmittedHandler):
    """One connection."""

    __slots__ = ("_conversation", "_open")
    close_codes = CLOSE_CODES

    def __init__(self, chat: Chat, login: Login, open: OpenConversation) -> None:
        super().__init__(chat, login)
        self._open = open
        self._conversation: Conversation | None = None

    async def check(self) -> None:
        await super().check()
        self._conversation = await self._open(self.client.actor)

    def started(self) -> None:
        if self._conversation is not None:
            self._conversation.start(self)

    def text(self, text: str) -> None:
        if self._conversation is not None:
            self._conversation.received(text)

    def closed(self) -> None:
        super().closed()
        self._stop()

    def end(self, ending: Ending) -> None:
        if ending is Ending.NOT_ADMITTED:
            self.socket.send(INVALID_CREDENTIALS.encode())
        super().end(ending)

    def close(self, code: int | None, reason: str = "") -> None:
        """Close the connection. The conversation stops before the close frame is sent."""
        self._stop()
        super().close(code, reason)

    def _stop(self) -> None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            conversation.stop()


class RejectingHandler(DialectHandler):
    """A connection by an invalid link. The handler sends the text of the refusal and closes the connection."""

    __slots__ = ()
    heartbeat: bytes | None = None
    close_codes = CLOSE_CODES

    def opened(self, socket: Socket) -> None:
        super().opened(socket)
        socket.send(INVALID_CREDENTIALS.encode())
        self.end(Ending.NOT_ADMITTED)


class Accept:
    """Accepts `/{endpoint}/{username}?ticket=`. Also accepts an invalid link, to send the refusal on the socket."""

    def __init__(self, chat: Chat, links: Links, endpoint: str, open: OpenConversation) -> None:
        self._chat = chat
        self._links = links
        self._endpoint = endpoint
        self._open = open

    async def __call__(self, upgrade: Upgrade) -> Accepted:
        try:
            login = await self._links.login(upgrade, self._endpoint)
            handler = ChannelsHandler(self._chat, login, self._open)
            await handler.admit()
        except ChatError as refusal:
            if refusal.code is not Code.UNAUTHENTICATED:
                raise UpgradeRefused(503) from None
            return Accepted(RejectingHandler())
        return Accepted(handler)
