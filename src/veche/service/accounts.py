"""Accounts, sessions and tokens, for every dialect. Each dialect checks its own rules for names and passwords."""

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from veche.core.accounts import Register
from veche.core.actor import Actor, Party
from veche.core.closing import DeleteAccount
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.names import MAX_EMAIL, RESERVED_WORDS, Reserved, handle_of
from veche.core.profile import ChangeProfile, RenameAccount
from veche.core.sessions import EndSession, EndSessions, OpenSession, RevokeSession, SetPassword
from veche.core.values import Account
from veche.service.chat import Chat
from veche.service.limits import AddressLimit, Limit, LoginLimits
from veche.service.passwords import Passwords
from veche.service.tokens import Claims, Tokens
from veche.storage import accounts, sessions
from veche.wire.proxy import network

logger = logging.getLogger("veche.accounts")

MAX_NAME = MAX_EMAIL  # no account has a longer username; to normalize a huge one could take a second


class Login(NamedTuple):
    """An authenticated client: its account, and the actor for its commands."""

    account: Account
    actor: Actor
    expires_at: int  # seconds since 1970

    @property
    def session_id(self) -> str:
        return self.actor.session_id


class Verified(NamedTuple):
    """An account whose password was checked, and the hash that it was checked against."""

    account: Account
    password_hash: str


class IssuedToken(NamedTuple):
    """A new token and its lifetime in seconds."""

    token: str
    expires_in: int


class Accounts:
    """Registers and finds accounts, and opens, checks and ends their sessions.

    `lifetimes`: the lifetime of a token in seconds, by the dialect that issues it. `registrations`: how many accounts
    an address may make. `reserved`: names that nobody may take.
    """

    def __init__(
        self,
        chat: Chat,
        tokens: Tokens,
        passwords: Passwords,
        limits: LoginLimits,
        lifetimes: Mapping[str, int],
        registrations: AddressLimit,
        reserved: Reserved = RESERVED_WORDS,
    ) -> None:
        self._chat = chat
        self._tokens = tokens
        self._passwords = passwords
        self._limits = limits
        self._lifetimes = lifetimes
        self._registrations = registrations
        self.reserved = reserved
        self.limits: dict[str, Limit] = {**limits.limits, "registrations": registrations}

    async def register(
        self,
        guest: Actor,
        password: str,
        *,
        username: str | None = None,
        email: str | None = None,
        name: str | None = None,
    ) -> Verified:
        """Create an account.

        Raises ChatError: TAKEN if another account has the name or the e-mail, RATE_LIMITED if the guest's address has
        registered too often, or OVERLOADED.
        """
        hashed = await self._hash_for_registration(guest, password)
        command = Register(hashed, username=username, email=email, name=name, reserved=self.reserved)
        account = await self._chat.do(guest, command)
        _log(logging.INFO, "account %d was registered", account.id, guest)
        return Verified(account, hashed)

    async def _hash_for_registration(self, guest: Actor, password: str) -> str:
        """Hash a password. Counts a registration of the address, unless nothing was hashed."""
        who = network(guest.address)
        self._registrations.take(who)
        try:
            return await self._passwords.hash(password, who)
        except ChatError:
            self._registrations.add(who, -1)
            raise

    async def rename(self, login: Login, username: str) -> Account:
        """Change the username of an account. Raises ChatError (TAKEN) if another account has a name like it."""
        return await self._chat.do(login.actor, RenameAccount(username, self.reserved))

    async def check_password(
        self, guest: Actor, password: str, *, username: str | None = None, email: str | None = None
    ) -> Verified:
        """Return the account with this name or e-mail if the password is right.

        Raises ChatError: WRONG_CREDENTIALS, RATE_LIMITED, or OVERLOADED. The check is delayed if there were many wrong
        passwords for this account.
        """
        address = guest.address
        found = await self._find(guest.party, username, email)
        key = _counted_as(found[0] if found else None, username, email)
        if (wait := self._limits.admit(address, key)) > 0:
            await asyncio.sleep(wait)
        hashed = found[1] if found else None
        right = await self._passwords.verify(password, hashed, network(address)) and found is not None
        _log_wrong_password(found[0] if found else None, guest, right=right)
        self._limits.record(address, key, right=right)
        if found is None or not right:
            reason = "password" if found else "unknown"
            raise ChatError(Code.WRONG_CREDENTIALS, "Unknown user or wrong password.", reason=reason)
        return Verified(*found)

    async def _find(self, by: Party, username: str | None, email: str | None) -> tuple[Account, str] | None:
        if len(username or email or "") > MAX_NAME:
            return None
        try:
            return await self._chat.read(by, accounts.credentials, username=username, email=email)
        except UnicodeError:  # a lone surrogate, which no account's name contains
            return None

    async def open_session(self, guest: Actor, verified: Verified, device: str | None = None) -> IssuedToken:
        """Store a new session of an account, and issue its token. Its lifetime is that of the guest's dialect.

        `device` is a name by which the owner of the account knows it again.

        Raises ChatError (WRONG_CREDENTIALS) if the password was changed after it was checked, or if the account is
        closed.
        """
        lifetime = self._lifetimes[guest.dialect]
        session_id = secrets.token_urlsafe(16)
        await self.store_session(guest, verified, OpenSession(session_id, lifetime, verified.password_hash, device))
        return IssuedToken(self._tokens.mint(verified.account, session_id, lifetime), lifetime)

    async def store_session(self, guest: Actor, verified: Verified, command: Command[None]) -> None:
        """Store a new session of an account by this command. Raises ChatError as `open_session` does."""
        account = verified.account
        try:
            await self._chat.do(msgspec.structs.replace(guest, account_id=account.id), command)
        except ChatError as refusal:
            if refusal.code is Code.WRONG_CREDENTIALS:
                _log(
                    logging.WARNING, "account %d is closed, or has another password now: no session", account.id, guest
                )
            raise
        _log(logging.INFO, "account %d signed in", account.id, guest)

    async def authenticate(self, guest: Actor, token: str) -> Login:
        """Return the login of a token. Raises ChatError (UNAUTHENTICATED) if it is invalid or its session has ended."""
        return await self._login(guest, self._tokens.verify(token))

    def ticket(self, login: Login, purpose: str, lifetime: int) -> str:
        """Return a ticket for one purpose. It is valid for `lifetime` seconds, and may be used several times."""
        return self._tokens.mint_ticket(login.account.id, login.session_id, purpose, lifetime)

    async def authenticate_ticket(self, guest: Actor, ticket: str, purpose: str) -> Login:
        """Return the login of a ticket for a purpose. Raises ChatError (UNAUTHENTICATED) as `authenticate` does."""
        return await self._login(guest, self._tokens.verify_ticket(ticket, purpose))

    async def login_by_name(self, guest: Actor, username: str) -> Login:
        """Return a login for a username alone, without a token. It uses the session of the account that expires last.

        Raises ChatError (UNAUTHENTICATED) if there is no such account, or if it has no session.
        """
        account = await self.by_name(guest.party, username)
        session = await self._chat.read(guest.party, sessions.longest_session, account.id) if account else None
        if account is None or session is None or session.expires_at < time.time() * 1_000_000:
            raise ChatError(Code.UNAUTHENTICATED, "Nobody of this name is signed in.")
        return _login(guest, account, session.id, session.expires_at // 1_000_000)

    async def _login(self, guest: Actor, claims: Claims) -> Login:
        found = await self._chat.read(claims.account_id, sessions.session_with_account, claims.session_id)
        if found is None or found[1].id != claims.account_id or found[0].expires_at < time.time() * 1_000_000:
            raise ChatError(Code.UNAUTHENTICATED, "The session has ended.")
        return _login(guest, found[1], claims.session_id, claims.expires_at)

    async def sign_out(self, login: Login) -> None:
        """End the session of a login. Its connections are closed."""
        await self._chat.do(login.actor, EndSession(login.session_id))
        _log(logging.INFO, "account %d signed out", login.account.id, login.actor)

    async def end_session(self, login: Login, session_id: str) -> None:
        """End one session of the account, if it is there. Its connections are closed."""
        await self._chat.do(login.actor, RevokeSession(session_id))
        _log(logging.INFO, "account %d ended a session", login.account.id, login.actor)

    async def end_other_sessions(self, login: Login) -> None:
        """End all sessions of the account but that of the login. Their connections are closed."""
        await self._chat.do(login.actor, EndSessions(kept=login.session_id))
        _log(logging.INFO, "account %d ended all its other sessions", login.account.id, login.actor)

    async def change_password(self, login: Login, old: str, new: str) -> None:
        """Change the password, and end all other sessions of the account.

        Raises ChatError as `check_password` does, for example if `old` is wrong.
        """
        verified = await self.check_password(login.actor, old, username=login.account.username)
        hashed = await self._passwords.hash(new, network(login.actor.address), registers=False)
        await self._chat.do(login.actor, SetPassword(hashed, verified.password_hash, login.session_id))
        _log(logging.INFO, "account %d changed its password", login.account.id, login.actor)

    async def delete(self, login: Login, password: str) -> None:
        """Delete the account, and end all its sessions. Its messages stay, without its name.

        Raises ChatError as `check_password` does.
        """
        verified = await self.check_password(login.actor, password, username=login.account.username)
        await self._chat.do(login.actor, DeleteAccount(verified.password_hash))
        _log(logging.INFO, "account %d was deleted by its owner", login.account.id, login.actor)

    async def change_profile(
        self,
        login: Login,
        *,
        name: str | None = None,
        email: str | None = None,
        password: str | None = None,
        hides_reading: bool | None = None,
    ) -> Account:
        """Change what `ChangeProfile` changes of an account. Return the account after the change.

        A new e-mail needs the password. Raises ChatError as `check_password` does, and TAKEN.
        """
        account, checked = login.account, None
        if email is not None and email != account.email:
            checked = (await self.check_password(login.actor, password or "", username=account.username)).password_hash
        new_email = email if checked is not None else None
        command = ChangeProfile(name, new_email, checked, self.reserved, hides_reading)
        return await self._chat.do(login.actor, command)

    async def list_accounts(self, by: Party, after: int, limit: int) -> list[Account]:
        """Return up to `limit` accounts with an id above `after`, ordered by id. Built-in accounts are left out."""
        found = await self._chat.read(by, accounts.list_accounts, after, limit)
        self._chat.charge(by, len(found))
        return found

    async def by_id(self, by: Party, account_id: int) -> Account | None:
        return await self._chat.read(by, accounts.account_by_id, account_id)

    async def by_name(self, by: Party, username: str) -> Account | None:
        found = await self._find(by, username, None)
        return found[0] if found else None


def _counted_as(account: Account | None, username: str | None, email: str | None) -> str:
    """Return the key under which tries to sign in are counted: one for an account, by whatever name it is tried.

    A name without an account is counted too, so that delays do not tell whether there is one.
    """
    if account is not None:
        return f"\0{account.id}"
    name = (username if username is not None else email or "")[: MAX_NAME + 1]
    return handle_of(name) if username is not None else name.casefold()


def _login(guest: Actor, account: Account, session_id: str, expires_at: int) -> Login:
    return Login(account, msgspec.structs.replace(guest, account_id=account.id, session_id=session_id), expires_at)


def _log_wrong_password(account: Account | None, guest: Actor, *, right: bool) -> None:
    """Log a wrong password. A name that no account has is not logged: people type passwords into the wrong field."""
    if account is None:
        _log(logging.WARNING, "a wrong password for a name that no account has", None, guest)
    elif not right:
        _log(logging.WARNING, "a wrong password for account %d", account.id, guest)


def _log(level: int, text: str, account_id: int | None, actor: Actor) -> None:
    """Log what an account did. The line has its id and its address, but neither its name nor its e-mail."""
    address = actor.address or "unix"
    values = (address, actor.dialect) if account_id is None else (account_id, address, actor.dialect)
    fields = {"account": account_id, "client": address, "dialect": actor.dialect}
    logger.log(level, f"{text} from %s (%s)", *values, extra={"fields": fields})  # noqa: G004
