"""All connections of a server, and whose they are.

A connection is a guest of the client's address until somebody signs in on it, or while something else bounds it: a
request that is being answered, or a session of Engine.IO. An HTTP connection with a token belongs to the account. The
HTTP connection of a trusted proxy is a guest of no address, because it carries the requests of many.

If an address or an account has too many, the one that was active the longest ago has to go. So a client that comes back
is not refused because of its own dead connections. If there are too many in all, the guest that was active the longest
ago has to go. So those who hold connections open without signing in cannot keep others out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Final, Protocol

from veche.wire.by_owner import ByOwner

LOG_AGAIN: Final = 60.0
"""Seconds until the same sentence is logged again."""

logger = logging.getLogger("veche.wire")


class Connection(Protocol):
    """What `Connections` needs of a connection."""

    @property
    def closing(self) -> bool: ...
    def crowded_out(self) -> None:
        """Close the connection, because there are too many. It is no guest any more."""

    # For `HeldBytes`.

    def held(self) -> int: ...
    def stalled(self) -> None: ...
    def abort(self) -> None: ...


class Connections:
    """`at_most`: connections in all. `guests`: of one address. `of_account`: HTTP connections of one account."""

    def __init__(self, at_most: int = 10_000, guests: int = 500, of_account: int = 100) -> None:
        self._at_most = at_most
        self._at_most_guests = guests
        self._at_most_of_account = of_account
        self._all: set[Connection] = set()
        self._guests = ByOwner[Connection]()  # by address (see `proxy.network`)
        self._of_proxies = ByOwner[Connection]()
        self._signed_in = ByOwner[Connection]()  # by the id of the account
        self._logged_at: dict[str, float] = {}

    def __len__(self) -> int:
        """The number of connections."""
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._all)

    def guests(self, address: str) -> int:
        """The number of guests of an address."""
        return self._guests.count(address)

    def enter(self, connection: Connection, address: str | None) -> bool:
        """Count a new connection, a guest of the address. If that is None, it is a guest of no address.

        Return False if there are too many connections, and nobody is a guest who could go. Then close the connection.
        """
        if len(self._all) >= self._at_most:
            if (oldest := self._guests.oldest() or self._of_proxies.oldest()) is None:
                self._log("there are %d connections of people who have signed in: new ones are refused", self._at_most)
                return False
            self._log("there are %d connections: those on which nobody has signed in have to go", self._at_most)
            self._crowd_out(oldest)
        self._all.add(connection)
        self.be_guest(connection, address)
        return True

    def be_guest(self, connection: Connection, address: str | None) -> None:
        """Make a connection the guest that was active last. Do nothing if somebody has signed in on it."""
        if connection not in self._all or connection in self._signed_in:
            return
        if address is None:
            self._of_proxies.add(connection, "")
            return
        self._guests.add(connection, address)
        sentence = "more than %d connections of one address on which nobody has signed in"
        self._bound(self._guests, address, self._at_most_guests, sentence)

    def admit(self, connection: Connection) -> None:
        """Make a connection no guest, because somebody has signed in on it, or something else bounds it."""
        self._guests.discard(connection)
        self._of_proxies.discard(connection)

    def sign_in(self, connection: Connection, account_id: int) -> None:
        """Make a connection one of an account."""
        self._guests.discard(connection)
        if connection in self._all:
            self._signed_in.add(connection, account_id)
            sentence = "more than %d HTTP connections of one account"
            self._bound(self._signed_in, account_id, self._at_most_of_account, sentence)

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is closed, or that another one replaces. A second call does nothing."""
        self._all.discard(connection)
        self.admit(connection)
        self._signed_in.discard(connection)

    def _bound(self, connections: ByOwner[Connection], owner: str | int, cap: int, sentence: str) -> None:
        if connections.count(owner) > cap and (oldest := connections.oldest_of(owner)) is not None:
            self._log(sentence, cap)
            self._crowd_out(oldest)

    def _crowd_out(self, connection: Connection) -> None:
        self.admit(connection)
        self._signed_in.discard(connection)
        connection.crowded_out()

    def _log(self, sentence: str, cap: int) -> None:
        now = time.monotonic()
        if now - self._logged_at.get(sentence, -LOG_AGAIN) >= LOG_AGAIN:
            self._logged_at[sentence] = now
            logger.warning(sentence, cap)
