"""Sessions: the table, what decisions and queries read from it, and how it is written. Also writes new passwords."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Select,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from veche.core.sessions import (
    KEPT_EXPIRED,
    SESSIONS,
    PasswordChanged,
    SessionOpened,
    SessionsEnded,
    SessionsForgotten,
)
from veche.core.values import Account, Session, account_log
from veche.storage.accounts import accounts
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.log import head_seqs
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("origin", String(32), nullable=False),  # the dialect
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("device", String(64)),
    Index("ix_sessions_account_id_created_at", "account_id", "created_at", "id"),
)
c = sessions.c

a = accounts.c
_WITH_ACCOUNT = (
    select(sessions, a.username, a.handle, a.name, a.email, a.hides_reading, a.created_at.label("registered_at"))
    .join(accounts, a.id == c.account_id)
    .where(c.id == bindparam("session"))
)
_EXISTS = select(c.id).where(c.id == bindparam("session"))
_LONGEST = select(sessions).where(c.account_id == bindparam("account")).order_by(c.expires_at.desc()).limit(1)
_OF_ACCOUNT = select(sessions).where(c.account_id == bindparam("account")).order_by(c.created_at, c.id)
_EXPIRED = (
    select(c.id).where(c.expires_at < bindparam("before")).order_by(c.expires_at).limit(bindparam("limit", type_=Id))
)
_insert = insert(sessions)
_forget = delete(sessions).where(c.id == bindparam("session"))
_of_account = c.account_id == bindparam("account")
_delete_one = delete(sessions).where(_of_account, c.id == bindparam("session"))
_delete_others = delete(sessions).where(_of_account, c.id != bindparam("kept"))
_set_password = update(accounts).where(accounts.c.id == bindparam("account")).values(password_hash=bindparam("hash"))


def session_of_row(row: Any) -> Session:
    """Make a session from a row with the columns of the table."""
    return Session(row.id, row.account_id, row.origin, row.created_at, row.expires_at, row.device)


def _by_id(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(sessions), c.id)


def _not_locked(engine: Engine) -> Select[Any]:
    """Return a query that locks sessions by id, without those that another transaction has locked: it removes them."""
    return engine.where_keys(select(c.id), c.id).with_for_update(of=sessions, skip_locked=True)


def load_sessions(tx: Transaction, ids: Collection[str]) -> Iterator[tuple[str, Session]]:
    return ((row.id, session_of_row(row)) for row in tx.read_by_keys(_by_id, ids))


def _write(tx: Transaction, events: list[SessionOpened | SessionsEnded | SessionsForgotten]) -> None:
    for event in events:
        if isinstance(event, SessionsForgotten):
            free = tx.read_by_keys(_not_locked, event.session_ids)
            tx.write_each(_forget, [{"session": row.id} for row in free])
            continue
        if isinstance(event, SessionsEnded):
            _delete(tx, event)
            continue
        session = event.session
        row = {"id": session.id, "account_id": session.account_id, "origin": session.dialect}
        row |= {"created_at": session.created_at, "expires_at": session.expires_at, "device": session.device}
        tx.write_each(_insert, [row])


def _delete(tx: Transaction, event: SessionsEnded) -> None:
    account_id = -event.log_id
    if event.session_id is not None:
        tx.write_each(_delete_one, [{"account": account_id, "session": event.session_id}])
    else:
        tx.write_each(_delete_others, [{"account": account_id, "kept": event.kept or ""}])  # no session has the id ""


def _write_passwords(tx: Transaction, events: list[PasswordChanged]) -> None:
    tx.write_each(_set_password, [{"account": event.account_id, "hash": event.password_hash} for event in events])


SUBJECT = Subject(
    loads={SESSIONS: load_sessions},
    writes={(SessionOpened, SessionsEnded, SessionsForgotten): _write, (PasswordChanged,): _write_passwords},
    entries=(SessionsEnded,),
    keeps=(SESSIONS,),
)


# Queries.


def session_with_account(tx: Transaction, session_id: str) -> tuple[Session, Account] | None:
    """Return a session with its account, or None if it has ended. It may have expired."""
    row = tx.first(_WITH_ACCOUNT, session=session_id)
    if row is None:
        return None
    names = (row.username, row.handle, row.name, row.email)
    account = Account(row.account_id, *names, row.registered_at, hides_reading=bool(row.hides_reading))
    return session_of_row(row), account


def longest_session(tx: Transaction, account_id: int) -> Session | None:
    """Return the session of an account that expires last, or None if it has none. It may have expired."""
    row = tx.first(_LONGEST, account=account_id)
    return session_of_row(row) if row is not None else None


def sessions_of(tx: Transaction, account_id: int) -> list[Session]:
    """Return the sessions of an account, the oldest first. Some may have expired."""
    return [session_of_row(row) for row in tx.read(_OF_ACCOUNT, account=account_id)]


def expired(tx: Transaction, now: int, limit: int) -> list[str]:
    """Return the ids of up to `limit` sessions that expired more than a day before `now`, in microseconds."""
    return [row.id for row in tx.read(_EXPIRED, before=now - KEPT_EXPIRED, limit=limit)]


def exists(tx: Transaction, session_id: str) -> bool:
    """Return whether a session exists: it has not ended, but may have expired."""
    return tx.first(_EXISTS, session=session_id) is not None


def own_head(tx: Transaction, account_id: int, session_id: str | None) -> int | None:
    """Return the head of an account's own log, or None if the session has ended."""
    if session_id is not None and not exists(tx, session_id):
        return None
    own = account_log(account_id)
    return head_seqs(tx, [own])[own]
