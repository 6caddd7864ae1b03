"""The public channel: a greeting, the lobby since the server started, and what is said from now on."""

from veche.core.actor import Actor
from veche.core.messages import SendMessage
from veche.core.values import LOBBY_ID
from veche.dialects.channels.encode import LINES, greeting
from veche.dialects.channels.socket import ChannelsHandler
from veche.gateway.client import Client


class Public:
    """One socket in the lobby."""

    __slots__ = ("_client", "_lobby_seq")

    def __init__(self, lobby_seq: int) -> None:
        self._lobby_seq = lobby_seq
        self._client: Client

    @classmethod
    async def open(cls, lobby_seq: int, _: Actor) -> "Public":
        """Make a conversation; what stood at `lobby_seq` or before is not shown."""
        return cls(lobby_seq)

    def start(self, handler: ChannelsHandler) -> None:
        self._client = client = handler.client
        client.send(greeting(client.account.username))
        client.subscribe(LOBBY_ID, LINES, self._lobby_seq)

    def received(self, text: str) -> None:
        self._client.submit(SendMessage(LOBBY_ID, text))

    def stop(self) -> None:
        """There is nothing to put away."""
