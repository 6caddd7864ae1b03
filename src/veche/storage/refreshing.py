"""Refresh tokens: the table of how far each session has come, and how it is written. It has hashes, and no tokens."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Select, String, Table, bindparam, insert, select, tuple_, update

from veche.core.refreshing import REFRESHES, Refresh, RefreshBegan, SessionRefreshed
from veche.core.views import SessionView
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.sessions import load_sessions, session_of_row, sessions
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

refreshes = Table(
    "refreshes",
    metadata,
    Column("session_id", String(64), ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("number", BigInteger, nullable=False),  # of the newest token
    Column("token_hash", String(64), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("parent_hash", String(64)),
    Column("parent_made_at", BigInteger, nullable=False),
)
c = refreshes.c

_insert = insert(refreshes)
_change = (
    update(refreshes)
    .where(c.session_id == bindparam("session"))
    .values({name: bindparam(name) for name in ("number", "token_hash", "made_at", "parent_hash", "parent_made_at")})
)
s = sessions.c
_PAGE = (
    select(sessions, c.made_at)
    .outerjoin(refreshes, c.session_id == s.id)
    .where(s.account_id == bindparam("account"))
    .where(tuple_(s.created_at, s.id) < tuple_(bindparam("at", type_=BigInteger), bindparam("id", type_=String)))
    .order_by(s.created_at.desc(), s.id.desc())
    .limit(bindparam("limit", type_=Id))
)
_extend = update(sessions).where(sessions.c.id == bindparam("session")).values(expires_at=bindparam("until"))


def _by_session(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(refreshes), c.session_id)


def _load(tx: Transaction, ids: Collection[str]) -> Iterator[tuple[str, Refresh]]:
    for row in tx.read_by_keys(_by_session, ids):
        yield (
            row.session_id,
            Refresh(row.session_id, row.token_hash, row.number, row.made_at, row.parent_hash, row.parent_made_at),
        )


def _write(tx: Transaction, events: list[RefreshBegan | SessionRefreshed]) -> None:
    """Write how far each session has come after the batch, without those that have ended in the same batch."""
    refreshed = {event.refresh.session_id: event.refresh for event in events}
    began = {event.refresh.session_id for event in events if isinstance(event, RefreshBegan)}
    ends = {event.session.id: event.session.expires_at for event in events if isinstance(event, SessionRefreshed)}
    there = {id for id, _ in load_sessions(tx, refreshed)}
    rows = {id: _row(refresh) for id, refresh in refreshed.items() if id in there}
    tx.write_each(_insert, [{"session_id": id} | row for id, row in rows.items() if id in began])
    tx.write_each(_change, [{"session": id} | row for id, row in rows.items() if id not in began])
    tx.write_each(_extend, [{"session": id, "until": until} for id, until in ends.items()])


def _row(refresh: Refresh) -> dict[str, Any]:
    row: dict[str, Any] = {"number": refresh.number, "token_hash": refresh.token_hash, "made_at": refresh.made_at}
    return row | {"parent_hash": refresh.parent_hash, "parent_made_at": refresh.parent_made_at}


SUBJECT = Subject(loads={REFRESHES: _load}, writes={(RefreshBegan, SessionRefreshed): _write})


# Queries.


def session_page(tx: Transaction, account_id: int, before: tuple[int, str], limit: int) -> list[SessionView]:
    """Read the sessions of an account, the newest first: those before this time and id. Some may have expired."""
    found = tx.read(_PAGE, account=account_id, at=before[0], id=before[1], limit=limit)
    return [SessionView(session_of_row(row), row.made_at or None) for row in found]  # the first token was made at 0
