"""One batch inside one transaction: read what its commands need, decide them in order, write what they recorded."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.errors import ChatError
from veche.core.event import Event
from veche.core.facts import Fact, Needs
from veche.core.state import HEADS, State
from veche.storage.entries import append_entries
from veche.storage.subject import Load, Save, Write
from veche.storage.subjects import SUBJECTS
from veche.storage.transaction import Transaction

Outcome: TypeAlias = Any
"""A command's answer, or the ChatError that refused it."""

_LOADS: dict[Fact[Any, Any], Load] = {fact: load for subject in SUBJECTS for fact, load in subject.loads.items()}
_SAVES: list[Save] = [save for subject in SUBJECTS for save in subject.saves.values()]
_WRITES: list[tuple[tuple[type[Event], ...], Write]] = [
    (kinds, write) for subject in SUBJECTS for kinds, write in subject.writes.items()
]


class Asked(NamedTuple):
    """A command, who asks for it, and what it needs to know."""

    actor: Actor
    command: Command[Any]
    needs: Needs


class CommandFailed(Exception):
    """A command raised something that is no refusal: a bug. `index` is its place in the batch."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


def ask(actor: Actor, command: Command[Any]) -> Asked:
    """Find out what a command needs to know."""
    needs = Needs()
    command.needs(actor, needs)
    return Asked(actor, command, needs)


def run(tx: Transaction, batch: Sequence[Asked], now: Callable[[], int]) -> tuple[list[Outcome], State]:
    """Decide a batch and write its events. Nothing is committed here."""
    state = State(tx.engine.new_ids(tx.connection))
    leads = load(tx, state, [asked.needs for asked in batch])
    outcomes: list[Outcome] = []
    for index, asked in enumerate(batch):
        if leads:
            _follow_made(tx, state, asked.needs, leads)
        outcomes.append(_decide(state, index, asked, now()))
    if state.events:
        _write(tx, state)
    return outcomes, state


def load(tx: Transaction, state: State, all_needs: Sequence[Needs]) -> list[Fact[Any, Any]]:
    """Read what commands need, as one statement for each fact; give the facts among them that lead to others.

    Keys that are found by reading come first. Then the logs are locked, in one order, before anything else is read.
    """
    wanted = _by_fact(all_needs)
    if leads := [fact for fact in wanted if fact.then is not None]:
        for fact in leads:
            _follow(tx, fact, wanted[fact], all_needs)
        wanted = _by_fact(all_needs)
    _read(tx, state, wanted)
    return leads


def _read(tx: Transaction, state: State, wanted: Mapping[Fact[Any, Any], Collection[Any]]) -> None:
    tx.engine.lock_logs(tx.connection, sorted(wanted.get(HEADS, ())))
    for fact, keys in wanted.items():
        for key, row in _LOADS[fact](tx, keys):
            state.load(fact, key, row)


def _follow(tx: Transaction, fact: Fact[Any, Any], keys: set[Any], all_needs: Sequence[Needs]) -> None:
    """Ask for what is known only once a row was found: `Fact.then`."""
    assert fact.then is not None
    for key, row in _LOADS[fact](tx, keys):
        for needs in all_needs:
            if (fact, key) in needs:
                fact.then(needs, key, row)


def _follow_made(tx: Transaction, state: State, needs: Needs, leads: Collection[Fact[Any, Any]]) -> None:
    """Follow rows that this batch made, and read what they lead to. A message may be marked as read at once."""
    asked = tuple(needs)
    for fact, key in asked:
        if fact in leads and (row := state.peek(fact, key)) is not None:
            assert fact.then is not None
            fact.then(needs, key, row)
    if len(needs) > len(asked):
        more = Needs(pair for pair in needs.difference(asked) if not state.knows(*pair))
        _read(tx, state, _by_fact([more]))


def _by_fact(all_needs: Sequence[Needs]) -> dict[Fact[Any, Any], set[Any]]:
    wanted: defaultdict[Fact[Any, Any], set[Any]] = defaultdict(set)
    for needs in all_needs:
        for fact, key in needs:
            wanted[fact].add(key)
    return wanted


def _decide(state: State, index: int, asked: Asked, now: int) -> Outcome:
    state.begin(asked.needs, now)
    try:
        return asked.command.decide(asked.actor, state)
    except ChatError as refusal:
        return refusal
    except Exception as error:
        raise CommandFailed(index) from error


def _write(tx: Transaction, state: State) -> None:
    recorded: defaultdict[type[Event], list[Event]] = defaultdict(list)
    for event in state.events:
        recorded[type(event)].append(event)
    for kinds, write in _WRITES:
        events = recorded[kinds[0]] if len(kinds) == 1 else [event for event in state.events if type(event) in kinds]
        if events:
            write(tx, events)
    append_entries(tx, state.events)
    for save in _SAVES:
        save(tx, state)
