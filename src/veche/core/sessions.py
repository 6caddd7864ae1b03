"""Sessions: signing in, signing out, and changing the password.

Changing the password ends the other sessions of the account.
"""

from collections.abc import Mapping
from typing import ClassVar

from veche.core.accounts import ACCOUNTS, account_of
from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.effects import End
from veche.core.event import Event, LogEvent
from veche.core.facts import Fact, Needs, Rows
from veche.core.state import HEADS, State
from veche.core.values import Session, account_log

SESSIONS: Fact[str, Session] = Fact("sessions")


class SessionOpened(Event, frozen=True, gc=False):
    """Somebody signed in."""

    session: Session

    def apply(self, rows: Rows) -> None:
        rows.put(SESSIONS, self.session.id, self.session)


class PasswordChanged(Event, frozen=True, gc=False):
    """The password of an account was changed."""

    account_id: int
    password_hash: str


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
        for session_id, session in rows.items(SESSIONS):
            if session.account_id == end.account_id and end.ends(session_id):
                rows.remove(SESSIONS, session_id)

    def effects(self) -> tuple[End]:
        return (End(-self.log_id, self.session_id, self.kept),)


class OpenSession(Command[None], frozen=True, gc=False):
    """Store a new session of the actor's account.

    The session's dialect is the actor's dialect. `lifetime` is in seconds.
    """

    session_id: str
    lifetime: int

    def needs(self, actor: Actor, needs: Needs) -> None:
        needs.ask(ACCOUNTS, actor.account_id)

    def decide(self, actor: Actor, state: State) -> None:
        account = account_of(state, actor.account_id)
        expires_at = state.now + self.lifetime * 1_000_000
        state.record(SessionOpened(Session(self.session_id, account.id, actor.dialect, state.now, expires_at)))


class EndSession(Command[None], frozen=True, gc=False):
    """Sign out: end one of the actor's own sessions.

    If the session has ended already, or is another account's, nothing happens.
    """

    session_id: str

    def needs(self, actor: Actor, needs: Needs) -> None:
        needs.ask(SESSIONS, self.session_id)
        needs.ask(HEADS, account_log(actor.account_id))

    def decide(self, actor: Actor, state: State) -> None:
        session = state.get(SESSIONS, self.session_id)
        if session is not None and session.account_id == actor.account_id:
            log_id = account_log(actor.account_id)
            state.record(SessionsEnded(log_id, state.next_seq(log_id), state.now, session_id=session.id))


class SetPassword(Command[None], frozen=True, gc=False):
    """Store a new password hash. End all sessions of the account except `keep_session`."""

    password_hash: str
    keep_session: str | None = None

    def needs(self, actor: Actor, needs: Needs) -> None:
        needs.ask(ACCOUNTS, actor.account_id)
        needs.ask(HEADS, account_log(actor.account_id))

    def decide(self, actor: Actor, state: State) -> None:
        account = account_of(state, actor.account_id)
        state.record(PasswordChanged(account.id, self.password_hash))
        log_id = account_log(account.id)
        state.record(SessionsEnded(log_id, state.next_seq(log_id), state.now, kept=self.keep_session))
