"""The public channel: a greeting, then the messages of the lobby since the server started, then new ones."""

from veche.core.actor import Actor
from veche.core.messages import SendMessage
from veche.core.values import LOBBY_ID
from veche.dialects.channels.encode import SERIALIZER, greeting
from veche.dialects.channels.socket import ChannelsHandler
from veche.gateway.client import Client


class Public:
    """One connection to the lobby."""

    __slots__ = ("_client", "_lobby_seq")

    def __init__(self, lobby_seq: int) -> None:
        self._lobby_seq = lobby_seq
        self._client: Client

    @classmethod
    async def open(cls, lobby_seq: int, _: Actor) -> "Public":
        """Open a conversation. Messages up to the seq `lobby_seq` of the lobby are not sent."""
        return cls(lobby_seq)

    def start(self, handler: ChannelsHandler) -> None:
        self._client = client = handler.client
        client.send(greeting(client.account.username))
        client.subscribe(LOBBY_ID, SERIALIZER, self._lobby_seq)

    def received(self, text: str) -> None:
        self._client.submit(SendMessage(LOBBY_ID, text))

    def stop(self) -> None:
        """Do nothing: the handler detaches the client."""
