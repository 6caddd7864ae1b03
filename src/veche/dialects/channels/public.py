"""The public channel: a greeting, the lobby since the server started, and what is said from now on."""

from veche.core import commands as c
from veche.core.rooms import LOBBY_ID
from veche.dialects.channels.encode import LINES, greeting
from veche.dialects.channels.socket import ChannelSocket
from veche.gateway.client import Seat
from veche.service.chat import Outcome
from veche.wire.handler import Socket


class Public:
    """One socket in the lobby."""

    __slots__ = ("_account_id", "_lobby_seq", "_seat")

    def __init__(self, account_id: int, lobby_seq: int) -> None:
        self._account_id = account_id
        self._lobby_seq = lobby_seq
        self._seat: Seat

    @classmethod
    async def open(cls, lobby_seq: int, account_id: int) -> "Public":
        """Make the channel of an account; what stood at `lobby_seq` or before is not shown."""
        return cls(account_id, lobby_seq)

    def begin(self, client: ChannelSocket, socket: Socket) -> None:
        self._seat = seat = client.seat
        seat.send(greeting(seat.subscriber.account.username))
        seat.hear(LOBBY_ID, LINES, self._lobby_seq)

    def said(self, text: str) -> None:
        self._seat.submit(c.SendMessage(self._account_id, LOBBY_ID, text, "channels"), self._decided)

    def over(self) -> None:
        """There is nothing to put away."""

    def _decided(self, outcome: Outcome) -> None:
        """A refusal is not told: the contract has no frame for it."""
