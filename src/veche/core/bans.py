"""Bans: who may not be in a room, for a time or until the ban is taken back."""

from collections.abc import Mapping
from typing import ClassVar

from veche.core.access import Right, check_is_above
from veche.core.accounts import ACCOUNTS, account_of
from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.facts import Needs, Rows
from veche.core.invitations import INVITATIONS, record_end
from veche.core.membership import record_leave
from veche.core.once import Done, OnceCommand
from veche.core.rooms import BANS, MEMBERS, ask_accounts, ask_room, ban_of, check_room_access
from veche.core.state import State
from veche.core.values import MICROSECONDS, Ban, Person

MAX_BAN = 10 * 365 * 86_400  # seconds; who means longer bans without an end


class MemberBanned(LogEvent, frozen=True, gc=False):
    """An account was banned from the room. The event is in the room's log.

    If the account is a member or invited, the entry that ends this comes next. `until` is None if the ban has no end.
    """

    kind: ClassVar[str] = "banned"
    stored_as: ClassVar[Mapping[str, str]] = {"by_id": "by"}
    person: Person
    by_id: int
    until: int | None = None

    def apply(self, rows: Rows) -> None:
        key = (self.log_id, self.person.id)
        rows.put(BANS, key, Ban(*key, self.by_id, self.at, self.until))


class MemberUnbanned(LogEvent, frozen=True, gc=False):
    """The ban of an account was taken back. The event is in the room's log."""

    kind: ClassVar[str] = "unbanned"
    stored_as: ClassVar[Mapping[str, str]] = {"by_id": "by"}
    person: Person
    by_id: int

    def apply(self, rows: Rows) -> None:
        rows.remove(BANS, (self.log_id, self.person.id))


class Banned(Done, frozen=True, gc=False):
    """The answer to BanMember. The entries of the room's log up to `seq` show the result."""

    room_id: int
    seq: int
    account_id: int
    until: int | None


class Unbanned(Done, frozen=True, gc=False):
    """The answer to UnbanMember. The entries of the room's log up to `seq` show the result."""

    room_id: int
    seq: int
    account_id: int


class BanMember(OnceCommand[Banned], frozen=True, gc=False):
    """Ban an account from a room, for some seconds or without an end. A member is removed, an invitation taken back.

    The owner and the moderators may do this to everybody who has no role, or a lower role than they. Another ban of
    the same account replaces the first one.
    """

    name: ClassVar[str] = "ban"
    answer: ClassVar[type[Done]] = Banned
    room_id: int
    account_id: int
    seconds: int | None = None

    def check(self) -> None:
        super().check()
        if self.seconds is not None and not 1 <= self.seconds <= MAX_BAN:
            raise ChatError(Code.INVALID, f"A ban has 1 to {MAX_BAN} seconds, or no end.", field="seconds")

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id, self.account_id)
        ask_accounts(needs, self.account_id)
        needs.ask(BANS, (self.room_id, self.account_id))
        needs.ask(INVITATIONS, (self.room_id, self.account_id))

    def change(self, actor: Actor, state: State) -> Banned:
        room, mine = check_room_access(state, Right.REMOVE, self.room_id, actor.account_id)
        account = account_of(state, self.account_id)
        member = state.get(MEMBERS, (room.id, account.id))
        if member is not None and mine is not None:
            check_is_above(mine, member)
        until = None if self.seconds is None else state.now + self.seconds * MICROSECONDS
        ban = ban_of(state, room.id, account.id)
        if ban is not None and ban.until is None and until is None:
            return Banned(room.id, state.head(room.id).last_seq, account.id, None)
        seq = state.next_seq(room.id)
        state.record(MemberBanned(room.id, seq, state.now, account.person, actor.account_id, until))
        if member is not None:
            record_leave(state, actor, room, account)
        elif state.get(INVITATIONS, (room.id, account.id)) is not None:
            record_end(state, actor, room.id, account.person)
        return Banned(room.id, state.head(room.id).last_seq, account.id, until)


class UnbanMember(OnceCommand[Unbanned], frozen=True, gc=False):
    """Take back the ban of an account from a room. The owner and the moderators may do this.

    If the account is not banned, nothing changes.
    """

    name: ClassVar[str] = "unban"
    answer: ClassVar[type[Done]] = Unbanned
    room_id: int
    account_id: int

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        needs.ask(ACCOUNTS, self.account_id)
        needs.ask(BANS, (self.room_id, self.account_id))

    def change(self, actor: Actor, state: State) -> Unbanned:
        room, _ = check_room_access(state, Right.REMOVE, self.room_id, actor.account_id)
        person = account_of(state, self.account_id).person
        if ban_of(state, room.id, person.id) is not None:
            state.record(MemberUnbanned(room.id, state.next_seq(room.id), state.now, person, actor.account_id))
        return Unbanned(room.id, state.head(room.id).last_seq, person.id)
