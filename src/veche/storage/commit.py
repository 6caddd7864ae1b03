"""Commits commands in one transaction. If something fails, it finds out which command has to be refused."""

import logging
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.rules import NO_RULES, Rules
from veche.ops.crash import crash_point
from veche.storage.batch import CommandFailed, Outcome, Overtaken, decide_and_write, with_needs
from veche.storage.database import Database
from veche.storage.engines.engine import Failure
from veche.storage.outage import Outage

logger = logging.getLogger("veche.storage")

ActorAndCommand: TypeAlias = tuple[Actor, Command[Any]]
CommitResult: TypeAlias = tuple[list[Outcome], list[LogEvent]]
BeforeCommit: TypeAlias = Callable[[Sequence[LogEvent]], None]
"""It is called with the new entries of each transaction, before its COMMIT."""


def _ignore(_: Sequence[LogEvent]) -> None:
    """Nobody has to know what is about to be committed."""


def commit(
    database: Database,
    requests: Sequence[ActorAndCommand],
    at: int | None = None,
    before_commit: BeforeCommit = _ignore,
    outage: Outage | None = None,
    rules: Rules = NO_RULES,
) -> CommitResult:
    """Decide commands and store their events, in one transaction if nothing fails.

    Return the outcome of each command, and the new log entries in the order of their recording. `at`: the time of the
    events in microseconds since 1970, or else now. `before_commit` is called with the new entries of each transaction.

    If the database lost the connection or ended a deadlock, the same is tried again for a time, which `outage` measures
    for all batches of a writer. If it can store nothing now, every command gets the refusal `unavailable`. If something
    else fails, the batch is cut into parts, stored in order, each in its own transaction, and treated in the same way.
    """
    outage = outage or Outage()
    outcomes: list[Outcome] = []
    events: list[LogEvent] = []
    parts = [_Part(requests)]  # still to be stored, as a stack: the next part is the last item
    while parts:
        part = parts.pop()
        if outage.began is not None and outage.refuses():
            outcomes += _unavailable(part.requests)
            continue
        try:
            stored = _commit_once(database, part.requests, at, before_commit, rules)
        except Exception as error:
            failure = _failure(database, error)
            if instead := _parts_instead(part, failure, error, outage):
                parts += reversed(instead)
            else:
                outcomes += _refusals(part.requests, failure, error)
            continue
        if outage.began is not None:
            outage.end()
        outcomes += stored[0]
        events += stored[1]
    return outcomes, events


class _Part(NamedTuple):
    """Some requests of a batch. `conflicted`: they were decided before, and conflicted with another process."""

    requests: Sequence[ActorAndCommand]
    conflicted: bool = False


def _parts_instead(part: _Part, failure: Failure | None, error: Exception, outage: Outage) -> list[_Part]:
    """Return the parts to store instead of one that failed, in their order. The list is empty if there are none."""
    requests = part.requests
    outage.failures += failure is Failure.UNAVAILABLE
    if failure is Failure.AGAIN and outage.wait():
        return [part]
    if cuts := _where_to_cut(failure, error, len(requests)):
        edges = [0, *cuts, len(requests)]
        return [_Part(requests[start:end]) for start, end in pairwise(edges) if start < end]
    if failure is Failure.CONFLICT and not part.conflicted:
        # Another process took a unique value, or made a log, after it was looked for here. Decide once more, with the
        # rows as they are stored now. If that conflicts again, there is a bug.
        return [_Part(requests, conflicted=True)]
    return []


def _commit_once(
    database: Database,
    requests: Sequence[ActorAndCommand],
    at: int | None,
    before_commit: BeforeCommit,
    rules: Rules,
) -> CommitResult:
    refused = {
        index: refusal for index, (_, command) in enumerate(requests) if (refusal := _refusal_from_check(command))
    }
    valid = [index for index in range(len(requests)) if index not in refused]
    with database.writing() as tx:
        try:
            items = [with_needs(*requests[index]) for index in valid]
            decided, state = decide_and_write(tx, items, lambda: at or time.time_ns() // 1000, rules)
        except CommandFailed as failed:
            raise CommandFailed(valid[failed.index]) from failed.__cause__
        answers = iter(decided)
        outcomes = [refused[index] if index in refused else next(answers) for index in range(len(requests))]
        before_commit(events := state.log_events())
        crash_point("before_commit")
    return outcomes, events


def _refusal_from_check(command: Command[Any]) -> ChatError | None:
    try:
        command.check()
    except ChatError as refusal:
        return refusal
    return None


def _failure(database: Database, error: Exception) -> Failure | None:
    """Return why a batch failed, if that is no bug. A command may have failed because of the database, too."""
    if isinstance(error, Overtaken):
        return Failure.CONFLICT
    cause = error.__cause__ if isinstance(error, CommandFailed) else error
    return database.failure_of(cause) if cause is not None else None


def _where_to_cut(failure: Failure | None, error: Exception, size: int) -> list[int]:
    """Return the indexes at which a failed batch is cut.

    The list is empty if the database cannot store anything now, or if the batch has only one command.

    A bug is in one command. That command becomes a part of its own. The commands after it are cut into two halves. So
    a batch of n commands costs at most about n log n reads, even if every command has a bug.
    """
    if size == 1 or failure in (Failure.UNAVAILABLE, Failure.AGAIN):
        return []
    if isinstance(error, CommandFailed):
        after = error.index + 1
        return [error.index, after, (after + size) // 2]
    return [size // 2]


def _refusals(requests: Sequence[ActorAndCommand], failure: Failure | None, error: Exception) -> list[Outcome]:
    """Return the refusals of a failed part that is not tried again."""
    if failure in (Failure.UNAVAILABLE, Failure.AGAIN):
        logger.error("the database could not store a batch of %d: %s", len(requests), error)
        return _unavailable(requests)
    return _internal(requests[0], error)


def _unavailable(requests: Sequence[ActorAndCommand]) -> list[Outcome]:
    return [ChatError(Code.UNAVAILABLE, "The store cannot take it now.") for _ in requests]


def _internal(request: ActorAndCommand, error: Exception) -> list[Outcome]:
    """Log a bug, and answer with `internal`.

    The log has the type of the command and its actor, but no text that people wrote.
    """
    actor, command = request
    id = actor.request_id
    who = (type(command).__name__, actor.account_id, actor.dialect, id)
    text = "%s by account %d (%s, request %s) failed"
    logger.error(text, *who, exc_info=error, extra={"fields": {"request_id": id}})
    return [ChatError(Code.INTERNAL, "Something went wrong here.", request_id=id)]
