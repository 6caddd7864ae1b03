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
from veche.core.sessions import SESSIONS
from veche.core.state import HEADS, State
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
_KEEPS: list[Fact[Any, Any]] = [fact for subject in SUBJECTS for fact in subject.keeps]
_WRITTEN = frozenset(kind for kinds, _ in _WRITES for kind in kinds)


class CommandWithNeeds(msgspec.Struct, frozen=True, gc=False):
    """A command, its actor and its needs."""

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


def with_needs(actor: Actor, command: Command[Any]) -> CommandWithNeeds:
    """Collect the needs of a command, and return it with its actor and its needs."""
    needs = Needs()
    command.needs(actor, needs)
    return CommandWithNeeds(actor, command, needs)


def decide_and_write(
    tx: Transaction, batch: Sequence[CommandWithNeeds], now: Callable[[], int]
) -> tuple[list[Outcome], State]:
    """Decide a batch and write its events. Nothing is committed here."""
    tx.expect_ids(item.command.takes_id for item in batch)
    outcomes, state = _decide_batch(tx, batch, now)
    while not tx.take_ids():  # another process took some of the ids, so decide with others
        outcomes, state = _decide_batch(tx, batch, now)
    if state.events:
        _write(tx, state)
    tx.keep(state, _KEEPS)
    return outcomes, state


def _decide_batch(
    tx: Transaction, batch: Sequence[CommandWithNeeds], now: Callable[[], int]
) -> tuple[list[Outcome], State]:
    state = State(tx.new_id)
    all_needs = [item.needs for item in batch]
    ended = EndedSessions(tx, [item.actor for item in batch])
    dependent = load_needed_rows(tx, state, all_needs, ended.ids)
    ended.remove_found(state)
    outcomes: list[Outcome] = []
    for index, item in enumerate(batch):
        if item.actor.session_id in ended.ids and item.command.needs_session:
            outcomes.append(session_ended())
            continue
        if dependent:
            _load_rows_dependent_on_new_rows(tx, state, item.needs)
        outcomes.append(_decide(state, index, item, now()))
        if state.ends:
            ended.add(state.ends)
    return outcomes, state


def load_needed_rows(
    tx: Transaction, state: State, all_needs: Sequence[Needs], session_ids: Collection[str] = ()
) -> bool:
    """Read the rows that the commands need, and these sessions, with one statement for each fact.

    Some keys are known only after another row was read (`Fact.then`). Those other rows are read first. Then the logs
    are locked, in the order of their ids, and all rows are read. Return whether any of the facts has a `then`.
    """
    wanted = _keys_by_fact(all_needs)
    facts_with_then = [fact for fact in wanted if fact.then is not None]
    if facts_with_then:
        for fact in facts_with_then:
            _ask_for_dependent_rows(tx, fact, all_needs)
        wanted = _keys_by_fact(all_needs)
    if session_ids:
        wanted[SESSIONS].update(session_ids)
    _read(tx, state, wanted)
    return bool(facts_with_then)


def _read(tx: Transaction, state: State, wanted: Mapping[Fact[Any, Any], Collection[Any]]) -> None:
    if unknown := wanted.keys() - _LOADS.keys():
        names = ", ".join(sorted(fact.name for fact in unknown))
        raise TypeError(f"nothing in storage loads {names}: name it in `loads` of its subject's file")
    tx.lock_logs(sorted(wanted.get(HEADS, ())))
    found: list[tuple[Fact[Any, Any], Iterable[tuple[Any, Any]]]] = []
    for fact, load_rows in _LOADS.items():
        if keys := wanted.get(fact):
            left = tx.kept.load(state, fact, keys) if tx.kept is not None and fact in _KEEPS else keys
            if left:
                found.append((fact, load_rows(tx, left)))
    for fact, rows in found:  # only now, so that a database that is far away gets all queries at once
        for key, row in rows:
            state.load(fact, key, row)


def _ask_for_dependent_rows(tx: Transaction, fact: Fact[Any, Any], all_needs: Sequence[Needs]) -> None:
    """Read the rows of a fact, and call `fact.then` for each row found.

    `fact.then` adds keys to the needs that asked for the row.
    """
    assert fact.then is not None
    askers: defaultdict[Any, list[Needs]] = defaultdict(list)
    for needs in all_needs:
        for asked, key in needs.pairs():
            if asked is fact:
                askers[key].append(needs)
    for key, row in _LOADS[fact](tx, askers.keys()):
        for needs in askers[key]:
            fact.then(needs, key, row)


def _load_rows_dependent_on_new_rows(tx: Transaction, state: State, needs: Needs) -> None:
    """Call `Fact.then` for rows that did not exist when it was first called, and read the rows that it asks for.

    Such a row was created by an earlier command of this batch, or by another process before the logs were locked here.
    Example: a message is sent and marked as read in the same batch.
    """
    before = list(needs.pairs())
    for fact, key in before:
        if fact.then is not None and (row := state.peek(fact, key)) is not None:
            fact.then(needs, key, row)
    if len(needs) == 2 * len(before):
        return
    more = Needs()
    for fact, key in set(needs.pairs()).difference(before):
        if not state.has_loaded_or_changed(fact, key):
            more.ask(fact, key)
    if more:
        _read(tx, state, _keys_by_fact([more]))


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
        return refusal
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
