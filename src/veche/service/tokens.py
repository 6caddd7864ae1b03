"""Makes and checks access tokens and tickets. They are JWTs (RFC 7519), signed with HS256. `kid` names the key.

A token also has the claims that clients of the older dialects read: `id` and `user_id` (numbers), and `username`.
"""

import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jwt

from veche.core.errors import ChatError, Code
from veche.core.values import Account

ISSUER = AUDIENCE = "veche"
LEEWAY = 15  # seconds that clocks may differ
REMEMBERED = 10_000  # valid tokens
LONGEST_REMEMBERED = 1_024  # characters of a token

_REQUIRED = ["iss", "aud", "sub", "sid", "jti", "typ", "iat", "exp"]


OLDEST_KID = "1"  # of all tokens until keys got their kid from their secret


class Claims(NamedTuple):
    """The claims of a valid token. `expires_at` is in seconds since 1970."""

    account_id: int
    session_id: str
    expires_at: int


def keys_of(secret: str, old: str | None = None) -> dict[str, str]:
    """Return secrets by `kid`. The first one signs, `old` only verifies.

    The kid is made from the secret, so a token names the secret that signed it, whatever the operator calls it now.
    """
    keys = {_kid_of(secret): secret}
    if old is not None:
        keys[_kid_of(old)] = old
    return keys | {OLDEST_KID: old or secret}


def _kid_of(secret: str) -> str:
    return hashlib.sha256(f"kid:{secret}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


class Tokens:
    """Makes and checks tokens.

    `keys` has the secrets by `kid`. The first one signs. The others only verify, so that keys can be rotated.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = dict(keys)
        self._kid = next(iter(self._keys))
        self._remembered: dict[tuple[str, str], Claims] = {}  # by (audience, token), the oldest first

    @property
    def secrets(self) -> list[str]:
        """The secrets. The first one signs."""
        return list(self._keys.values())

    def mint(self, account: Account, session_id: str, lifetime: int) -> str:
        """Make a token for a session, valid for `lifetime` seconds."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "typ": "access",
            "jti": secrets.token_hex(8),
            "sub": str(account.id),
            "sid": session_id,
            "iat": now,
            "exp": now + lifetime,
            "id": account.id,
            "user_id": account.id,
            "username": account.username,
        }
        return jwt.encode(claims, self._keys[self._kid], "HS256", headers={"kid": self._kid})

    def mint_ticket(self, account_id: int, session_id: str, purpose: str, lifetime: int) -> str:
        """Make a ticket for one purpose, valid for `lifetime` seconds. It is meant for URLs."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": f"{AUDIENCE}:{purpose}",
            "typ": "ticket",
            "jti": secrets.token_hex(8),
            "sub": str(account_id),
            "sid": session_id,
            "iat": now,
            "exp": now + lifetime,
        }
        return jwt.encode(claims, self._keys[self._kid], "HS256", headers={"kid": self._kid})

    def verify_ticket(self, ticket: str, purpose: str) -> Claims:
        """Return the claims of a ticket. Raises ChatError (UNAUTHENTICATED) if it is not valid for the purpose."""
        return self._verify(ticket, f"{AUDIENCE}:{purpose}", "ticket")

    def verify(self, token: str) -> Claims:
        """Return the claims of a token. Raises ChatError (UNAUTHENTICATED) if it is not valid."""
        return self._verify(token, AUDIENCE, "access")

    def account_of(self, token: str) -> int | None:
        """Return the account of a token that was found valid a while ago, or None.

        It may have expired, or its session may have ended.
        """
        claims = self._remembered.get((AUDIENCE, token))
        return claims.account_id if claims is not None else None

    def _verify(self, token: str, audience: str, kind: str) -> Claims:
        """Check a token, or only its expiry if its signature and claims were checked before."""
        claims = self._remembered.get((audience, token))
        if claims is None:
            claims = self._check(token, audience, kind)
            self._remember(audience, token, claims)
        elif claims.expires_at <= time.time() - LEEWAY:
            raise _invalid()
        return claims

    def _remember(self, audience: str, token: str, claims: Claims) -> None:
        if len(token) <= LONGEST_REMEMBERED:
            if len(self._remembered) >= REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[audience, token] = claims

    def _check(self, token: str, audience: str, kind: str) -> Claims:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            claims: dict[str, Any] = jwt.decode(
                token,
                self._keys[kid] if isinstance(kid, str) else "",
                algorithms=["HS256"],
                issuer=ISSUER,
                audience=audience,
                leeway=LEEWAY,
                options={"require": _REQUIRED, "verify_iat": False},  # a clock that was ahead has been set right
            )
            if claims["typ"] != kind or type(claims["exp"]) is not int:
                raise ValueError("wrong typ or exp")
            return Claims(int(claims["sub"]), str(claims["sid"]), claims["exp"])
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, OverflowError, RecursionError):
            raise _invalid() from None


def _invalid() -> ChatError:
    return ChatError(Code.UNAUTHENTICATED, "The token is bad or has expired.")
