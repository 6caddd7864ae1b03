"""What a subject's file declares for the writer and the log."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from veche.core.event import Event, LogEvent
from veche.core.facts import Fact
from veche.core.state import State
from veche.storage.transaction import Transaction

Load: TypeAlias = Callable[[Transaction, Collection[Any]], Iterable[tuple[Any, Any]]]
"""Reads the rows of keys: gives each key that has one, with its row."""
Save: TypeAlias = Callable[[Transaction, State], None]
"""Writes the rows of a fact as the batch left them: `state.changes(fact)`."""
Write: TypeAlias = Callable[[Transaction, list[Any]], None]
"""Writes what events of some types say, given in the order in which they happened."""


class Subject(NamedTuple):
    """One subject in storage: how its facts are read, and how its events are written.

    `entries` are the events that are stored in the table `events`. The order of `SUBJECTS` is the order of writing.
    """

    loads: Mapping[Fact[Any, Any], Load] = {}
    saves: Mapping[Fact[Any, Any], Save] = {}
    writes: Mapping[tuple[type[Event], ...], Write] = {}
    entries: tuple[type[LogEvent], ...] = ()
