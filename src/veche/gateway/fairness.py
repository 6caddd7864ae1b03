"""Fair shares of HTTP requests and upgrades.

A request of an account draws on the share of the account, as commands on a socket do (`service.shares`). A request of
a guest, and every upgrade, begins when it is its turn (`service.guests`). So does a request of an account that has no
share left.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.gateway.refusals import headers_of
from veche.service.guests import GUEST_REQUEST, UPGRADE, Guests
from veche.service.shares import Share, Shares
from veche.wire.handler import GONE, Accept, Accepted
from veche.wire.handshake import Upgrade, UpgradeRefused
from veche.wire.proxy import Trusted, client_of, network

REQUEST: Final = 2.0  # units of work of a request; a large one does more
COUNTED: Final = "veche.counted"
"""The key in the extensions of an HTTP scope that says that the request is counted for an account."""
RETRY_AFTER: Final = 1  # seconds


class Patience(NamedTuple):
    """How many requests of one account may wait for its share, and for how many seconds each of them."""

    requests: int
    seconds: float


NATIVE: Final = Patience(8, 1.0)
OLDER: Final = Patience(100, 10.0)
"""For the older contracts: their clients may not know how to try again, so they are slowed down instead."""


async def draw(shares: Shares, actor: Actor, patience: Patience, units: float = REQUEST) -> None:
    """Count the work of a request. If the account has no share left, wait first.

    Raises ChatError (RATE_LIMITED) if too many requests of the account wait, or if this one has waited for too long.
    """
    share = shares.of(actor.party)
    if share.is_full() and not (share.requests < patience.requests and await _is_free_in(patience.seconds, share)):
        sentence = "This account does more than its share, and others wait."
        raise ChatError(Code.RATE_LIMITED, sentence, retry_after=RETRY_AFTER)
    share.work(units)


async def _is_free_in(seconds: float, share: Share) -> bool:
    free = asyncio.Event()
    share.call_when_free(free.set)
    share.requests += 1
    try:
        async with asyncio.timeout(seconds):
            await free.wait()
    except TimeoutError:
        return False
    finally:
        share.forget(free.set)
        share.requests -= 1
    return True


class InTurn:
    """Middleware that lets requests of guests begin in turn. Requests of which `knows` is True need no turn."""

    def __init__(self, app: ASGIApp, guests: Guests, trusted: Trusted, knows: Callable[[Scope], bool]) -> None:
        self._app = app
        self._guests = guests
        self._trusted = trusted
        self._knows = knows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_of_guest = scope["type"] == "http" and not self._knows(scope)
        if not is_of_guest or await _turn(self._guests, self._trusted, GUEST_REQUEST, scope, send):
            await self._app(scope, receive, send)


class OfAccounts:
    """Middleware that counts requests with a token for its account, also where no login is asked for.

    Most are counted by `draw`, when the login is checked. The others are counted afterwards: those to routes without a
    login, and those of a session that has ended. If the account has no share left, its requests begin in turn.
    `account_of` returns the account of a token that was valid a while ago. Requests without one are of guests, and
    begin in turn, unless `needs_no_turn` is True of them.
    """

    def __init__(
        self,
        app: ASGIApp,
        guests: Guests,
        shares: Shares,
        trusted: Trusted,
        account_of: Callable[[Scope], int | None],
        needs_no_turn: Callable[[Scope], bool],
    ) -> None:
        self._app = app
        self._of_guest = InTurn(app, guests, trusted, needs_no_turn)
        self._guests = guests
        self._shares = shares
        self._trusted = trusted
        self._account_of = account_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        account_id = self._account_of(scope) if scope["type"] == "http" else None
        if account_id is None:
            await self._of_guest(scope, receive, send)
            return
        if self._shares.is_full(account_id) and not await _turn(self._guests, self._trusted, 0.0, scope, send):
            return
        extensions = scope.setdefault("extensions", {})  # all copies of the scope have this object
        try:
            await self._app(scope, receive, send)
        finally:
            if COUNTED not in extensions:
                self._shares.of(account_id).work(GUEST_REQUEST)


async def _turn(guests: Guests, trusted: Trusted, units: float, scope: Scope, send: Send) -> bool:
    """Wait until a request may begin. Return False if it was refused, or if its client is gone."""
    if guests.begins_at_once(units):
        return True
    turn = asyncio.ensure_future(guests.turn(network(client_of(scope, trusted)), units))
    if (call_if_gone := scope.get("extensions", {}).get(GONE)) is not None:
        call_if_gone(turn.cancel)
    try:
        await asyncio.wait([turn])
    finally:
        turn.cancel()
    if turn.cancelled():
        return False
    if isinstance(refusal := turn.exception(), ChatError):
        await _refuse(refusal, send)
    return turn.exception() is None


async def _refuse(refusal: ChatError, send: Send) -> None:
    """Refuse a request that nobody has looked at, so without a body: each dialect has another format."""
    headers = {"content-length": "0", "connection": "close", **headers_of(refusal)}
    lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 503, "headers": lines})
    await send({"type": "http.response.body", "body": b""})


def in_turn(guests: Guests, accept: Accept) -> Accept:
    """Return an `Accept` that decides about an upgrade when it is its turn. Nobody has signed in by then."""

    async def wait_and_accept(upgrade: Upgrade) -> Accepted:
        try:
            await guests.turn(network(upgrade.client), UPGRADE)
        except ChatError as refusal:
            raise UpgradeRefused(503, headers=tuple(headers_of(refusal).items())) from None
        return await accept(upgrade)

    return wait_and_accept
