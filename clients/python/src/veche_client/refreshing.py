"""Short-lived tokens: a new one in good time, and after the server says that the old one has expired."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from .backoff import backoff
from .connection import Connection
from .errors import VecheError
from .rest import Rest
from .values import Tokens

USED = 0.7, 0.8  # how much of its time a token is used: not all clients refresh at once


class Refresher:
    """Replaces the token of a session. `told` gets both new tokens, to be stored, before the token is used."""

    def __init__(self, rest: Rest, refresh_token: str, told: Callable[[Tokens], None] | None) -> None:
        self._rest = rest
        self._refresh_token = refresh_token
        self._told = told
        self._one = asyncio.Lock()

    async def refresh(self) -> None:
        """Get a new token. Raises VecheError: "unauthenticated" if the session has ended."""
        async with self._one:
            tokens = await self._rest.refresh(self._refresh_token)
            self._refresh_token = tokens["refresh_token"]
            if self._told is not None:
                self._told(tokens)
            self._rest.token = tokens["token"]

    async def keep_fresh(self, link: Connection) -> None:
        """Replace the token before it expires, and give it to a connection, until the connection or the session ends.

        The server says how long the token lives. So the clock of this machine may be wrong.
        """
        failures = 0
        while True:
            try:
                answer = await link.command("refresh", {"token": self._rest.token})
                await asyncio.sleep(answer["expires_in"] * random.uniform(*USED))
                await self.refresh()
                failures = 0
            except VecheError as error:
                if not error.temporary or error.code in ("lost", "offline"):
                    return
                failures += 1
                await asyncio.sleep(error.retry_after + backoff(failures))
