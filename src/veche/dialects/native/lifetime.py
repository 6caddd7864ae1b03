"""How long a connection may live: some seconds until its hello, then as long as its token, or a newer one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.gateway.client import Client
from veche.service.accounts import Accounts, Login

logger = logging.getLogger("veche.native")


class Lifetime:
    """The time that a connection has, and the check of its tokens."""

    __slots__ = ("_accounts", "_refreshing", "_timer")

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._refreshing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def limit(self, seconds: float, end: Callable[[], None]) -> None:
        """Call `end` in so many seconds, instead of what was to be called before."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, end)

    def limit_to(self, login: Login, end: Callable[[], None]) -> int:
        """Call `end` when the token of a login expires. Return in how many seconds that is."""
        left = login.expires_at - time.time()
        self.limit(left, end)
        return int(left)

    async def login(self, guest: Actor, token: str) -> Login:
        """Return the login of a token. Raises ChatError (UNAUTHENTICATED).

        Clocks may differ, so REST takes a token for some seconds more. A socket with it would be closed at once.
        """
        login = await self._accounts.authenticate(guest, token)
        if login.expires_at <= time.time():
            raise ChatError(Code.UNAUTHENTICATED, "The token is bad or has expired.")
        return login

    def refresh(self, client: Client, token: str, reply: Callable[[Login | ChatError], None]) -> None:
        """Check another token of the client's session. `reply` is called, unless the client is detached by then.

        Raises ChatError (RATE_LIMITED) while another token is checked, so that a client has one task at most.
        """
        if self._refreshing is not None:
            raise ChatError(Code.RATE_LIMITED, "Another token of yours is being checked.", retry_after=1)
        self._refreshing = asyncio.get_running_loop().create_task(self._refresh(client, token, reply))

    async def _refresh(self, client: Client, token: str, reply: Callable[[Login | ChatError], None]) -> None:
        outcome: Login | ChatError
        try:
            outcome = await self.login(client.actor, token)
            if outcome.session_id != client.actor.session_id:
                outcome = ChatError(Code.FORBIDDEN, "This token is of another session.")
        except ChatError as refusal:
            outcome = refusal
        except Exception:
            logger.exception("a token could not be checked")
            outcome = ChatError(Code.INTERNAL, "Something went wrong.")
        self._refreshing = None
        if not client.ended:
            reply(outcome)

    def cancel(self) -> None:
        """The connection has ended: call nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None  # it refers back to the connection
        if self._refreshing is not None:
            self._refreshing.cancel()
