"""The type of what each subject's file declares.

It says how the subject's facts are loaded, and how its facts and events are written.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from veche.core.event import Event, LogEvent
from veche.core.facts import Fact
from veche.core.state import State
from veche.storage.engines.engine import Transaction

Load: TypeAlias = Callable[[Transaction, Collection[Any]], Iterable[tuple[Any, Any]]]
"""A function that reads the rows of these keys. It returns (key, row) for each key that has a row."""
Save: TypeAlias = Callable[[Transaction, State], None]
"""A function that writes the changed rows of a fact, `state.changes(fact)`, after the whole batch was decided."""
Write: TypeAlias = Callable[[Transaction, list[Any]], None]
"""A function that writes the events of certain types to tables.

It gets them in the order in which they were recorded.
"""


class Subject(NamedTuple):
    """One subject in storage: how its facts are read, and how its events are written.

    `entries` are the types of events that are stored in the table `events`. Subjects are written in the order of
    `SUBJECTS`: first all `writes`, then the table `events`, then all `saves`. `keeps` are the facts whose rows are kept
    after a commit (`storage.kept`): those that every message needs. `unique` are the facts whose keys are names that
    only one row may have: those who take such names come one after the other.
    """

    loads: Mapping[Fact[Any, Any], Load] = {}
    saves: Mapping[Fact[Any, Any], Save] = {}
    writes: Mapping[tuple[type[Event], ...], Write] = {}
    entries: tuple[type[LogEvent], ...] = ()
    keeps: tuple[Fact[Any, Any], ...] = ()
    unique: tuple[Fact[Any, Any], ...] = ()
