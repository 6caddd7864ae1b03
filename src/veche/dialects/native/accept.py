"""Accepts the WebSockets of native clients."""

from veche.dialects.native.socket import NativeHandler
from veche.gateway.actors import guest_of_upgrade
from veche.service.accounts import Accounts
from veche.service.chat import Chat
from veche.wire.handler import Accepted
from veche.wire.handshake import Upgrade

SUBPROTOCOL = "veche.v1"


class Accept:
    """Accepts every upgrade. The token may be offered as a subprotocol: `veche.v1, bearer.TOKEN`."""

    def __init__(self, chat: Chat, accounts: Accounts) -> None:
        self._chat = chat
        self._accounts = accounts

    async def __call__(self, upgrade: Upgrade) -> Accepted:
        offered = upgrade.subprotocols
        tokens = [name.removeprefix("bearer.") for name in offered if name.startswith("bearer.")]
        guest = guest_of_upgrade("native", upgrade)
        handler = NativeHandler(self._chat, self._accounts, guest, tokens[0] if tokens else None)
        return Accepted(handler, SUBPROTOCOL if SUBPROTOCOL in offered else None)
