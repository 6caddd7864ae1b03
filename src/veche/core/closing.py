"""Closing accounts: an operator disables, enables or deletes them. Nobody can sign in to a closed account.

The messages of a deleted account stay, with an author that tells nothing (docs/decisions/0020).
"""

from collections.abc import Iterator

import msgspec

from veche.core.accounts import (
    CLOSED,
    EMAILS,
    GONE,
    PASSWORDS,
    account_of,
    ask_whether_taken,
    change_username,
    is_taken,
)
from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.event import Event
from veche.core.facts import Needs, Rows
from veche.core.names import RESERVED_WORDS, gone_key
from veche.core.rooms import ask_accounts
from veche.core.sessions import PasswordChanged, SessionsEnded, account_with_password
from veche.core.state import State
from veche.core.values import Account, Closed, account_log

DELETED_NAME = "Deleted account"
NO_HASH = ""  # no password has it
NUMBERED = range(2, 10)  # tried if somebody has the username `deleted-7`: `deleted-7-2` to `deleted-7-9`


class AccountDisabled(Event, frozen=True, gc=False):
    """Nobody can sign in to an account any more, until it is enabled."""

    account_id: int
    closed: Closed

    def apply(self, rows: Rows) -> None:
        rows.put(CLOSED, self.account_id, self.closed)


class AccountEnabled(Event, frozen=True, gc=False):
    """Its owner can sign in to an account again."""

    account_id: int

    def apply(self, rows: Rows) -> None:
        rows.remove(CLOSED, self.account_id)


class AccountDeleted(Event, frozen=True, gc=False):
    """An account lost its names and its e-mail. `old` and `account`: before and after that."""

    old: Account
    account: Account
    closed: Closed

    def apply(self, rows: Rows) -> None:
        change_username(rows, self.old, self.account)
        if self.old.email is not None:
            rows.remove(EMAILS, self.old.email.casefold())
        rows.put(CLOSED, self.account.id, self.closed)
        rows.put(GONE, gone_key(self.old.handle), self.account.id)


class DisableAccount(Command[None], frozen=True, gc=False):
    """Let nobody sign in to the actor's account, and end its sessions. Again, this only ends sessions."""

    def needs(self, actor: Actor, needs: Needs) -> None:
        _ask(needs, actor.account_id)

    def decide(self, actor: Actor, state: State) -> None:
        account = _not_deleted(state, actor.account_id)
        if state.get(CLOSED, account.id) is None:
            state.record(AccountDisabled(account.id, Closed(state.now)))
        _end_sessions(state, account.id)


class EnableAccount(Command[None], frozen=True, gc=False):
    """Let the owner of the actor's account sign in again. If it is not disabled, nothing happens."""

    def needs(self, actor: Actor, needs: Needs) -> None:
        _ask(needs, actor.account_id)

    def decide(self, actor: Actor, state: State) -> None:
        account = _not_deleted(state, actor.account_id)
        if state.get(CLOSED, account.id) is not None:
            state.record(AccountEnabled(account.id))


class DeleteAccount(Command[Account], frozen=True, gc=False):
    """Take the names, the e-mail and the password from the actor's account, and end its sessions.

    The account, its memberships and its messages stay, and nobody else gets its username. The answer is the account
    as it is now. `old_hash` is the hash that the password was checked against. It is None if an operator deletes the
    account.
    """

    old_hash: str | None = None

    def needs(self, actor: Actor, needs: Needs) -> None:
        _ask(needs, actor.account_id)
        if self.old_hash is not None:
            needs.ask(PASSWORDS, actor.account_id)
        for username in _usernames(actor.account_id):
            ask_whether_taken(needs, username)

    def decide(self, actor: Actor, state: State) -> Account:
        account = _not_deleted(state, actor.account_id)
        account_with_password(state, account.id, self.old_hash)
        usernames = _usernames(account.id)
        username = next((name for name in usernames if not is_taken(state, name, RESERVED_WORDS)), None)
        if username is None:
            raise ChatError(Code.TAKEN, f"Somebody has the username deleted-{account.id}.", field="username")
        deleted = msgspec.structs.replace(account, username=username, handle=username, name=DELETED_NAME, email=None)
        state.record(AccountDeleted(account, deleted, Closed(state.now, deleted=True)))
        state.record(PasswordChanged(account.id, NO_HASH))
        _end_sessions(state, account.id)
        return deleted


def _ask(needs: Needs, account_id: int) -> None:
    """Ask for an account. Its own log is locked, so that of two commands that close or open it one comes first."""
    ask_accounts(needs, account_id)
    needs.ask(CLOSED, account_id)


def _usernames(account_id: int) -> Iterator[str]:
    yield f"deleted-{account_id}"
    for number in NUMBERED:
        yield f"deleted-{account_id}-{number}"


def _not_deleted(state: State, account_id: int) -> Account:
    account = account_of(state, account_id)
    if (closed := state.get(CLOSED, account_id)) is not None and closed.deleted:
        raise ChatError(Code.INVALID, "This account has been deleted.")
    return account


def _end_sessions(state: State, account_id: int) -> None:
    log_id = account_log(account_id)
    state.record(SessionsEnded(log_id, state.next_seq(log_id), state.now))
