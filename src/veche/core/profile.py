"""What people change of their own account: its names, its e-mail, and whether it hides what it reads."""

from typing import ClassVar

from msgspec.structs import replace

from veche.core.accounts import (
    ACCOUNTS,
    EMAILS,
    PASSWORDS,
    AccountRenamed,
    account_of,
    ask_whether_taken,
    is_taken,
)
from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.effects import Renamed
from veche.core.errors import ChatError, Code
from veche.core.event import Event, LogEvent
from veche.core.facts import Needs, Rows
from veche.core.names import (
    MAX_EMAIL,
    RESERVED_WORDS,
    Reserved,
    check_display_name,
    check_name,
    check_username,
    handle_of,
    normal_form,
)
from veche.core.state import HEADS, State
from veche.core.values import Account, Person, account_log


class ProfileChanged(Event, frozen=True, gc=False):
    """An account changed its name, its e-mail or whether it hides what it reads. `account` is as after the change."""

    account: Account
    old_email: str | None

    def apply(self, rows: Rows) -> None:
        account = self.account
        rows.put(ACCOUNTS, account.id, account)
        if self.old_email is not None:
            rows.remove(EMAILS, self.old_email.casefold())
        if account.email is not None:
            rows.put(EMAILS, account.email.casefold(), account.id)


class AccountChanged(LogEvent, frozen=True, gc=False):
    """The account has another username, name or e-mail, or shows or hides what it reads. The event is in its own log.

    `person` has the names. The e-mail is not in the log, because the log is kept.
    """

    kind: ClassVar[str] = "account"
    person: Person

    def effects(self) -> tuple[Renamed]:
        return (Renamed(-self.log_id, self.person),)


class RenameAccount(Command[Account], frozen=True, gc=False):
    """Change the username of the actor's account. If the name equals the username, the name changes too."""

    username: str
    reserved: Reserved = RESERVED_WORDS

    def check(self) -> None:
        check_username(normal_form(self.username))

    def needs(self, actor: Actor, needs: Needs) -> None:
        needs.ask(ACCOUNTS, actor.account_id)
        needs.ask(HEADS, account_log(actor.account_id))
        ask_whether_taken(needs, normal_form(self.username))

    def decide(self, actor: Actor, state: State) -> Account:
        account, username = account_of(state, actor.account_id), normal_form(self.username)
        if is_taken(state, username, self.reserved, account.id):
            raise ChatError(Code.TAKEN, "This username is taken.", field="username")
        name = username if account.name == account.username else account.name
        renamed = replace(account, username=username, handle=handle_of(username), name=name)
        if renamed != account:
            own = account_log(account.id)
            state.record(AccountRenamed(account, renamed))
            state.record(AccountChanged(own, state.next_seq(own), state.now, renamed.person))
        return renamed


class ChangeProfile(Command[Account], frozen=True, gc=False):
    """Change the name or the e-mail of the actor's account, or whether it hides what it reads. None changes nothing.

    `password_hash` is the hash that the password was checked against. An e-mail needs one: whoever can read the e-mail
    may get into the account one day. If all is as it was, nothing changes.
    """

    name: str | None = None
    email: str | None = None
    password_hash: str | None = None
    reserved: Reserved = RESERVED_WORDS
    hides_reading: bool | None = None

    def check(self) -> None:
        if self.name is not None:
            check_display_name(self.name, self.reserved)
        check_name(self.email or "", "email", MAX_EMAIL)

    def needs(self, actor: Actor, needs: Needs) -> None:
        needs.ask(ACCOUNTS, actor.account_id)
        needs.ask(HEADS, account_log(actor.account_id))
        if self.email is not None:
            needs.ask(PASSWORDS, actor.account_id)
            needs.ask(EMAILS, self.email.casefold())

    def decide(self, actor: Actor, state: State) -> Account:
        account = account_of(state, actor.account_id)
        changed = replace(
            account,
            name=account.name if self.name is None else self.name,
            email=account.email if self.email is None else self.email,
            hides_reading=account.hides_reading if self.hides_reading is None else self.hides_reading,
        )
        if self.email is not None:
            self._check_email(state, account, self.email)
        if changed != account:
            own = account_log(account.id)
            state.record(ProfileChanged(changed, account.email))
            state.record(AccountChanged(own, state.next_seq(own), state.now, changed.person))
        return changed

    def _check_email(self, state: State, account: Account, email: str) -> None:
        if self.password_hash is None or state.get(PASSWORDS, account.id) != self.password_hash:
            raise ChatError(Code.WRONG_CREDENTIALS, "Unknown user or wrong password.", reason="password")
        if state.get(EMAILS, email.casefold()) not in (None, account.id):
            raise ChatError(Code.TAKEN, "This e-mail has an account.", field="email")
