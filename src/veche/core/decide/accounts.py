"""Who there is: accounts and their sessions. Passwords arrive as hashes."""

from itertools import count

import msgspec

from veche.core.accounts import Account, Session
from veche.core.commands import EndSession, OpenSession, Register, RenameAccount, SetPassword
from veche.core.errors import ChatError, Code
from veche.core.events import AccountRegistered, AccountRenamed, PasswordChanged, SessionOpened, SessionsEnded
from veche.core.needs import Needs
from veche.core.rooms import account_log
from veche.core.state import State
from veche.core.text import MAX_EMAIL, RESERVED_HANDLES, check_name, handle_of


def check_register(command: Register) -> None:
    """Refuse names that hide what they are."""
    check_name(command.username or "", "username")
    check_name(command.name or "", "name")
    check_name(command.email or "", "email", MAX_EMAIL)


def needs_register(needs: Needs, command: Register) -> None:
    """The handles like the one that is asked for, and the e-mail."""
    needs.handles.add(_handle_base(command.username, command.email))
    if command.email is not None:
        needs.emails.add(command.email.casefold())
    needs.account_ids = True


def register(state: State, command: Register, at: int) -> Account:
    """Make an account; a handle made from an e-mail gets a number when it is taken (`ann`, `ann2`)."""
    username, email = command.username, command.email
    if email is not None and email.casefold() in state.emails:
        raise ChatError(Code.TAKEN, "This e-mail has an account.", field="email")
    handle = _handle_base(username, email)
    if username is None:
        handle = username = _free_handle(state, handle)
    elif _is_taken(state, handle):
        raise ChatError(Code.TAKEN, "This username is taken.", field="username")
    name = command.name if command.name is not None else username
    account = Account(state.next_account_id, username, handle, name, email, at)
    state.record(AccountRegistered(account, command.password_hash))
    return account


def _handle_base(username: str | None, email: str | None) -> str:
    return handle_of(username if username is not None else (email or "").rpartition("@")[0])


def _is_taken(state: State, handle: str) -> bool:
    return handle in state.handles or handle in RESERVED_HANDLES


def _free_handle(state: State, base: str) -> str:
    if not _is_taken(state, base):
        return base
    return next(handle for n in count(2) if not _is_taken(state, handle := f"{base}{n}"))


def check_rename_account(command: RenameAccount) -> None:
    """Refuse names that hide what they are."""
    check_name(command.username, "username")


def needs_rename_account(needs: Needs, command: RenameAccount) -> None:
    """The account, and the handle that is asked for."""
    needs.accounts.add(command.by)
    needs.handles.add(handle_of(command.username))


def rename_account(state: State, command: RenameAccount, at: int) -> Account:
    """Take another username; its own in another spelling is free for the one who has it."""
    account = state.account(command.by)
    handle = handle_of(command.username)
    if handle != account.handle and _is_taken(state, handle):
        raise ChatError(Code.TAKEN, "This username is taken.", field="username")
    name = command.username if account.name == account.username else account.name
    renamed = msgspec.structs.replace(account, username=command.username, handle=handle, name=name)
    state.record(AccountRenamed(renamed))
    return renamed


def needs_set_password(needs: Needs, command: SetPassword) -> None:
    """The account and its log."""
    needs.accounts.add(command.by)
    needs.heads.add(account_log(command.by))


def set_password(state: State, command: SetPassword, at: int) -> None:
    """Store the new password; every session but the one that asked ends."""
    state.account(command.by)
    state.record(PasswordChanged(command.by, command.password_hash))
    log_id = account_log(command.by)
    state.record(SessionsEnded(log_id, state.next_seq(log_id), at, kept=command.keep_session))


def needs_session(needs: Needs, command: OpenSession | EndSession) -> None:
    """The account, its log, and the session."""
    needs.accounts.add(command.by)
    needs.heads.add(account_log(command.by))
    needs.sessions.add(command.session_id)


def open_session(state: State, command: OpenSession, at: int) -> None:
    """Remember a login."""
    state.account(command.by)
    expires_at = at + command.lifetime * 1_000_000
    state.record(SessionOpened(Session(command.session_id, command.by, command.origin, at, expires_at)))


def end_session(state: State, command: EndSession, at: int) -> None:
    """End one login; harmless twice."""
    session = state.sessions.get(command.session_id)
    if session is not None and session.account_id == command.by:
        log_id = account_log(command.by)
        state.record(SessionsEnded(log_id, state.next_seq(log_id), at, session_id=session.id))
