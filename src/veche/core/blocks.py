"""Blocks: whom an account wants no rooms from.

A blocked person cannot open a direct room with the blocker, nor put the blocker into a room. For that person the
blocker does not exist, in every dialect.
"""

from collections.abc import Iterable

from veche.core.accounts import ACCOUNTS, account_of, no_such_account
from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.event import Event
from veche.core.facts import Fact, Needs, Rows
from veche.core.state import HEADS, State
from veche.core.values import account_log

MAX_BLOCKS = 1000  # of one account

BLOCKS: Fact[tuple[int, int], int] = Fact("blocks")  # by (blocker, blocked): since when
BLOCK_COUNTS: Fact[int, int] = Fact("block counts")  # by account: how many it has blocked


class PersonBlocked(Event, frozen=True, gc=False):
    """An account blocked another one. `at` is in microseconds since 1970."""

    account_id: int
    blocked_id: int
    at: int

    def apply(self, rows: Rows) -> None:
        rows.put(BLOCKS, (self.account_id, self.blocked_id), self.at)
        rows.put(BLOCK_COUNTS, self.account_id, (rows.peek(BLOCK_COUNTS, self.account_id) or 0) + 1)


class PersonUnblocked(Event, frozen=True, gc=False):
    """An account took a block back."""

    account_id: int
    blocked_id: int

    def apply(self, rows: Rows) -> None:
        rows.remove(BLOCKS, (self.account_id, self.blocked_id))
        rows.put(BLOCK_COUNTS, self.account_id, (rows.peek(BLOCK_COUNTS, self.account_id) or 1) - 1)


class BlockPerson(Command[None], frozen=True, gc=False):
    """Block an account. If it is blocked already, nothing changes."""

    account_id: int

    def needs(self, actor: Actor, needs: Needs) -> None:
        _ask(needs, actor, self.account_id)

    def decide(self, actor: Actor, state: State) -> None:
        blocked = account_of(state, self.account_id)
        if blocked.id == actor.account_id:
            raise ChatError(Code.INVALID, "Nobody blocks themselves.", field="account_id")
        if state.get(BLOCKS, (actor.account_id, blocked.id)) is not None:
            return
        if (state.get(BLOCK_COUNTS, actor.account_id) or 0) >= MAX_BLOCKS:
            raise ChatError(Code.FORBIDDEN, f"An account blocks at most {MAX_BLOCKS} others.")
        state.record(PersonBlocked(actor.account_id, blocked.id, state.now))


class UnblockPerson(Command[None], frozen=True, gc=False):
    """Take a block back. If the account is not blocked, nothing changes."""

    account_id: int

    def needs(self, actor: Actor, needs: Needs) -> None:
        _ask(needs, actor, self.account_id)

    def decide(self, actor: Actor, state: State) -> None:
        account_of(state, self.account_id)
        if state.get(BLOCKS, (actor.account_id, self.account_id)) is not None:
            state.record(PersonUnblocked(actor.account_id, self.account_id))


def _ask(needs: Needs, actor: Actor, account_id: int) -> None:
    """Ask for what both commands read. Who holds the blocker's own log decides alone about its blocks."""
    needs.ask(HEADS, account_log(actor.account_id))
    needs.ask(ACCOUNTS, account_id)
    needs.ask(BLOCKS, (actor.account_id, account_id))
    needs.ask(BLOCK_COUNTS, actor.account_id)


def ask_blocks(needs: Needs, by: int, account_ids: Iterable[int]) -> None:
    """Ask for the rows that `check_not_blocked` reads."""
    for account_id in account_ids:
        needs.ask(BLOCKS, (account_id, by))


def check_not_blocked(state: State, by: int, account_ids: Iterable[int]) -> None:
    """Raise ChatError (NOT_FOUND) if one of these accounts has blocked `by`, as if there were no such account."""
    if any(state.get(BLOCKS, (account_id, by)) is not None for account_id in account_ids):
        raise no_such_account()
