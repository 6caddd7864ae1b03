"""A socket of either channel: who may connect, and the end of it. `echo` and `public` say what it is for.

Gets: text frames. Gives: what its conversation sends.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.dialects.channels.errors import CLOSE_CODES, NOT_YOU
from veche.dialects.channels.links import Links
from veche.gateway.endings import Ending
from veche.gateway.handler import AdmittedHandler, DialectHandler
from veche.service.accounts import Login
from veche.service.chat import Chat
from veche.wire.handler import Accepted, Socket
from veche.wire.handshake import Upgrade, UpgradeRefused


class Conversation(Protocol):
    """What one socket is for: the echo, or the public channel."""

    def start(self, handler: "ChannelsHandler") -> None:
        """The socket is open."""

    def received(self, text: str) -> None:
        """The client sent a text."""

    def stop(self) -> None:
        """The socket is closed, or is about to be; called once, and nothing else after it."""


Open = Callable[[Actor], Awaitable[Conversation]]
"""Makes the conversation of an actor."""


class ChannelsHandler(AdmittedHandler):
    """One connection."""

    __slots__ = ("_conversation", "_open")
    close_codes = CLOSE_CODES

    def __init__(self, chat: Chat, login: Login, open: Open) -> None:
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
            self.socket.send(NOT_YOU.encode())
        super().end(ending)

    def close(self, code: int | None, reason: str = "") -> None:
        """Close; the conversation stops before the client is told."""
        self._stop()
        super().close(code, reason)

    def _stop(self) -> None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            conversation.stop()


class Refusal(DialectHandler):
    """A client without a good link: told so in the contract's words, and closed."""

    __slots__ = ()
    heartbeat: bytes | None = None
    close_codes = CLOSE_CODES

    def opened(self, socket: Socket) -> None:
        super().opened(socket)
        socket.send(NOT_YOU.encode())
        self.end(Ending.NOT_ADMITTED)


class Accept:
    """Lets in who comes by a good link: `/{channel}/{username}?ticket=`. The others are told on a socket too."""

    def __init__(self, chat: Chat, links: Links, channel: str, open: Open) -> None:
        self._chat = chat
        self._links = links
        self._channel = channel
        self._open = open

    async def __call__(self, upgrade: Upgrade) -> Accepted:
        try:
            login = await self._links.login(upgrade, self._channel)
            handler = ChannelsHandler(self._chat, login, self._open)
            await handler.admit()
        except ChatError as refusal:
            if refusal.code is not Code.UNAUTHENTICATED:
                raise UpgradeRefused(503) from None
            return Accepted(Refusal())
        return Accepted(handler)
