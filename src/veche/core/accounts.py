"""Accounts: registering, and changing the username. Commands contain password hashes, never passwords."""

from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.event import Event
from veche.core.facts import Fact, Needs, Rows
from veche.core.state import HEADS, State
from veche.core.text import MAX_EMAIL, RESERVED_HANDLES, check_name, handle_of
from veche.core.values import RESERVED_IDS, Account, Head, account_log

ACCOUNTS: Fact[int, Account] = Fact("accounts")
HANDLES: Fact[str, int] = Fact("handles")  # by handle: the id of the account that has it
EMAILS: Fact[str, int] = Fact("emails")  # by casefolded e-mail: the id of the account that has it
PASSWORDS: Fact[int, str] = Fact("passwords")  # by account: the hash of its password

ACCOUNT_IDS = "accounts"
NUMBERED = range(2, 10)  # tried first if `ann` is taken: `ann2` to `ann9`
MAX_DIGITS = 12  # of the longest number that is tried


def account_of(state: State, account_id: int) -> Account:
    """Return an account. Raises ChatError (NOT_FOUND) if there is none, or if it is built in."""
    if account_id >= RESERVED_IDS:
        raise ChatError(Code.NOT_FOUND, "No such account.", what="account")
    return sender_of(state, account_id)


def sender_of(state: State, account_id: int) -> Account:
    """Return an account, built in or not. Both kinds may send messages.

    Raises ChatError (NOT_FOUND) if there is none.
    """
    if (account := state.get(ACCOUNTS, account_id)) is None:
        raise ChatError(Code.NOT_FOUND, "No such account.", what="account")
    return account


class AccountRegistered(Event, frozen=True, gc=False):
    """An account was created."""

    account: Account
    password_hash: str

    def apply(self, rows: Rows) -> None:
        account = self.account
        rows.put(ACCOUNTS, account.id, account)
        rows.put(HEADS, account_log(account.id), Head())
        rows.put(HANDLES, account.handle, account.id)
        rows.put(PASSWORDS, account.id, self.password_hash)
        if account.email is not None:
            rows.put(EMAILS, account.email.casefold(), account.id)


class AccountRenamed(Event, frozen=True, gc=False):
    """An account changed its username. `account` is the account after the change."""

    account: Account
    old_handle: str

    def apply(self, rows: Rows) -> None:
        rows.remove(HANDLES, self.old_handle)
        rows.put(ACCOUNTS, self.account.id, self.account)
        rows.put(HANDLES, self.account.handle, self.account.id)


class Register(Command[Account], frozen=True, gc=False):
    """Create an account.

    If no username is given, it and the handle are made from the part of the e-mail before the @.
    """

    password_hash: str
    username: str | None = None
    email: str | None = None
    name: str | None = None

    def check(self) -> None:
        check_name(self.username or "", "username")
        check_name(self.name or "", "name")
        check_name(self.email or "", "email", MAX_EMAIL)

    def needs(self, actor: Actor, needs: Needs) -> None:
        for handle in self._handles():
            needs.ask(HANDLES, handle)
        if self.email is not None:
            needs.ask(EMAILS, self.email.casefold())

    def decide(self, actor: Actor, state: State) -> Account:
        if self.email is not None and state.get(EMAILS, self.email.casefold()) is not None:
            raise ChatError(Code.TAKEN, "This e-mail has an account.", field="email")
        handle = next((handle for handle in self._handles() if not _is_taken(state, handle)), None)
        if handle is None:
            raise ChatError(Code.TAKEN, "This username is taken.", field="username")
        username = self.username if self.username is not None else handle
        name = self.name if self.name is not None else username
        account = Account(state.new_id(ACCOUNT_IDS), username, handle, name, self.email, state.now)
        state.record(AccountRegistered(account, self.password_hash))
        return account

    def _handles(self) -> Iterator[str]:
        """Yield the handles to try, in order: only that of the username, or `ann`, `ann2`, ... if there is none."""
        if self.username is not None:
            yield handle_of(self.username)
            return
        email = self.email or ""
        base = handle_of(email.rpartition("@")[0])
        yield base
        for number in NUMBERED:
            yield f"{base}{number}"
        # Then try numbers made from a hash, one of each length. To search for the first free number would take longer
        # with every `ann` that has registered (docs/decisions/0007).
        hashed = int.from_bytes(blake2b(email.encode("utf-8", "surrogatepass"), digest_size=8).digest())
        for length in range(3, MAX_DIGITS + 1):
            yield f"{base}{10 ** (length - 1) + hashed % (9 * 10 ** (length - 1))}"


class RenameAccount(Command[Account], frozen=True, gc=False):
    """Change the username of the actor's account. If the name equals the username, the name changes too."""

    username: str

    def check(self) -> None:
        check_name(self.username, "username")

    def needs(self, actor: Actor, needs: Needs) -> None:
        needs.ask(ACCOUNTS, actor.account_id)
        needs.ask(HANDLES, handle_of(self.username))

    def decide(self, actor: Actor, state: State) -> Account:
        account = account_of(state, actor.account_id)
        handle = handle_of(self.username)
        if handle != account.handle and _is_taken(state, handle):
            raise ChatError(Code.TAKEN, "This username is taken.", field="username")
        name = self.username if account.name == account.username else account.name
        renamed = msgspec.structs.replace(account, username=self.username, handle=handle, name=name)
        state.record(AccountRenamed(renamed, account.handle))
        return renamed


def _is_taken(state: State, handle: str) -> bool:
    return state.get(HANDLES, handle) is not None or handle in RESERVED_HANDLES
