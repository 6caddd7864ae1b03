"""Decides one batch of commands in one transaction.

Reads the rows that the commands need, decides the commands in order, and writes the events that they record.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.errors import ChatError
from veche.core.event import Event
from veche.core.facts import Fact, Needs
from veche.core.rooms import ROOMS
from veche.core.rules import NO_RULES, Rules
from veche.core.sessions import SESSIONS
from veche.core.state import HEADS, State
from veche.core.values import RESERVED_IDS, SYSTEM_ID, account_log
from veche.storage.ended import EndedSessions
from veche.storage.ended import refusal as session_ended
from veche.storage.engines.engine import Transaction
from veche.storage.entries import EVENT_TYPES, append_entries
from veche.storage.subject import Load, Save, Write
from veche.storage.subjects import SUBJECTS

Outcome: TypeAlias = Any
"""A command's answer, or the ChatError that refused it."""

_LOADS: dict[Fact[Any, Any], Load] = {fact: load for subject in SUBJECTS for fact, load in subject.loads.items()}
_SAVES: list[Save] = [save for subject in SUBJECTS for save in subject.saves.values()]
_WRITES: list[tuple[tuple[type[Event], ...], Write]] = [
    *((kinds, write) for subject in SUBJECTS for kinds, write in subject.writes.items()),
    (EVENT_TYPES, append_entries),
]
_UNIQUE: set[Fact[Any, Any]] = {fact for subject in SUBJECTS for fact in subject.unique}
NAMES_LOG = account_log(SYSTEM_ID)
"""The log that batches lock which take names, so that they come one after the other. Nobody else locks it."""
_BY_LOG = (HEADS, ROOMS)  # their keys are ids of logs
_KEEPS: list[Fact[Any, Any]] = [fact for subject in SUBJECTS for fact in subject.keeps]
_WRITTEN = frozenset(kind for kinds, _ in _WRITES for kind in kinds)


Wanted: TypeAlias = Mapping[Fact[Any, Any], Collection[Any]]
"""The keys of the rows that a batch reads, by fact."""


class CommandWithNeeds(msgspec.Struct, frozen=True, gc=False):
    """A command, its actor and its needs. It is for one decision: reading the rows adds to the needs."""

    actor: Actor
    command: Command[Any]
    needs: Needs


class CommandFailed(Exception):
    """A command raised an exception that is not a ChatError, or recorded an event before it refused.

    This is a bug in the command.

    `index` is the command's index in the batch.
    """

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


class Overtaken(Exception):
    """Another process has just made a log that the batch needs, and so did not lock.

    Decide the batch again: it locks the log then. If it does not, `Fact.then` asks for a log that it may not ask for.
    """


def with_needs(actor: Actor, command: Command[Any]) -> CommandWithNeeds:
    """Collect the needs of a command, and return it with its actor and its needs."""
    needs = Needs()
    command.needs(actor, needs)
    return CommandWithNeeds(actor, command, needs)


def decide_and_write(
    tx: Transaction, batch: Sequence[CommandWithNeeds], now: Callable[[], int], rules: Rules = NO_RULES
) -> tuple[list[Outcome], State]:
    """Decide a batch and write its events. Nothing is committed here."""
    tx.expect_ids(table for item in batch for table in item.command.takes_ids)
    wanted = lock_needed_rows(tx, batch)
    state = State(tx.new_id, rules)
    outcomes = _decide_batch(tx, batch, wanted, now, state)
    if state.events:
        _write(tx, state)
    tx.keep(state, _KEEPS)
    return outcomes, state


def lock_needed_rows(tx: Transaction, batch: Sequence[CommandWithNeeds]) -> Wanted:
    """Lock the logs that the commands need, in the order of their ids. Return the rows to read under these locks.

    Some keys are known only after another row was read (`Fact.then`). Those other rows are read first. If one is not
    there, it is not looked for again: this batch is decided as if it had come before the transaction that creates it.
    Names are looked for again, all at once: who was not found by the one may be found by another that is new.

    This is the only place that locks logs. A batch that locked more of them later could wait for another batch that
    waits for it.
    """
    all_needs = [item.needs for item in batch]
    wanted = _keys_by_fact(all_needs)
    if facts_with_then := [fact for fact in wanted if fact.then is not None]:
        found = {fact: _ask_for_dependent_rows(tx, fact, all_needs) for fact in facts_with_then}
        needs_actors = any(fact.asks_for_actor and found[fact] != wanted[fact] for fact in facts_with_then)
        wanted = _keys_by_fact(all_needs)
        wanted.update((fact, keys) for fact, keys in found.items() if fact.rows not in _UNIQUE)
        if needs_actors:  # an earlier command of this batch may make the row that is missing
            ids = {item.actor.account_id for item in batch}
            wanted[HEADS].update(account_log(id) for id in ids if id < RESERVED_IDS)
    if not _UNIQUE.isdisjoint(wanted):
        wanted[HEADS].add(NAMES_LOG)
    tx.lock_logs(sorted(wanted.get(HEADS, ())))
    return _with_rows(wanted) if facts_with_then else wanted


def _with_rows(wanted: Mapping[Fact[Any, Any], set[Any]]) -> Wanted:
    """Add the rows that facts with `of` ask for. Names that are only looked up (`core.mentions`) are not locked."""
    rows: defaultdict[Fact[Any, Any], set[Any]] = defaultdict(set)
    for fact, keys in wanted.items():
        rows[fact] |= keys
        rows[fact.rows] |= keys
    return rows


def _ask_for_dependent_rows(tx: Transaction, fact: Fact[Any, Any], all_needs: Sequence[Needs]) -> set[Any]:
    """Read the rows of a fact, and call `fact.then` for each row found. Return the keys of these rows.

    `fact.then` adds keys to the needs that asked for the row.
    """
    assert fact.then is not None
    askers: defaultdict[Any, list[Needs]] = defaultdict(list)
    for needs in all_needs:
        for asked, key in needs.pairs():
            if asked is fact:
                askers[key].append(needs)
    found = set()
    for key, row in _LOADS[fact.rows](tx, askers.keys()):
        found.add(key)
        for needs in askers[key]:
            fact.then(needs, key, row)
    return found


def _decide_batch(
    tx: Transaction, batch: Sequence[CommandWithNeeds], wanted: Wanted, now: Callable[[], int], state: State
) -> list[Outcome]:
    ended = EndedSessions(tx, [item.actor for item in batch])
    if ended.ids:
        wanted = {**wanted, SESSIONS: ended.ids.union(wanted.get(SESSIONS, ()))}
    load_rows(tx, state, wanted)
    ended.remove_found(state)
    dependent = any(fact.then is not None for fact in wanted)
    outcomes: list[Outcome] = []
    for index, item in enumerate(batch):
        if item.actor.session_id in ended.ids and item.command.needs_session:
            outcomes.append(session_ended())
            continue
        if dependent:
            _load_rows_dependent_on_new_rows(tx, state, item.needs, wanted)
        outcomes.append(_decide(state, index, item, now()))
        if state.ends:
            ended.add(state.ends)
    return outcomes


def load_rows(tx: Transaction, state: State, wanted: Wanted) -> None:
    """Read these rows, with one statement for each fact.

    A room or a log that is there now but was not locked does not exist for this batch: the transaction that creates it
    comes later.
    """
    if unknown := {fact.rows for fact in wanted} - _LOADS.keys():
        names = ", ".join(sorted(fact.name for fact in unknown))
        raise TypeError(f"nothing in storage loads {names}: name it in `loads` of its subject's file")
    found: list[tuple[Fact[Any, Any], Iterable[tuple[Any, Any]]]] = []
    for fact, load in _LOADS.items():
        if keys := wanted.get(fact):
            left = tx.kept.load(state, fact, keys) if tx.kept is not None and fact in _KEEPS else keys
            if left:
                found.append((fact, load(tx, left)))
    for fact, rows in found:  # only now, so that a database that is far away gets all queries at once
        for key, row in rows:
            if fact not in _BY_LOG or tx.has_locked(key):
                state.load(fact, key, row)


def _load_rows_dependent_on_new_rows(tx: Transaction, state: State, needs: Needs, wanted: Wanted) -> None:
    """Call `Fact.then` for rows that did not exist when it was first called, and read the rows that it asks for.

    Such a row was created or changed by an earlier command of this batch, or by another process before the logs were
    locked here. Examples: a message is sent and marked as read in the same batch; two nodes make one direct room.
    """
    before = list(needs.pairs())
    for fact, key in before:
        if fact.then is not None and (row := state.peek(fact.rows, key)) is not None:
            fact.then(needs, key, row)
    if len(needs) == 2 * len(before):  # nothing was added; a need is two items of the list
        return
    more = Needs()
    for asked, key in set(needs.pairs()).difference(before):
        fact = asked.rows
        if not state.has_loaded_or_changed(fact, key) and key not in wanted.get(fact, ()):
            if fact is HEADS:
                raise Overtaken(f"log {key} is needed, but it was not there when the logs were locked")
            more.ask(fact, key)
    if more:
        load_rows(tx, state, _keys_by_fact([more]))


def _keys_by_fact(all_needs: Iterable[Needs]) -> defaultdict[Fact[Any, Any], set[Any]]:
    keys: defaultdict[Fact[Any, Any], set[Any]] = defaultdict(set)
    for needs in all_needs:
        for fact, key in needs.pairs():
            keys[fact].add(key)
    return keys


def _decide(state: State, index: int, item: CommandWithNeeds, now: int) -> Outcome:
    state.begin(item.needs, now)
    recorded = len(state.events)
    try:
        return item.command.decide(item.actor, state)
    except ChatError as refusal:
        if len(state.events) > recorded:  # its events would be stored although the command was refused
            raise CommandFailed(index) from refusal
        return refusal.with_traceback(None)  # which refers to the state, whose outcomes refer to the refusal
    except Exception as error:
        raise CommandFailed(index) from error


def _write(tx: Transaction, state: State) -> None:
    recorded: defaultdict[type[Event], list[Event]] = defaultdict(list)
    for event in state.events:
        recorded[type(event)].append(event)
    if unwritten := recorded.keys() - _WRITTEN:
        names = ", ".join(sorted(kind.__name__ for kind in unwritten))
        raise TypeError(f"nothing in storage writes {names}: add its subject to storage/subjects.py")
    for kinds, write in _WRITES:
        if recorded.keys().isdisjoint(kinds):
            continue
        write(tx, [event for event in state.events if type(event) in kinds] if len(kinds) > 1 else recorded[kinds[0]])
    for save in _SAVES:
        save(tx, state)
