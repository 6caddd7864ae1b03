"""Makes the links to the two sockets, and authenticates the clients that connect by a link.

A link contains a ticket for one account and one endpoint, so no header is needed. The name in its
path is used only if `open_links` is set.
"""

from urllib.parse import quote, unquote

from veche.core.errors import ChatError, Code
from veche.dialects.channels.options import Options
from veche.gateway.actors import guest_of_upgrade
from veche.service.accounts import Accounts, Login
from veche.wire.handshake import Upgrade

ECHO_PATH, PUBLIC_PATH = "/echo_ws", "/pub_ws"
TICKETS = {ECHO_PATH: "channels:echo", PUBLIC_PATH: "channels:pub"}
TICKET_SECONDS = 300


class Links:
    """Makes and checks links. `endpoint` is ECHO_PATH or PUBLIC_PATH."""

    def __init__(self, accounts: Accounts, options: Options) -> None:
        self._accounts = accounts
        self._options = options

    def link(self, login: Login, endpoint: str, host: str, secure: bool) -> str:
        """Make the link to an endpoint, with a ticket unless `open_links` is set. `host` is the default host."""
        scheme = "wss" if secure else "ws"
        bare = f"{scheme}://{self._options.host or host}{endpoint}/{_path_segment(login.account.username)}"
        if self._options.open_links:
            return bare
        return f"{bare}?ticket={self._accounts.ticket(login, TICKETS[endpoint], TICKET_SECONDS)}"

    async def login(self, upgrade: Upgrade, endpoint: str) -> Login:
        """Authenticate an upgrade by its ticket or token, or by the name in its path if `open_links` is set."""
        guest = guest_of_upgrade("channels", upgrade)
        if ticket := upgrade.query.get("ticket"):
            return await self._accounts.authenticate_ticket(guest, ticket, TICKETS[endpoint])
        if token := upgrade.query.get("token"):
            return await self._accounts.authenticate(guest, token)
        if self._options.open_links:
            return await self._accounts.login_by_name(guest, unquote(upgrade.path.rpartition("/")[2]))
        raise ChatError(Code.UNAUTHENTICATED, "The link has no ticket.")


def _path_segment(username: str) -> str:
    """Quote a name for a path.

    `%` and `/` are quoted twice, as the server unquotes the path before it splits it. So are the dots of the names `.`
    and `..`, because clients remove these segments from a path, also if they are quoted once.
    """
    twice = username.replace("%", "%25").replace("/", "%2F")
    if username in (".", ".."):
        twice = twice.replace(".", "%2E")
    return quote(twice, safe="")
