"""Invitations: a person is asked into a room, and joins it or refuses. Nobody is put into a room by one."""

from collections.abc import Mapping
from typing import ClassVar

from veche.core.access import Right
from veche.core.accounts import ACCOUNTS, account_of
from veche.core.actor import Actor
from veche.core.blocks import ask_blocks, check_not_blocked
from veche.core.errors import ChatError, Code
from veche.core.event import Event, LogEvent
from veche.core.facts import Fact, Needs, Rows
from veche.core.once import Done, OnceCommand
from veche.core.rooms import BANS, MEMBERS, ask_accounts, ask_room, check_not_banned, check_room_access
from veche.core.state import State
from veche.core.values import Account, Invitation, Person, Room, account_log

MAX_INVITATIONS = 1000  # of one account that it has not answered

INVITATIONS: Fact[tuple[int, int], Invitation] = Fact("invitations")  # by (room, account)


def _ask_inviter(needs: Needs, key: tuple[int, int], invitation: Invitation) -> None:
    needs.ask(ACCOUNTS, invitation.by_id)


# An invitation that may be accepted: in a direct room, who invited is shown to who accepts.
ACCEPTABLE: Fact[tuple[int, int], Invitation] = Fact("acceptable invitations", then=_ask_inviter, of=INVITATIONS)
INVITATION_COUNTS: Fact[int, int] = Fact("invitation counts")  # by account: how many it has not answered


class MemberInvited(LogEvent, frozen=True, gc=False):
    """An account was invited into the room. The event is in the room's log."""

    kind: ClassVar[str] = "invited"
    stored_as: ClassVar[Mapping[str, str]] = {"by_id": "by"}
    person: Person
    by_id: int

    def apply(self, rows: Rows) -> None:
        key = (self.log_id, self.person.id)
        rows.put(INVITATIONS, key, Invitation(*key, self.by_id, self.at))
        rows.put(INVITATION_COUNTS, self.person.id, (rows.peek(INVITATION_COUNTS, self.person.id) or 0) + 1)


class InvitationEnded(LogEvent, frozen=True, gc=False):
    """An invitation was refused or taken back. The event is in the room's log. `by_id` is who did it."""

    kind: ClassVar[str] = "uninvited"
    stored_as: ClassVar[Mapping[str, str]] = {"by_id": "by"}
    person: Person
    by_id: int

    def apply(self, rows: Rows) -> None:
        _remove(rows, self.log_id, self.person.id)


class InvitationAccepted(Event, frozen=True, gc=False):
    """An account that joins a room has no invitation any more. The entries of its joining say the rest."""

    room_id: int
    account_id: int

    def apply(self, rows: Rows) -> None:
        _remove(rows, self.room_id, self.account_id)


class InvitationCame(LogEvent, frozen=True, gc=False):
    """The account was invited into a room by `person`. The event is in the account's own log."""

    kind: ClassVar[str] = "invitation"
    room: Room
    person: Person


class InvitationGone(LogEvent, frozen=True, gc=False):
    """The account refused an invitation, or it was taken back. The event is in the account's own log."""

    kind: ClassVar[str] = "invitation_ended"
    room_id: int


class Invited(Done, frozen=True, gc=False):
    """The answer to InviteMember and EndInvitation. The entries of the room's log up to `seq` show the result."""

    room_id: int
    seq: int
    account_id: int


class InviteMember(OnceCommand[Invited], frozen=True, gc=False):
    """Invite an account into a room. The owner and the moderators may do this, unless the account has blocked them.

    If the account is invited already, nothing changes. Whoever is in the room, or banned from it, is not invited.
    """

    name: ClassVar[str] = "invite"
    answer: ClassVar[type[Done]] = Invited
    room_id: int
    account_id: int

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id, self.account_id)
        ask_accounts(needs, self.account_id)
        needs.ask(ACCOUNTS, actor.account_id)
        needs.ask(BANS, (self.room_id, self.account_id))
        needs.ask(INVITATIONS, (self.room_id, self.account_id))
        needs.ask(INVITATION_COUNTS, self.account_id)
        ask_blocks(needs, actor.account_id, [self.account_id])

    def change(self, actor: Actor, state: State) -> Invited:
        room, _ = check_room_access(state, Right.INVITE, self.room_id, actor.account_id)
        account = account_of(state, self.account_id)
        if state.get(MEMBERS, (room.id, account.id)) is not None:
            raise ChatError(Code.INVALID, "This account is in the room.", field="account_id")
        check_not_blocked(state, actor.account_id, [account.id])
        check_not_banned(state, room.id, account.id)
        if state.get(INVITATIONS, (room.id, account.id)) is None:
            check_may_be_invited(state, account.id)
            record_invitation(state, account_of(state, actor.account_id), room, account)
        return Invited(room.id, state.head(room.id).last_seq, account.id)


class EndInvitation(OnceCommand[Invited], frozen=True, gc=False):
    """Refuse an invitation, or take it back. The owner and the moderators take back those of others.

    If the account is not invited, nothing changes.
    """

    name: ClassVar[str] = "uninvite"
    answer: ClassVar[type[Done]] = Invited
    room_id: int
    account_id: int

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        ask_accounts(needs, self.account_id)
        needs.ask(INVITATIONS, (self.room_id, self.account_id))

    def change(self, actor: Actor, state: State) -> Invited:
        invitation = state.get(INVITATIONS, (self.room_id, self.account_id))
        if self.account_id != actor.account_id:
            check_room_access(state, Right.INVITE, self.room_id, actor.account_id)
        elif invitation is None:
            raise ChatError(Code.NOT_FOUND, "No such invitation.", what="invitation")
        person = account_of(state, self.account_id).person
        if invitation is not None:
            record_end(state, actor, self.room_id, person)
        return Invited(self.room_id, state.head(self.room_id).last_seq, person.id)


def check_may_be_invited(state: State, account_id: int) -> None:
    """Raise ChatError (FORBIDDEN) if an account has too many invitations that it has not answered."""
    if (state.get(INVITATION_COUNTS, account_id) or 0) >= MAX_INVITATIONS:
        raise ChatError(Code.FORBIDDEN, "This account has too many invitations that it has not answered.")


def record_invitation(state: State, by: Account, room: Room, account: Account) -> None:
    """Record in the room's log and in the account's own log that an account was invited."""
    own, now = account_log(account.id), state.now
    state.record(MemberInvited(room.id, state.next_seq(room.id), now, account.person, by.id))
    state.record(InvitationCame(own, state.next_seq(own), now, room, by.person))


def record_end(state: State, actor: Actor, room_id: int, person: Person) -> None:
    """Record in the room's log and in the account's own log that an invitation was refused or taken back."""
    own, now = account_log(person.id), state.now
    state.record(InvitationEnded(room_id, state.next_seq(room_id), now, person, actor.account_id))
    state.record(InvitationGone(own, state.next_seq(own), now, room_id))


def accept(state: State, room_id: int, account_id: int) -> None:
    """Record that an account that joins a room has no invitation any more, if it had one."""
    if state.get(INVITATIONS, (room_id, account_id)) is not None:
        state.record(InvitationAccepted(room_id, account_id))


def _remove(rows: Rows, room_id: int, account_id: int) -> None:
    rows.remove(INVITATIONS, (room_id, account_id))
    if (count := rows.peek(INVITATION_COUNTS, account_id)) is not None:
        rows.put(INVITATION_COUNTS, account_id, count - 1)
