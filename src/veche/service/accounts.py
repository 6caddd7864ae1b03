"""Accounts and their tokens, for every dialect. Each dialect checks its own rules on names and passwords."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import NamedTuple

from veche.core.accounts import Account
from veche.core.commands import EndSession, OpenSession, Register, SetPassword
from veche.core.errors import ChatError, Code
from veche.core.text import MAX_EMAIL, handle_of
from veche.service.chat import Chat
from veche.service.limits import LoginLimits
from veche.service.passwords import Passwords
from veche.service.tokens import Claims, Tokens
from veche.storage import read

LONGEST_NAME = MAX_EMAIL  # what is longer is nobody's: folding it could take a second, and it would be remembered


class Login(NamedTuple):
    """Who a good token stands for."""

    account: Account
    session_id: str
    expires_at: int  # seconds since 1970


class Signed(NamedTuple):
    """A new token, and the seconds it lives."""

    token: str
    expires_in: int


class Accounts:
    """People and their tokens."""

    def __init__(
        self,
        chat: Chat,
        tokens: Tokens,
        passwords: Passwords,
        limits: LoginLimits,
        lifetimes: Mapping[str, int],
    ) -> None:
        self._chat = chat
        self._tokens = tokens
        self._passwords = passwords
        self._limits = limits
        self._lifetimes = lifetimes  # seconds that a token lives, by the contract that gave it

    async def register(
        self, password: str, *, username: str | None = None, email: str | None = None, name: str | None = None
    ) -> Account:
        """Make an account; refuses names and e-mails that have an owner."""
        hashed = await self._passwords.hash(password)
        return await self._chat.do(Register(hashed, username=username, email=email, name=name))

    async def check_password(
        self, password: str, address: str, *, username: str | None = None, email: str | None = None
    ) -> Account:
        """Find the account whose password this is; `address` is where the try comes from."""
        name = (username if username is not None else email or "")[: LONGEST_NAME + 1]
        key = handle_of(name) if username is not None else name.casefold()
        if (wait := self._limits.admit(address, key)) > 0:
            await asyncio.sleep(wait)
        found = await self._find(username, email)
        right = await self._passwords.verify(password, found[1] if found else None) and found is not None
        self._limits.judge(address, key, right=right)
        if found is None or not right:
            reason = "password" if found else "unknown"
            raise ChatError(Code.WRONG_CREDENTIALS, "Unknown user or wrong password.", reason=reason)
        return found[0]

    async def _find(self, username: str | None, email: str | None) -> tuple[Account, str] | None:
        if len(username or email or "") > LONGEST_NAME:
            return None
        try:
            return await self._chat.read(read.credentials, username=username, email=email)
        except UnicodeError:  # nobody's name holds a lone surrogate
            return None

    async def open_session(self, account: Account, origin: str) -> Signed:
        """Sign an account in through a contract: remember the login, and make its token."""
        lifetime = self._lifetimes[origin]
        session_id = secrets.token_urlsafe(16)
        await self._chat.do(OpenSession(account.id, session_id, origin, lifetime))
        return Signed(self._tokens.mint(account, session_id, lifetime), lifetime)

    async def authenticate(self, token: str) -> Login:
        """Find who a token stands for; refuses as unauthenticated when it is bad or its session has ended."""
        return await self._login(self._tokens.verify(token))

    def ticket(self, login: Login, dialect: str, lifetime: int) -> str:
        """Make a ticket that opens one dialect for some seconds, as often as it is shown."""
        return self._tokens.mint_ticket(login.account.id, login.session_id, dialect, lifetime)

    async def admit(self, ticket: str, dialect: str) -> Login:
        """Find who a ticket for a dialect stands for; refuses like `authenticate`."""
        return await self._login(self._tokens.verify_ticket(ticket, dialect))

    async def signed_in(self, username: str) -> Login:
        """Find whom a name stands for, while a login of theirs is good; refuses like `authenticate`."""
        account = await self.by_name(username)
        session = await self._chat.read(read.longest_session, account.id) if account else None
        if account is None or session is None or session.expires_at < time.time() * 1_000_000:
            raise ChatError(Code.UNAUTHENTICATED, "Nobody of this name is signed in.")
        return Login(account, session.id, session.expires_at // 1_000_000)

    async def _login(self, claims: Claims) -> Login:
        found = await self._chat.read(read.session, claims.session_id)
        if found is None or found[1].id != claims.account_id or found[0].expires_at < time.time() * 1_000_000:
            raise ChatError(Code.UNAUTHENTICATED, "The session has ended.")
        return Login(found[1], claims.session_id, claims.expires_at)

    async def sign_out(self, login: Login) -> None:
        """End a session; its sockets are closed."""
        await self._chat.do(EndSession(login.account.id, login.session_id))

    async def change_password(self, login: Login, old: str, new: str, address: str) -> None:
        """Change the password and end all other sessions; refuses when the old one is wrong."""
        await self.check_password(old, address, username=login.account.username)
        hashed = await self._passwords.hash(new)
        await self._chat.do(SetPassword(login.account.id, hashed, keep_session=login.session_id))

    async def everybody(self, after: int, limit: int) -> list[Account]:
        """Look at who there is, by id."""
        return await self._chat.read(read.accounts, after, limit)

    async def by_id(self, account_id: int) -> Account | None:
        """Look an account up."""
        return await self._chat.read(read.account_by_id, account_id)

    async def by_name(self, username: str) -> Account | None:
        """Look an account up by its username."""
        found = await self._find(username, None)
        return found[0] if found else None
