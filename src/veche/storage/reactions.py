"""Reactions: who put which emoji to which message, and how many did."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from msgspec.structs import replace
from sqlalchemy import BigInteger, Column, Select, Table, Text, bindparam, delete, func, insert, select

from veche.core.deletion import MessageDeleted
from veche.core.messages import Message, MessagePage
from veche.core.reactions import REACTIONS, TALLIES, MessageReacted
from veche.core.values import Person, Reaction
from veche.storage.accounts import accounts, person_of
from veche.storage.counting import Part, of_keys
from veche.storage.engines.engine import Engine, Transaction
from veche.storage.messages import message
from veche.storage.subject import Subject
from veche.storage.tables import Id, metadata

reactions = Table(
    "reactions",
    metadata,
    Column("message_id", Id, primary_key=True, autoincrement=False),
    Column("emoji", Text, primary_key=True, autoincrement=False),
    Column("account_id", Id, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
tallies = Table(
    "tallies",
    metadata,
    Column("message_id", Id, primary_key=True, autoincrement=False),
    Column("emoji", Text, primary_key=True, autoincrement=False),
    Column("people", BigInteger, nullable=False),  # how many, so that nobody has to count rows
    sqlite_with_rowid=False,
)
c = reactions.c
t = tallies.c
a = accounts.c

_insert = insert(reactions)
_insert_tally = insert(tallies)
_MESSAGE = bindparam("message", type_=Id)
_EMOJI = bindparam("of_emoji", type_=Text)
_delete = delete(reactions).where(c.message_id == _MESSAGE, c.emoji == _EMOJI, c.account_id == bindparam("account"))
_delete_tally = delete(tallies).where(t.message_id == _MESSAGE, t.emoji == _EMOJI)
_delete_all = delete(reactions).where(c.message_id == _MESSAGE)
_delete_all_tallies = delete(tallies).where(t.message_id == _MESSAGE)
_PEOPLE = (
    select(a.id, a.username, a.name)
    .join(reactions, c.account_id == a.id)
    .where(c.message_id == _MESSAGE, c.emoji == _EMOJI, c.account_id > bindparam("after"))
    .order_by(c.account_id)
    .limit(bindparam("limit", type_=Id))
)


def _by_key(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(reactions), c.message_id, c.account_id, c.emoji)


def _tallies_of(engine: Engine) -> Select[Any]:
    return engine.where_keys(select(tallies), t.message_id)


def _shown(engine: Engine) -> Select[Any]:
    """Make the query for the tallies of messages, each with whether an account is counted there."""

    def make(part: Part) -> Select[Any]:
        mine = select(func.count()).select_from(reactions)
        mine = mine.where(c.message_id == t.message_id, c.emoji == t.emoji, c.account_id == part(1))
        mine = of_keys(mine, part).correlate(tallies)
        return select(tallies, mine.scalar_subquery().label("mine")).where(t.message_id == part(0))

    return engine.select_from_keys(make)


def _load(tx: Transaction, keys: Collection[tuple[int, int, str]]) -> Iterator[tuple[tuple[int, int, str], bool]]:
    rows = tx.read_by_keys(_by_key, keys)
    return (((row.message_id, row.account_id, row.emoji), True) for row in rows)


def _load_tallies(tx: Transaction, ids: Collection[int]) -> Iterable[tuple[int, dict[str, int]]]:
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for row in tx.read_by_keys(_tallies_of, ids):
        found[row.message_id][row.emoji] = row.people
    return found.items()


def _write(tx: Transaction, events: list[MessageReacted]) -> None:
    """Write what each account has last put to a message or taken back, and the last count of each emoji."""
    last = {(event.message_id, event.emoji, event.person.id): event for event in events}
    gone = [{"message": id, "of_emoji": emoji, "account": account_id} for id, emoji, account_id in last]
    tx.write_each(_delete, gone)
    names = ("message_id", "emoji", "account_id")
    tx.write_each(_insert, [dict(zip(names, key, strict=True)) for key, event in last.items() if event.added])
    counts = {(event.message_id, event.emoji): event.count for event in events}
    tx.write_each(_delete_tally, [{"message": id, "of_emoji": emoji} for id, emoji in counts])
    rows = [{"message_id": id, "emoji": emoji, "people": count} for (id, emoji), count in counts.items() if count]
    tx.write_each(_insert_tally, rows)


def _write_deletions(tx: Transaction, events: list[MessageDeleted]) -> None:
    """Take away the reactions of messages that are deleted. Nobody reacts to them afterwards."""
    rows = [{"message": event.message_id} for event in events]
    tx.write_each(_delete_all, rows)
    tx.write_each(_delete_all_tallies, rows)


SUBJECT = Subject(
    loads={REACTIONS: _load, TALLIES: _load_tallies},
    writes={(MessageReacted,): _write, (MessageDeleted,): _write_deletions},
    entries=(MessageReacted,),
)


# Queries.


def with_reactions(tx: Transaction, account_id: int, found: Collection[Message]) -> list[Message]:
    """Return messages with their reactions as one account sees them: the most frequent emoji first."""
    of: defaultdict[int, list[Reaction]] = defaultdict(list)
    for row in tx.read_by_keys(_shown, [(one.id, account_id) for one in found]):
        of[row.message_id].append(Reaction(row.emoji, row.people, bool(row.mine)))
    return [replace(one, reactions=_sorted(of[one.id])) if one.id in of else one for one in found]


def _sorted(found: list[Reaction]) -> tuple[Reaction, ...]:
    return tuple(sorted(found, key=lambda reaction: (-reaction.count, reaction.emoji)))


def page_with_reactions(tx: Transaction, account_id: int, page: MessagePage) -> MessagePage:
    """Return a page of messages with their reactions."""
    return replace(page, items=with_reactions(tx, account_id, page.items))


def message_with_reactions(tx: Transaction, account_id: int, id: int) -> Message | None:
    """Read one message as it is now with its reactions, or None. The caller has to check the access."""
    found = message(tx, id)
    return None if found is None else with_reactions(tx, account_id, [found])[0]


def reacted_people(
    tx: Transaction, message_id: int, emoji: str, after: int, limit: int
) -> tuple[Message | None, list[Person]]:
    """Read a message, and the accounts that put an emoji there, in the order of their ids, after the id `after`."""
    rows = tx.read(_PEOPLE, message=message_id, of_emoji=emoji, after=after, limit=limit)
    return message(tx, message_id), [person_of(row) for row in rows]
