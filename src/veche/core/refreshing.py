"""Refreshing: a session whose tokens are short-lived goes on by a chain of refresh tokens (docs/decisions/0041).

Each refresh token is exchanged for its successor. Only its number and hashes are known here.
"""

from math import ceil
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.event import Event
from veche.core.facts import Fact, Needs, Rows
from veche.core.sessions import SESSIONS, OpenSession, SessionsEnded, ask_opening
from veche.core.state import HEADS, State
from veche.core.values import MICROSECONDS, Session, account_log

GRACE = 10_000_000
"""How long a token returns its successor although that was used, in microseconds: another tab may be a moment late."""


class Refresh(msgspec.Struct, frozen=True, gc=False):
    """How far the refresh tokens of a session have come. They are numbered from 0.

    `number`, `token_hash` and `made_at` are those of the newest. The parent is the one before. Number 0 came with the
    session: its `made_at` is 0, because it is the successor of none.
    """

    session_id: str
    token_hash: str
    number: int = 0
    made_at: int = 0
    parent_hash: str | None = None
    parent_made_at: int = 0


REFRESHES: Fact[str, Refresh] = Fact("refreshes")  # by the id of the session


class Refreshed(msgspec.Struct, frozen=True, gc=False):
    """A session goes on until `expires_at`. The hash is that of the token that the client goes on with."""

    successor_hash: str
    expires_at: int


class RefreshBegan(Event, frozen=True, gc=False):
    """A session got its first refresh token."""

    refresh: Refresh

    def apply(self, rows: Rows) -> None:
        rows.put(REFRESHES, self.refresh.session_id, self.refresh)


class SessionRefreshed(Event, frozen=True, gc=False):
    """A refresh token was exchanged for its successor. `session` has its new end."""

    session: Session
    refresh: Refresh

    def apply(self, rows: Rows) -> None:
        rows.put(SESSIONS, self.session.id, self.session)
        rows.put(REFRESHES, self.session.id, self.refresh)


class OpenRefreshedSession(Command[None], frozen=True, gc=False):
    """Store a new session with its first refresh token. It is refused as `opening` is."""

    opening: OpenSession
    token_hash: str

    def needs(self, actor: Actor, needs: Needs) -> None:
        ask_opening(needs, actor.account_id)

    def decide(self, actor: Actor, state: State) -> None:
        self.opening.decide(actor, state)
        state.record(RefreshBegan(Refresh(self.opening.session_id, self.token_hash)))


class RefreshSession(Command[Refreshed | None], frozen=True, gc=False):
    """Exchange a refresh token of the actor's session for its successor. `lifetime` of the session is in seconds.

    `number` is proven by the token itself, also if the server has forgotten its hash. A token that was exchanged before
    returns the same successor for ten seconds, and longer while the successor was not used. After that somebody else
    has the token: the session ends, and the answer is None.
    """

    needs_session: ClassVar[bool] = False  # it asks for the session itself
    session_id: str
    number: int
    token_hash: str
    successor_hash: str
    lifetime: int

    def needs(self, actor: Actor, needs: Needs) -> None:
        # The head is the lock of the account: of two that exchange the same token, one comes first.
        needs.ask(HEADS, account_log(actor.account_id))
        needs.ask(SESSIONS, self.session_id)
        needs.ask(REFRESHES, self.session_id)

    def decide(self, actor: Actor, state: State) -> Refreshed | None:
        session, refresh = state.get(SESSIONS, self.session_id), state.get(REFRESHES, self.session_id)
        if session is None or session.account_id != actor.account_id or session.expires_at <= state.now:
            raise ChatError(Code.UNAUTHENTICATED, "The session has ended.")
        if refresh is None or not self._is_of(refresh):
            raise ChatError(Code.UNAUTHENTICATED, "The refresh token is bad.")
        behind = refresh.number - self.number
        if behind == 0:
            return self._exchange(state, session, refresh)
        if behind == 1:
            return Refreshed(refresh.token_hash, session.expires_at)
        if behind == 2 and refresh.parent_hash is not None and state.now - refresh.parent_made_at < GRACE:
            return Refreshed(refresh.parent_hash, session.expires_at)
        log_id = account_log(actor.account_id)
        state.record(SessionsEnded(log_id, state.next_seq(log_id), state.now, session_id=session.id))
        return None

    def _is_of(self, refresh: Refresh) -> bool:
        """Return whether the token is one of the chain, as far as its hash is still known."""
        if self.number > refresh.number:  # of a history that a restore took back
            return False
        known = {refresh.number: refresh.token_hash, refresh.number - 1: refresh.parent_hash}
        return known.get(self.number, self.token_hash) == self.token_hash

    def _exchange(self, state: State, session: Session, refresh: Refresh) -> Refreshed:
        """Store the successor of the newest token.

        Two exchanges in ten seconds are enough for everybody. With more, a token could be three behind while its
        successor is not ten seconds old, and the server would have to remember the times of all of them.
        """
        age = state.now - refresh.parent_made_at
        if refresh.number > 1 and 0 <= age < GRACE:
            wait = ceil((GRACE - age) / MICROSECONDS)
            raise ChatError(Code.RATE_LIMITED, "The session was refreshed twice just now.", retry_after=wait)
        longer = replace(session, expires_at=state.now + self.lifetime * MICROSECONDS)
        newest = Refresh(
            session.id, self.successor_hash, refresh.number + 1, state.now, refresh.token_hash, refresh.made_at
        )
        state.record(SessionRefreshed(longer, newest))
        return Refreshed(newest.token_hash, longer.expires_at)
