"""Links to the two sockets: how they are made, and who comes by one.

A link connects as it is, without a header: it carries a ticket that is bound to the account and the channel. The name
in its path is for people to read; who somebody is, the ticket says.
"""

from urllib.parse import quote, unquote

from veche.core.errors import ChatError, Code
from veche.dialects.channels.options import Options
from veche.gateway.actors import guest_of_upgrade
from veche.service.accounts import Accounts, Login
from veche.wire.handshake import Upgrade

ECHO, PUBLIC = "/echo_ws", "/pub_ws"
TICKETS = {ECHO: "channels:echo", PUBLIC: "channels:pub"}
TICKET_SECONDS = 300


class Links:
    """Makes links and judges them."""

    def __init__(self, accounts: Accounts, options: Options) -> None:
        self._accounts = accounts
        self._options = options

    def link(self, login: Login, channel: str, host: str, secure: bool) -> str:
        """Make the link to somebody's `channel`, by the host that was asked; a bare one where those are open."""
        scheme = "wss" if secure else "ws"
        bare = f"{scheme}://{self._options.host or host}{channel}/{_segment(login.account.username)}"
        if self._options.open_links:
            return bare
        return f"{bare}?ticket={self._accounts.ticket(login, TICKETS[channel], TICKET_SECONDS)}"

    async def login(self, upgrade: Upgrade, channel: str) -> Login:
        """Find who comes by a link to `channel`, or refuse as unauthenticated."""
        guest = guest_of_upgrade("channels", upgrade)
        if ticket := upgrade.query.get("ticket"):
            return await self._accounts.authenticate_ticket(guest, ticket, TICKETS[channel])
        if token := upgrade.query.get("token"):
            return await self._accounts.authenticate(guest, token)
        if self._options.open_links:
            return await self._accounts.login_by_name(guest, unquote(upgrade.path.rpartition("/")[2]))
        raise ChatError(Code.UNAUTHENTICATED, "The link has no ticket.")


def _segment(username: str) -> str:
    """Encode a name for a path. `%` and `/` twice: the path is decoded before it is cut into segments."""
    return quote(username.replace("%", "%25").replace("/", "%2F"), safe="")
