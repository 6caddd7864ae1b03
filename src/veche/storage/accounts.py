"""Accounts: the table, what decisions and queries read from it, and how it is written."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import BigInteger, Column, Row, Select, Table, Text, insert, select, update

from veche.core.accounts import ACCOUNTS, EMAILS, HANDLES, PASSWORDS, AccountRegistered, AccountRenamed
from veche.core.text import handle_of
from veche.core.values import RESERVED_IDS, Account, Person
from veche.storage.engines.engine import Engine
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata
from veche.storage.transaction import Transaction

accounts = Table(
    "accounts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("username", Text, nullable=False),
    Column("handle", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("email_key", Text, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
c = accounts.c

_ACCOUNT = select(c.id, c.username, c.handle, c.name, c.email, c.created_at)
_PERSON = select(c.id, c.username, c.name)


def _account(row: Row[Any]) -> Account:
    return Account(row.id, row.username, row.handle, row.name, row.email, row.created_at)


def _by_id(engine: Engine) -> Select[Any]:
    return engine.where_keys(_ACCOUNT, c.id)


def _by_handle(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(c.handle, c.id), c.handle)


def _by_email(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(c.email_key, c.id), c.email_key)


def _password_by_id(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(c.id, c.password_hash), c.id)


def _people_by_id(engine: Engine) -> Select[Any]:
    return engine.where_keys(_PERSON, c.id)


def _load_accounts(tx: Transaction, ids: Collection[int]) -> Iterator[tuple[int, Account]]:
    return ((row.id, _account(row)) for row in tx.read_by_keys(_by_id, ids))


def _load_handles(tx: Transaction, handles: Collection[str]) -> Iterator[tuple[str, int]]:
    return ((row.handle, row.id) for row in tx.read_by_keys(_by_handle, handles))


def _load_emails(tx: Transaction, emails: Collection[str]) -> Iterator[tuple[str, int]]:
    return ((row.email_key, row.id) for row in tx.read_by_keys(_by_email, emails))


def _load_passwords(tx: Transaction, ids: Collection[int]) -> Iterator[tuple[int, str]]:
    return ((row.id, row.password_hash) for row in tx.read_by_keys(_password_by_id, ids))


def _write(tx: Transaction, events: list[AccountRegistered | AccountRenamed]) -> None:
    for event in events:
        account = event.account
        row: dict[str, Any] = {"username": account.username, "handle": account.handle, "name": account.name}
        if isinstance(event, AccountRenamed):
            tx.execute(update(accounts).where(c.id == account.id).values(row))
            continue
        row |= {
            "id": account.id,
            "email": account.email,
            "email_key": account.email.casefold() if account.email is not None else None,
            "password_hash": event.password_hash,
            "created_at": account.created_at,
        }
        tx.execute(insert(accounts).values(row))


SUBJECT = Subject(
    loads={
        ACCOUNTS: _load_accounts,
        HANDLES: _load_handles,
        EMAILS: _load_emails,
        PASSWORDS: _load_passwords,
    },
    writes={(AccountRegistered, AccountRenamed): _write},
)


# Queries.


def account_by_id(tx: Transaction, account_id: int) -> Account | None:
    """Return the account with this id, or None."""
    row = tx.execute(_ACCOUNT.where(c.id == account_id)).one_or_none()
    return _account(row) if row else None


def list_accounts(tx: Transaction, after: int, limit: int) -> list[Account]:
    """Return accounts with an id above `after`, ordered by id. Built-in accounts are left out."""
    query = _ACCOUNT.where(c.id > after, c.id < RESERVED_IDS).order_by(c.id).limit(limit)
    return [_account(row) for row in tx.execute(query)]


def credentials(
    tx: Transaction, *, username: str | None = None, email: str | None = None
) -> tuple[Account, str] | None:
    """Return the account with this username or e-mail and the hash of its password, or None."""
    query = _ACCOUNT.add_columns(c.password_hash)
    if username is not None:
        query = query.where(c.handle == handle_of(username))
    else:
        query = query.where(c.email_key == (email or "").casefold())
    row = tx.execute(query).one_or_none()
    return (_account(row), row.password_hash) if row else None


def people(tx: Transaction, account_ids: Iterable[int]) -> dict[int, Person]:
    """Return what everybody may see of these accounts, by id. Ids without an account are left out."""
    return {row.id: Person(row.id, row.username, row.name) for row in tx.read_by_keys(_people_by_id, list(account_ids))}
