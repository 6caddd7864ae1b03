"""Accounts: the table, what decisions and queries read from it, and how it is written."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, Select, Table, Text, bindparam, insert, select, update

from veche.core.accounts import (
    ACCOUNTS,
    EMAILS,
    HANDLES,
    PASSWORDS,
    SKELETONS,
    AccountRegistered,
    AccountRenamed,
    SkeletonKey,
    skeleton_key,
)
from veche.core.closing import AccountDeleted
from veche.core.names import handle_of
from veche.core.profile import AccountChanged, ProfileChanged
from veche.core.text import can_be_stored
from veche.core.values import RESERVED_IDS, Account, Person
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.subject import Subject
from veche.storage.tables import Id, id_column, metadata

accounts = Table(
    "accounts",
    metadata,
    id_column(),
    Column("username", Text, nullable=False),
    Column("handle", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("email_key", Text, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("skeleton", Text),
    Column("ascii", Integer),  # 1 if the username is ASCII, or else 0
    Column("hides_reading", Integer, nullable=False, server_default="0"),  # 1 or 0
    Index("ix_accounts_skeleton", "skeleton", "ascii"),
)
c = accounts.c
FEW = 4  # accounts that look alike: enough to know that one of them is another than the one that asks

_ACCOUNT = select(c.id, c.username, c.handle, c.name, c.email, c.created_at, c.hides_reading)
_PERSON = select(c.id, c.username, c.name)
_ACCOUNT_BY_ID = _ACCOUNT.where(c.id == bindparam("account"))
_PAGE = (
    _ACCOUNT.where(c.id > bindparam("after"), c.id < RESERVED_IDS).order_by(c.id).limit(bindparam("limit", type_=Id))
)
_CREDENTIALS = _ACCOUNT.add_columns(c.password_hash)
_BY_USERNAME = _CREDENTIALS.where(c.handle == bindparam("handle"))
_BY_EMAIL = _CREDENTIALS.where(c.email_key == bindparam("email"))
_BY_SKELETON = (
    select(c.id).where(c.skeleton == bindparam("skeleton"), c.ascii == bindparam("ascii")).order_by(c.id).limit(FEW)
)
_insert = insert(accounts)
_change = (
    update(accounts)
    .where(c.id == bindparam("account"))
    .values(
        {
            name: bindparam(name)
            for name in ("username", "handle", "name", "email", "email_key", "skeleton", "ascii", "hides_reading")
        }
    )
)


def _account(row: Any) -> Account:
    return Account(
        row.id, row.username, row.handle, row.name, row.email, row.created_at, hides_reading=bool(row.hides_reading)
    )


def person_of(row: Any) -> Person:
    """Make a Person from a row with the columns `id`, `username` and `name` of the table `accounts`."""
    return Person(row.id, row.username, row.name)


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


def _load_skeletons(tx: Transaction, keys: Collection[SkeletonKey]) -> Iterator[tuple[SkeletonKey, tuple[int, ...]]]:
    for skeleton, ascii in keys:  # each alone: thousands of ASCII usernames may have one skeleton
        if rows := tx.read(_BY_SKELETON, skeleton=skeleton, ascii=int(ascii)):
            yield (skeleton, ascii), tuple(row.id for row in rows)


def _load_emails(tx: Transaction, emails: Collection[str]) -> Iterator[tuple[str, int]]:
    return ((row.email_key, row.id) for row in tx.read_by_keys(_by_email, emails))


def _load_passwords(tx: Transaction, ids: Collection[int]) -> Iterator[tuple[int, str]]:
    return ((row.id, row.password_hash) for row in tx.read_by_keys(_password_by_id, ids))


def _write(tx: Transaction, events: list[AccountRegistered | AccountRenamed | ProfileChanged | AccountDeleted]) -> None:
    """Write the events one after another: a name may be given up and taken in one batch."""
    for event in events:
        account = event.account
        skeleton, ascii = skeleton_key(account.username)
        row: dict[str, Any] = {"username": account.username, "handle": account.handle, "name": account.name}
        row |= {"skeleton": skeleton, "ascii": int(ascii), "hides_reading": int(account.hides_reading)}
        row |= {"email": account.email, "email_key": account.email.casefold() if account.email is not None else None}
        if isinstance(event, AccountRegistered):
            row |= {"id": account.id, "password_hash": event.password_hash, "created_at": account.created_at}
            tx.write_each(_insert, [row])
        else:
            tx.write_each(_change, [row | {"account": account.id}])


SUBJECT = Subject(
    loads={
        ACCOUNTS: _load_accounts,
        HANDLES: _load_handles,
        SKELETONS: _load_skeletons,
        EMAILS: _load_emails,
        PASSWORDS: _load_passwords,
    },
    writes={(AccountRegistered, AccountRenamed, ProfileChanged, AccountDeleted): _write},
    entries=(AccountChanged,),
    keeps=(ACCOUNTS,),
    unique=(HANDLES, EMAILS),
)


# Queries.


def account_by_id(tx: Transaction, account_id: int) -> Account | None:
    """Return the account with this id, or None."""
    row = tx.first(_ACCOUNT_BY_ID, account=account_id)
    return _account(row) if row is not None else None


def list_accounts(tx: Transaction, after: int, limit: int) -> list[Account]:
    """Return accounts with an id above `after`, ordered by id. Built-in accounts are left out."""
    return [_account(row) for row in tx.read(_PAGE, after=after, limit=limit)]


def credentials(
    tx: Transaction, *, username: str | None = None, email: str | None = None
) -> tuple[Account, str] | None:
    """Return the account with this username or e-mail and the hash of its password, or None."""
    if not can_be_stored(username or email or ""):  # nobody has it, and PostgreSQL takes no question for it
        return None
    if username is not None:
        row = tx.first(_BY_USERNAME, handle=handle_of(username))
    else:
        row = tx.first(_BY_EMAIL, email=(email or "").casefold())
    return (_account(row), row.password_hash) if row is not None else None


def people(tx: Transaction, account_ids: Iterable[int]) -> dict[int, Person]:
    """Return what everybody may see of these accounts, by id. Ids without an account are left out."""
    return {row.id: person_of(row) for row in tx.read_by_keys(_people_by_id, list(account_ids))}
