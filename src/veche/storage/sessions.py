"""Sessions: the table, what decisions and queries read from it, and how it is written. Also writes new passwords."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Row, Select, String, Table, delete, insert, select, update

from veche.core.sessions import SESSIONS, PasswordChanged, SessionOpened, SessionsEnded
from veche.core.values import Account, Session, account_log
from veche.storage.accounts import account_by_id, accounts
from veche.storage.engines.engine import Engine
from veche.storage.log import head_seqs
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata
from veche.storage.transaction import Transaction

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("origin", String(32), nullable=False),  # the dialect
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
c = sessions.c


def _session(row: Row[Any]) -> Session:
    return Session(row.id, row.account_id, row.origin, row.created_at, row.expires_at)


def _by_id(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(sessions), c.id)


def _load_sessions(tx: Transaction, ids: Collection[str]) -> Iterator[tuple[str, Session]]:
    return ((row.id, _session(row)) for row in tx.read_by_keys(_by_id, ids))


def _write(tx: Transaction, events: list[SessionOpened | SessionsEnded]) -> None:
    for event in events:
        if isinstance(event, SessionsEnded):
            _delete(tx, event)
            continue
        session = event.session
        row = {"id": session.id, "account_id": session.account_id, "origin": session.dialect}
        row |= {"created_at": session.created_at, "expires_at": session.expires_at}
        tx.execute(insert(sessions).values(row))


def _delete(tx: Transaction, event: SessionsEnded) -> None:
    ended = delete(sessions).where(c.account_id == -event.log_id)
    if event.session_id is not None:
        ended = ended.where(c.id == event.session_id)
    elif event.kept is not None:
        ended = ended.where(c.id != event.kept)
    tx.execute(ended)


def _write_passwords(tx: Transaction, events: list[PasswordChanged]) -> None:
    for event in events:
        change = update(accounts).where(accounts.c.id == event.account_id)
        tx.execute(change.values(password_hash=event.password_hash))


SUBJECT = Subject(
    loads={SESSIONS: _load_sessions},
    writes={(SessionOpened, SessionsEnded): _write, (PasswordChanged,): _write_passwords},
    entries=(SessionsEnded,),
)


# Queries.


def session_with_account(tx: Transaction, session_id: str) -> tuple[Session, Account] | None:
    """Return a session with its account, or None if it has ended. It may have expired."""
    row = tx.execute(select(sessions).where(c.id == session_id)).one_or_none()
    if row is None or (account := account_by_id(tx, row.account_id)) is None:
        return None
    return _session(row), account


def longest_session(tx: Transaction, account_id: int) -> Session | None:
    """Return the session of an account that expires last, or None if it has none. It may have expired."""
    query = select(sessions).where(c.account_id == account_id).order_by(c.expires_at.desc()).limit(1)
    row = tx.execute(query).one_or_none()
    return _session(row) if row else None


def exists(tx: Transaction, session_id: str) -> bool:
    """Return whether a session exists: it has not ended, but may have expired."""
    return tx.scalar(select(c.id).where(c.id == session_id)) is not None


def own_head(tx: Transaction, account_id: int, session_id: str | None) -> int | None:
    """Return the head of an account's own log, or None if the session has ended."""
    if session_id is not None and not exists(tx, session_id):
        return None
    own = account_log(account_id)
    return head_seqs(tx, [own])[own]
