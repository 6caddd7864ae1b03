"""Accounts: registering, and what is known of them. Commands contain password hashes, never passwords."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import TypeAlias

from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.event import Event
from veche.core.facts import Fact, Needs, Rows
from veche.core.names import (
    MAX_EMAIL,
    MAX_NAME,
    RESERVED_WORDS,
    Reserved,
    check_display_name,
    check_name,
    check_username,
    gone_key,
    handle_of,
    normal_form,
    skeleton_of,
)
from veche.core.state import HEADS, State
from veche.core.values import RESERVED_IDS, Account, Closed, Head, account_log

ACCOUNTS: Fact[int, Account] = Fact("accounts")
HANDLES: Fact[str, int] = Fact("handles")  # by handle: the id of the account that has it
GONE: Fact[str, int] = Fact("gone handles")  # by `gone_key` of a handle: the deleted account that had it
SkeletonKey: TypeAlias = tuple[str, bool]
"""A skeleton, and whether the usernames that have it are ASCII."""
SKELETONS: Fact[SkeletonKey, tuple[int, ...]] = Fact("skeletons")  # ids of some accounts, if any has such a username
EMAILS: Fact[str, int] = Fact("emails")  # by casefolded e-mail: the id of the account that has it
PASSWORDS: Fact[int, str] = Fact("passwords")  # by account: the hash of its password
CLOSED: Fact[int, Closed] = Fact("closed")  # by account: since when nobody can sign in to it

ACCOUNT_IDS = "accounts"
NAMELESS = "user"  # tried if the e-mail makes no username
NUMBERED = range(2, 10)  # tried first if `ann` is taken: `ann2` to `ann9`
MAX_DIGITS = 12  # of the longest number that is tried


def no_such_account() -> ChatError:
    """Return the refusal for an id that is nobody's."""
    return ChatError(Code.NOT_FOUND, "No such account.", what="account")


def account_of(state: State, account_id: int) -> Account:
    """Return an account. Raises ChatError (NOT_FOUND) if there is none, or if it is built in."""
    if account_id >= RESERVED_IDS:
        raise no_such_account()
    return sender_of(state, account_id)


def sender_of(state: State, account_id: int) -> Account:
    """Return an account, built in or not. Both kinds may send messages.

    Raises ChatError (NOT_FOUND) if there is none.
    """
    if (account := state.get(ACCOUNTS, account_id)) is None:
        raise no_such_account()
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
        _add_skeleton(rows, account)
        rows.put(PASSWORDS, account.id, self.password_hash)
        if account.email is not None:
            rows.put(EMAILS, account.email.casefold(), account.id)


class AccountRenamed(Event, frozen=True, gc=False):
    """An account changed its username. `old` and `account` are the account before and after the change."""

    old: Account
    account: Account

    def apply(self, rows: Rows) -> None:
        change_username(rows, self.old, self.account)


def change_username(rows: Rows, old: Account, account: Account) -> None:
    """Put an account in the place of `old`, whose username is free from now on. Only `Event.apply` may use this."""
    rows.remove(HANDLES, old.handle)
    rows.put(ACCOUNTS, account.id, account)
    rows.put(HANDLES, account.handle, account.id)
    key = skeleton_key(old.username)
    if (ids := rows.peek(SKELETONS, key)) is not None:
        rows.put(SKELETONS, key, tuple(id for id in ids if id != old.id))
    _add_skeleton(rows, account)


def skeleton_key(username: str) -> SkeletonKey:
    """Return the key under which `SKELETONS` has the account of a username."""
    return skeleton_of(username), username.isascii()


def _add_skeleton(rows: Rows, account: Account) -> None:
    key = skeleton_key(account.username)
    rows.put(SKELETONS, key, (*(rows.peek(SKELETONS, key) or ()), account.id))


class Register(Command[Account], frozen=True, gc=False):
    """Create an account.

    If no username is given, it is made from the part of the e-mail before the @.
    """

    password_hash: str
    username: str | None = None
    email: str | None = None
    name: str | None = None
    reserved: Reserved = RESERVED_WORDS

    def check(self) -> None:
        if self.username is not None:
            check_username(normal_form(self.username))
        if self.name is not None:
            check_display_name(self.name, self.reserved)
        check_name(self.email or "", "email", MAX_EMAIL)

    def needs(self, actor: Actor, needs: Needs) -> None:
        for username in self._usernames():
            ask_whether_taken(needs, username)
        if self.email is not None:
            needs.ask(EMAILS, self.email.casefold())

    def decide(self, actor: Actor, state: State) -> Account:
        if self.email is not None and state.get(EMAILS, self.email.casefold()) is not None:
            raise ChatError(Code.TAKEN, "This e-mail has an account.", field="email")
        username = next((name for name in self._usernames() if not is_taken(state, name, self.reserved)), None)
        if username is None:
            raise ChatError(Code.TAKEN, "This username is taken.", field="username")
        name = self.name if self.name is not None else username
        account = Account(state.new_id(ACCOUNT_IDS), username, handle_of(username), name, self.email, state.now)
        state.record(AccountRegistered(account, self.password_hash))
        return account

    def _usernames(self) -> Iterator[str]:
        """Yield the usernames to try, in order: only the one that is given, or else `ann`, `ann2`, ..."""
        if self.username is not None:
            yield normal_form(self.username)
            return
        email = self.email or ""
        base = _username_of(email)
        yield base
        for number in NUMBERED:
            yield f"{base}{number}"
        # Then try numbers made from a hash, one of each length. To search for the first free number would take longer
        # with every `ann` that has registered (docs/decisions/0007).
        hashed = int.from_bytes(blake2b(email.encode("utf-8", "surrogatepass"), digest_size=8).digest())
        for length in range(3, MAX_DIGITS + 1):
            yield f"{base}{10 ** (length - 1) + hashed % (9 * 10 ** (length - 1))}"


def _username_of(email: str) -> str:
    """Return the username that an e-mail makes, without a number. It keeps the rule of usernames."""
    username = handle_of(email.rpartition("@")[0])[: MAX_NAME - MAX_DIGITS]
    try:
        check_username(username)
    except ChatError:
        return NAMELESS
    return username


def ask_whether_taken(needs: Needs, username: str) -> None:
    """Ask for the rows that `is_taken` reads. `username` is in its normal form."""
    needs.ask(HANDLES, handle_of(username))
    needs.ask(GONE, gone_key(handle_of(username)))
    for key in _lookalikes(username):
        needs.ask(SKELETONS, key)


def _lookalikes(username: str) -> list[SkeletonKey]:
    """Return the keys of the usernames that look like this one. Two that are ASCII are never taken for each other."""
    skeleton = skeleton_of(username)
    return [(skeleton, False)] if username.isascii() else [(skeleton, False), (skeleton, True)]


def is_taken(state: State, username: str, reserved: Reserved, own_id: int | None = None) -> bool:
    """Return whether a username is reserved, or is or looks like that of an account other than `own_id`.

    What was the username of a deleted account is taken, too.
    """
    handle = handle_of(username)
    holders: set[int | None] = {state.get(HANDLES, handle), state.get(GONE, gone_key(handle))}
    for key in _lookalikes(username):
        if (ids := state.get(SKELETONS, key)) is not None:
            holders.update(ids)
    return bool(holders - {None, own_id}) or username in reserved
