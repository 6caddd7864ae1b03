"""Sessions: signing in, signing out, and changing the password.

Changing the password ends the other sessions of the account.
"""

from collections.abc import Mapping
from typing import ClassVar

from veche.core.accounts import ACCOUNTS, CLOSED, PASSWORDS, account_of
from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.effects import End
from veche.core.errors import ChatError, Code
from veche.core.event import Event, LogEvent
from veche.core.facts import Fact, Needs, Rows
from veche.core.state import HEADS, State
from veche.core.values import MICROSECONDS, Account, Session, account_log

SESSIONS: Fact[str, Session] = Fact("sessions")

KEPT_EXPIRED = 24 * 3600 * MICROSECONDS
"""How long an expired session is kept, in microseconds: a clock that was wrong for hours must not end sessions."""


class SessionOpened(Event, frozen=True, gc=False):
    """Somebody signed in."""

    session: Session

    def apply(self, rows: Rows) -> None:
        rows.put(SESSIONS, self.session.id, self.session)


class PasswordChanged(Event, frozen=True, gc=False):
    """The password of an account was changed."""

    account_id: int
    password_hash: str

    def apply(self, rows: Rows) -> None:
        rows.put(PASSWORDS, self.account_id, self.password_hash)


class SessionsEnded(LogEvent, frozen=True, gc=False):
    """Sessions of an account ended.

    If `session_id` is set, only that session ended. Otherwise all sessions except `kept` ended. The event is in the
    account's own log.
    """

    kind: ClassVar[str] = "sessions_ended"
    stored_as: ClassVar[Mapping[str, str]] = {"session_id": "session"}
    session_id: str | None = None
    kept: str | None = None

    def apply(self, rows: Rows) -> None:
        (end,) = self.effects()
        rows.ends.append(end)
        for session_id, session in rows.items(SESSIONS):
            if session.account_id == end.account_id and end.ends(session_id):
                rows.remove(SESSIONS, session_id)

    def effects(self) -> tuple[End]:
        return (End(-self.log_id, self.session_id, self.kept),)


class SessionsForgotten(Event, frozen=True, gc=False):
    """Expired sessions were removed. Nothing else changes: no client is connected with them any more."""

    session_ids: tuple[str, ...]

    def apply(self, rows: Rows) -> None:
        for session_id in self.session_ids:
            rows.remove(SESSIONS, session_id)


class OpenSession(Command[None], frozen=True, gc=False):
    """Store a new session of the actor's account.

    The session's dialect is the actor's dialect. `lifetime` is in seconds. `password_hash` is the hash that the
    password was checked against. If the password was changed after that check, no session is opened, and none is opened
    for a closed account. Both are refused as a wrong password is. `device` is a name for the owner of the account.
    """

    session_id: str
    lifetime: int
    password_hash: str
    device: str | None = None

    def needs(self, actor: Actor, needs: Needs) -> None:
        ask_opening(needs, actor.account_id)

    def decide(self, actor: Actor, state: State) -> None:
        account = account_with_password(state, actor.account_id, self.password_hash)
        if state.get(CLOSED, account.id) is not None:
            raise ChatError(Code.WRONG_CREDENTIALS, "Unknown user or wrong password.", reason="password")
        expires_at = state.now + self.lifetime * MICROSECONDS
        session = Session(self.session_id, account.id, actor.dialect, state.now, expires_at, self.device)
        state.record(SessionOpened(session))


def ask_opening(needs: Needs, account_id: int) -> None:
    """Ask for the rows that `OpenSession.decide` reads."""
    # It does not read this head. Asking for it locks the log, so that no concurrent transaction changes the password or
    # closes the account.
    needs.ask(HEADS, account_log(account_id))
    ask_password(needs, account_id)
    needs.ask(CLOSED, account_id)


class EndSession(Command[None], frozen=True, gc=False):
    """Sign out: end one of the actor's own sessions.

    If the session has already ended, or belongs to another account, nothing happens.
    """

    needs_session: ClassVar[bool] = False
    session_id: str

    def needs(self, actor: Actor, needs: Needs) -> None:
        needs.ask(SESSIONS, self.session_id)
        needs.ask(HEADS, account_log(actor.account_id))

    def decide(self, actor: Actor, state: State) -> None:
        session = state.get(SESSIONS, self.session_id)
        if session is not None and session.account_id == actor.account_id:
            log_id = account_log(actor.account_id)
            state.record(SessionsEnded(log_id, state.next_seq(log_id), state.now, session_id=session.id))


class RevokeSession(EndSession, frozen=True, gc=False):
    """End one of the actor's own sessions from another one, which must not have ended itself."""

    needs_session: ClassVar[bool] = True


class EndSessions(Command[None], frozen=True, gc=False):
    """End all sessions of the actor's account, except `kept` if that is set."""

    kept: str | None = None

    def needs(self, actor: Actor, needs: Needs) -> None:
        needs.ask(ACCOUNTS, actor.account_id)
        needs.ask(HEADS, account_log(actor.account_id))

    def decide(self, actor: Actor, state: State) -> None:
        log_id = account_log(account_of(state, actor.account_id).id)
        state.record(SessionsEnded(log_id, state.next_seq(log_id), state.now, kept=self.kept))


class ForgetSessions(Command[int], frozen=True, gc=False):
    """Remove these sessions if they expired more than a day ago. The answer is how many did.

    Those that another node is removing just now are left to it.
    """

    session_ids: tuple[str, ...]

    def needs(self, actor: Actor, needs: Needs) -> None:
        for session_id in self.session_ids:
            needs.ask(SESSIONS, session_id)

    def decide(self, actor: Actor, state: State) -> int:
        before = state.now - KEPT_EXPIRED
        found = [session for id in self.session_ids if (session := state.get(SESSIONS, id)) is not None]
        expired = tuple(session.id for session in found if session.expires_at < before)
        if expired:
            state.record(SessionsForgotten(expired))
        return len(expired)


class SetPassword(Command[None], frozen=True, gc=False):
    """Store a new password hash. End all sessions of the account except `keep_session`.

    `old_hash` is the hash that the old password was checked against. It is None if an operator sets the password.
    """

    password_hash: str
    old_hash: str | None
    keep_session: str | None = None

    def needs(self, actor: Actor, needs: Needs) -> None:
        ask_password(needs, actor.account_id)
        needs.ask(HEADS, account_log(actor.account_id))

    def decide(self, actor: Actor, state: State) -> None:
        account = account_with_password(state, actor.account_id, self.old_hash)
        state.record(PasswordChanged(account.id, self.password_hash))
        log_id = account_log(account.id)
        state.record(SessionsEnded(log_id, state.next_seq(log_id), state.now, kept=self.keep_session))


def ask_password(needs: Needs, account_id: int) -> None:
    """Ask for the rows that `account_with_password` reads. The head of the own log has to be asked, too."""
    needs.ask(ACCOUNTS, account_id)
    needs.ask(PASSWORDS, account_id)


def account_with_password(state: State, account_id: int, checked_hash: str | None) -> Account:
    """Return the account. Refuse if its password is no longer the one that was checked; None was not checked."""
    account = account_of(state, account_id)
    if checked_hash is not None and state.get(PASSWORDS, account_id) != checked_hash:
        raise ChatError(Code.WRONG_CREDENTIALS, "Unknown user or wrong password.", reason="password")
    return account
