"""Conversations with the echo WebSocket of the channels dialect.

The tables, how they are written, and the queries for the history.
"""

from typing import TypeAlias

from sqlalchemy import BigInteger, Column, String, Table, Text, bindparam, exists, insert, select, update

from veche.core.echo import EchoClosed, EchoLine, EchoLineAdded, EchoOpened
from veche.core.text import size_of
from veche.storage.engines.engine import Transaction
from veche.storage.nodes import nodes
from veche.storage.subject import Subject
from veche.storage.tables import PAGE_BYTES, Id, id_column, metadata

MAX_CONVERSATIONS_PER_PAGE = 1000
MAX_LINES_PER_PAGE = 1000

echoes = Table(
    "echoes",
    metadata,
    id_column(),
    Column("account_id", Id, nullable=False, index=True),
    Column("opened_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("node_id", String(32)),
)

echo_lines = Table(
    "echo_lines",
    metadata,
    id_column(),
    Column("echo_id", Id, nullable=False, index=True),
    Column("source", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

c = echo_lines.c

_CLOSED = (
    select(echoes.c.id)
    .where(echoes.c.account_id == bindparam("account"), echoes.c.closed_at.is_not(None))
    .order_by(echoes.c.closed_at, echoes.c.id)
)
_UNFINISHED = select(echoes.c.id).where(
    echoes.c.closed_at.is_(None), ~exists().where(nodes.c.id == echoes.c.node_id).correlate(echoes)
)
_LINES = (
    select(c.id, c.source, c.text, c.created_at)
    .where(c.echo_id == bindparam("echo"), c.id > bindparam("after"))
    .order_by(c.id)
)
_open = insert(echoes)
_add_line = insert(echo_lines)
_close = (
    update(echoes)
    .where(echoes.c.id == bindparam("echo"), echoes.c.closed_at.is_(None))
    .values(closed_at=bindparam("at"))
)

EchoEvent: TypeAlias = EchoOpened | EchoLineAdded | EchoClosed


def _write(tx: Transaction, events: list[EchoEvent]) -> None:
    for event in events:
        match event:
            case EchoOpened():
                row = {"id": event.id, "account_id": event.account_id, "opened_at": event.at, "node_id": event.node_id}
                tx.write_each(_open, [row])
            case EchoLineAdded():
                line = {"id": event.id, "echo_id": event.echo_id, "source": event.source, "text": event.text}
                tx.write_each(_add_line, [line | {"created_at": event.at}])
            case EchoClosed():
                tx.write_each(_close, [{"echo": event.id, "at": event.at}])


SUBJECT = Subject(writes={(EchoOpened, EchoLineAdded, EchoClosed): _write})


# Queries.


def closed_echoes(tx: Transaction, account_id: int) -> list[int]:
    """Return the ids of an account's closed conversations, in the order in which they were closed."""
    return [row.id for row in tx.read(_CLOSED, account=account_id)]


def echo_page(tx: Transaction, echo_ids: list[int], after: int) -> tuple[list[EchoLine], list[int], int]:
    """Read the lines of conversations, one conversation after another.

    Stop after about 128 KiB of text, 1000 lines or 1000 conversations. `after` is the id of the last line of the first
    conversation that was already read, or 0. Return the lines, and the two arguments for the next call: the
    conversations that are left, and `after`.
    """
    found: list[EchoLine] = []
    size = 0
    for index, echo_id in enumerate(echo_ids[:MAX_CONVERSATIONS_PER_PAGE]):
        for row in tx.stream(_LINES, echo=echo_id, after=after):
            found.append(EchoLine(row.source, row.text, row.created_at))
            size += size_of(row.text)
            if size > PAGE_BYTES or len(found) == MAX_LINES_PER_PAGE:
                return found, echo_ids[index:], row.id
        after = 0
    return found, echo_ids[MAX_CONVERSATIONS_PER_PAGE:], 0


def unfinished_echoes(tx: Transaction) -> list[int]:
    """Return the ids of the open conversations with nodes that are no more: they stopped before they ended them."""
    return [row.id for row in tx.read(_UNFINISHED)]
