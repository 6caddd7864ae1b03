"""Sessions that are refreshed: a short-lived access token, and a chain of refresh tokens (docs/decisions/0041)."""

import hashlib
import hmac
import logging
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.refreshing import OpenRefreshedSession, RefreshSession
from veche.core.sessions import OpenSession
from veche.core.values import Account
from veche.service.accounts import Accounts, Verified
from veche.service.chat import Chat
from veche.service.tokens import Tokens
from veche.storage import sessions

logger = logging.getLogger("veche.accounts")

MAX_TOKEN = 256  # characters; ours have about 70
MAX_DIGITS = 15  # of the number of a token


class IssuedTokens(NamedTuple):
    """An access token, and the refresh token to exchange for the next ones. The times are in seconds."""

    token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


class Lifetimes(NamedTuple):
    """The lifetime of an access token, and for how long a session lives after each refresh, in seconds."""

    access: int
    session: int


class RefreshKeys:
    """Makes and reads refresh tokens: `SESSION.NUMBER.MAC`. A successor is the same whoever makes it, and when.

    `keys` are the secrets of the server. The first one signs. The others only verify, so that keys can be rotated.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        distinct = dict.fromkeys(keys)
        # Not the secrets themselves: they sign access tokens, too.
        self._keys = [_mac(key.encode("utf-8", "surrogateescape"), "veche refresh tokens") for key in distinct]

    def tokens(self, session_id: str, number: int) -> list[str]:
        """Return the token of a number under each key, the one that signs first."""
        stem = f"{session_id}.{number}"
        return [f"{stem}.{_text(_mac(key, stem))}" for key in self._keys]

    def read(self, token: str) -> tuple[str, int]:
        """Return the session and the number of a token. Raises ChatError (UNAUTHENTICATED) if it is not one of ours."""
        session_id, _, rest = token.partition(".")
        digits = rest.partition(".")[0]
        if len(token) > MAX_TOKEN or not token.isascii() or not digits.isdigit() or len(digits) > MAX_DIGITS:
            raise _bad()
        if not any(hmac.compare_digest(token, ours) for ours in self.tokens(session_id, int(digits))):
            raise _bad()
        return session_id, int(digits)


class Refreshing:
    """Opens sessions that are refreshed, and refreshes them. `lifetimes`: of the dialects that offer it, by name."""

    def __init__(
        self, chat: Chat, accounts: Accounts, tokens: Tokens, keys: RefreshKeys, lifetimes: Mapping[str, Lifetimes]
    ) -> None:
        self._chat = chat
        self._accounts = accounts
        self._tokens = tokens
        self._keys = keys
        self._lifetimes = lifetimes

    async def open_session(self, guest: Actor, verified: Verified, device: str | None = None) -> IssuedTokens:
        """Store a new session of an account, and issue its first tokens.

        Raises ChatError as `Accounts.open_session` does.
        """
        lifetimes, session_id = self._lifetimes[guest.dialect], secrets.token_urlsafe(16)
        first = self._keys.tokens(session_id, 0)[0]
        opening = OpenSession(session_id, lifetimes.session, verified.password_hash, device)
        await self._accounts.store_session(guest, verified, OpenRefreshedSession(opening, _hash(first)))
        return self._issued(verified.account, session_id, first, lifetimes.access, lifetimes.session)

    async def refresh(self, guest: Actor, token: str) -> IssuedTokens:
        """Exchange a refresh token for new tokens.

        Raises ChatError: UNAUTHENTICATED if it is not valid or its session has ended, RATE_LIMITED if the session was
        refreshed twice just now, or UNAVAILABLE if another node has made the successor with a secret that this one does
        not know.
        """
        lifetimes = self._lifetimes[guest.dialect]
        session_id, number = self._keys.read(token)
        found = await self._chat.read(guest.party, sessions.session_with_account, session_id)
        if found is None:
            raise ChatError(Code.UNAUTHENTICATED, "The session has ended.")
        account = found[1]
        actor = msgspec.structs.replace(guest, account_id=account.id)
        successors = self._keys.tokens(session_id, number + 1)
        command = RefreshSession(session_id, number, _hash(token), _hash(successors[0]), lifetimes.session)
        refreshed = await self._chat.do(actor, command)
        if refreshed is None:
            _log_reuse(actor)
            raise ChatError(Code.UNAUTHENTICATED, "This refresh token was used before. The session has ended.")
        successor = next((one for one in successors if _hash(one) == refreshed.successor_hash), None)
        if successor is None:
            raise ChatError(Code.UNAVAILABLE, "The secret of the server is being replaced. Try again.")
        left = refreshed.expires_at // 1_000_000 - int(time.time())
        return self._issued(account, session_id, successor, lifetimes.access, left)

    def _issued(self, account: Account, session_id: str, refresh_token: str, access: int, left: int) -> IssuedTokens:
        """Issue tokens for a session that lives for `left` seconds. The access token lives for `access` seconds."""
        lifetime = max(1, min(access, left))
        return IssuedTokens(self._tokens.mint(account, session_id, lifetime), lifetime, refresh_token, max(1, left))


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _text(digest: bytes) -> str:
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _bad() -> ChatError:
    return ChatError(Code.UNAUTHENTICATED, "The refresh token is bad.")


def _log_reuse(actor: Actor) -> None:
    address = actor.address or "unix"
    text = "account %d: a refresh token was used again from %s (%s), and its session was ended"
    fields = {"account": actor.account_id, "client": address, "dialect": actor.dialect}
    logger.warning(text, actor.account_id, address, actor.dialect, extra={"fields": fields})
