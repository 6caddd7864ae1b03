"""Commits commands in one transaction. If something fails, it finds out which command has to be refused."""

import logging
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.ops.crash import crash_point
from veche.storage.batch import CommandFailed, Outcome, decide_and_write, with_needs
from veche.storage.database import Database
from veche.storage.engines.engine import Failure

logger = logging.getLogger("veche.storage")

ActorAndCommand: TypeAlias = tuple[Actor, Command[Any]]
CommitResult: TypeAlias = tuple[list[Outcome], list[LogEvent]]
BeforeCommit: TypeAlias = Callable[[Sequence[LogEvent]], None]
"""It is called with the new entries of each transaction, before its COMMIT."""

RETRY_SECONDS = 5.0
"""Seconds for which a batch is tried again. A database that was killed is back by then."""


class Retries:
    """How long one batch is tried again. The pauses grow, up to the longest one."""

    def __init__(self, seconds: float = RETRY_SECONDS) -> None:
        self._until: float | None = None
        self._seconds = seconds
        self._pause = 0.0

    def wait(self) -> bool:
        """Wait before the next attempt. Return False if there is no time left for one."""
        now = time.monotonic()
        if self._until is None:
            self._until = now + self._seconds
        if now >= self._until:
            return False
        time.sleep(self._pause)
        self._pause = min(max(2 * self._pause, 0.01), 0.5)
        return True


def _ignore(_: Sequence[LogEvent]) -> None:
    """Nobody has to know what is about to be committed."""


def commit(
    database: Database,
    requests: Sequence[ActorAndCommand],
    at: int | None = None,
    before_commit: BeforeCommit = _ignore,
) -> CommitResult:
    """Decide commands and store their events, in one transaction if nothing fails.

    Return the outcome of each command, and the new log entries in the order in which they were recorded. `at` is the
    time of the events, in microseconds since 1970. Without it, the current time is used. `before_commit` is called
    with the new entries of each transaction before its COMMIT, also if that COMMIT fails later.

    If the database lost the connection or chose this transaction to end a deadlock, the same is tried again for some
    seconds. If it cannot store anything now, every command gets the refusal `unavailable`. If something else fails,
    the batch is cut into parts. The parts are stored in order, each in its own transaction and with its rows read
    again. A part that fails is treated in the same way: it is refused, or cut again until the failing command is alone.
    """
    outcomes: list[Outcome] = []
    events: list[LogEvent] = []
    parts = [requests]  # the parts still to be stored, as a stack: the next part is the last item
    retries = Retries()
    while parts:
        part = parts.pop()
        try:
            stored = _commit_once(database, part, at, before_commit)
        except Exception as error:
            if _failure(database, error) is Failure.AGAIN and retries.wait():
                parts.append(part)
                continue
            if cuts := _where_to_cut(database, error, len(part)):
                edges = [0, *cuts, len(part)]
                parts += [part[start:end] for start, end in reversed(list(pairwise(edges))) if start < end]
                continue
            stored = _answer_failed_part(database, part, at, before_commit, error)
        outcomes += stored[0]
        events += stored[1]
    return outcomes, events


def _commit_once(
    database: Database, requests: Sequence[ActorAndCommand], at: int | None, before_commit: BeforeCommit
) -> CommitResult:
    refused = {
        index: refusal for index, (_, command) in enumerate(requests) if (refusal := _refusal_from_check(command))
    }
    valid = [index for index in range(len(requests)) if index not in refused]
    outcomes: list[Outcome] = [refused.get(index) for index in range(len(requests))]
    with database.writing() as tx:
        try:
            decided, state = decide_and_write(
                tx, [with_needs(*requests[index]) for index in valid], lambda: at or time.time_ns() // 1000
            )
        except CommandFailed as failed:
            raise CommandFailed(valid[failed.index]) from failed.__cause__
        for index, outcome in zip(valid, decided, strict=True):
            outcomes[index] = outcome
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
    cause = error.__cause__ if isinstance(error, CommandFailed) else error
    return database.failure_of(cause) if cause is not None else None


def _is_unavailable(database: Database, error: Exception) -> bool:
    """Return whether the database can store nothing now."""
    return _failure(database, error) in (Failure.UNAVAILABLE, Failure.AGAIN)


def _where_to_cut(database: Database, error: Exception, size: int) -> list[int]:
    """Return the indexes at which a failed batch is cut.

    The list is empty if the database cannot store anything now, or if the batch has only one command.

    A bug is in one command. That command becomes a part of its own. The commands after it are cut into two halves. So
    a batch of n commands costs at most about n log n reads, even if every command has a bug.
    """
    if size == 1 or _is_unavailable(database, error):
        return []
    if isinstance(error, CommandFailed):
        after = error.index + 1
        return [error.index, after, (after + size) // 2]
    return [size // 2]


def _answer_failed_part(
    database: Database,
    requests: Sequence[ActorAndCommand],
    at: int | None,
    before_commit: BeforeCommit,
    error: Exception,
) -> CommitResult:
    """Return the outcomes of a failed batch that cannot be cut further.

    An IntegrityError means that another process took a unique value after it was read here, or that there is a bug. In
    this case decide once more, with the rows as they are stored now.
    """
    if _failure(database, error) is Failure.CONFLICT:
        try:
            return _commit_once(database, requests, at, before_commit)
        except Exception as second:
            error = second
    return (
        _answer_unavailable(requests, error)
        if _is_unavailable(database, error)
        else _answer_internal(requests[0], error)
    )


def _answer_internal(request: ActorAndCommand, error: Exception) -> CommitResult:
    """Log a bug, and answer with `internal`.

    The log has the type of the command and its actor, but no text that people wrote.
    """
    actor, command = request
    id = actor.request_id
    who = (type(command).__name__, actor.account_id, actor.dialect, id)
    text = "%s by account %d (%s, request %s) failed"
    logger.error(text, *who, exc_info=error, extra={"fields": {"request_id": id}})
    return [ChatError(Code.INTERNAL, "Something went wrong here.", request_id=id)], []


def _answer_unavailable(requests: Sequence[ActorAndCommand], error: Exception) -> CommitResult:
    logger.error("the database could not store a batch of %d: %s", len(requests), error)
    return [ChatError(Code.UNAVAILABLE, "The store cannot take it now.") for _ in requests], []
