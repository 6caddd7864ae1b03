"""Runs commands of the chat, for `veche user` and `veche demo`."""

import asyncio
from collections.abc import Sequence
from typing import Any

from veche.core.actor import Actor
from veche.core.command import Command, T
from veche.core.errors import ChatError
from veche.service.passwords import Passwords
from veche.storage.commit import commit
from veche.storage.database import Database


class CommandError(Exception):
    """The command cannot be done. The message says why."""


def run(database: Database, account_id: int, command: Command[T], at: int | None = None, origin: str = "cli") -> T:
    """Run a command of an account, and return its answer. `at` is as for `commit`. Raises CommandError.

    `origin` is stored with what is made, in the place of the dialect.
    """
    [answer] = run_all(database, [(account_id, command)], at, origin)
    found: T = answer
    return found


def run_all(
    database: Database, commands: Sequence[tuple[int, Command[Any]]], at: int | None = None, origin: str = "cli"
) -> list[Any]:
    """Run commands of accounts together, as `run` runs one. Return their answers. Raises CommandError."""
    outcomes, _ = commit(database, [(Actor(account_id, origin), command) for account_id, command in commands], at)
    for outcome in outcomes:
        if isinstance(outcome, ChatError):
            raise CommandError(outcome.message)
    return outcomes


def hash_password(password: str) -> str:
    pool = Passwords(1)
    try:
        return asyncio.run(pool.hash(password))
    finally:
        pool.stop()
