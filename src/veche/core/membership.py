"""Who is in which room: joining, leaving, adding and removing."""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from veche.core.access import Right, archived, check_is_above
from veche.core.accounts import account_of
from veche.core.actor import Actor
from veche.core.blocks import ask_blocks, check_not_blocked
from veche.core.command import Command
from veche.core.effects import Close, Open
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.facts import Needs, Rows
from veche.core.invitations import ACCEPTABLE, INVITATIONS, accept
from veche.core.ownership import ELDERS, SUCCESSORS, Elder, hand_over, note_joined, note_left, role_of_newcomer
from veche.core.rooms import BANS, MEMBERS, ROOMS, ask_accounts, ask_room, check_not_banned, check_room_access
from veche.core.state import State
from veche.core.values import Account, Kind, Member, Person, Role, Room, account_log


class MemberJoined(LogEvent, frozen=True, gc=False):
    """An account joined the room. The event is in the room's log.

    For this account, all earlier messages count as read.
    """

    kind: ClassVar[str] = "joined"
    stored_as: ClassVar[Mapping[str, str]] = {"by_id": "by", "read_count": "count"}
    person: Person
    role: Role
    by_id: int
    read_count: int = 0

    def apply(self, rows: Rows) -> None:
        key = (self.log_id, self.person.id)
        rows.put(MEMBERS, key, Member(*key, self.role, self.at, self.seq, self.read_count))
        note_joined(rows, self.log_id, Elder(self.role, self.at, self.person))


class MemberLeft(LogEvent, frozen=True, gc=False):
    """An account left the room or was removed from it. The event is in the room's log."""

    kind: ClassVar[str] = "left"
    stored_as: ClassVar[Mapping[str, str]] = {"by_id": "by"}
    person: Person
    by_id: int

    def apply(self, rows: Rows) -> None:
        rows.remove(MEMBERS, (self.log_id, self.person.id))
        note_left(rows, self.log_id, self.person.id)

    def effects(self) -> tuple[Close]:
        return (Close(self.person.id, self.log_id, self.seq, self.at),)


class RoomEntered(LogEvent, frozen=True, gc=False):
    """The account joined a room. The event is in the account's own log.

    The account gets the entries of the room's log after seq `room_seq`.
    `peer` is the other person of a direct room.
    """

    kind: ClassVar[str] = "entered"
    stored_as: ClassVar[Mapping[str, str]] = {"room_seq": "seq"}
    room: Room
    room_seq: int
    peer: Person | None = None

    def effects(self) -> tuple[Open]:
        return (Open(-self.log_id, self.room.id, self.room_seq),)


class RoomExited(LogEvent, frozen=True, gc=False):
    """The account left a room or was removed from it. The event is in the account's own log.

    `room_seq` is the seq of the MemberLeft entry in the room's log. It is None in entries that an older version
    stored without it.
    """

    kind: ClassVar[str] = "exited"
    stored_as: ClassVar[Mapping[str, str]] = {"room_seq": "seq"}
    room_id: int
    room_seq: int | None = None

    def effects(self) -> tuple[Close]:
        return (Close(-self.log_id, self.room_id, self.room_seq, self.at),)


class Entered(NamedTuple):
    """The answer to the commands that put an account into a room: join, add, create.

    `new` is False if the account was in the room before.
    """

    room: Room
    member: Member | None  # None if the account has no member row, which is possible only in the lobby
    head_seq: int
    new: bool


class JoinRoom(Command[Entered], frozen=True, gc=False):
    """Join a public room, or a room that the account is invited into. Who joins an empty room becomes its owner.

    If the account is already a member, or the room is the lobby, nothing changes.
    """

    room_id: int

    def needs(self, actor: Actor, needs: Needs) -> None:
        ask_to_join(needs, self.room_id, actor.account_id)
        needs.ask(ACCEPTABLE, (self.room_id, actor.account_id))

    def decide(self, actor: Actor, state: State) -> Entered:
        account = account_of(state, actor.account_id)
        room = state.get(ROOMS, self.room_id)
        if room is None or state.get(INVITATIONS, (room.id, account.id)) is None:
            room, _ = check_room_access(state, Right.JOIN, self.room_id, account.id)
        return join(state, actor, room)


class LeaveRoom(Command[None], frozen=True, gc=False):
    """Leave a room. If the owner leaves, another member becomes the owner (`core.ownership`).

    A direct room cannot be left: the command is refused. In the lobby the command does nothing.
    """

    room_id: int

    def needs(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id)
        ask_accounts(needs, actor.account_id)
        needs.ask(SUCCESSORS, self.room_id)

    def decide(self, actor: Actor, state: State) -> None:
        room, _ = check_room_access(state, Right.LEAVE, self.room_id, actor.account_id)
        if room.kind is not Kind.LOBBY:
            record_leave(state, actor, room, account_of(state, actor.account_id))


class AddMember(Command[Entered], frozen=True, gc=False):
    """Add an account to a room. Only the room's owner may do this, unless the account has blocked them.

    If the account is already a member, nothing changes.
    """

    room_id: int
    account_id: int

    def needs(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id, self.account_id)
        ask_accounts(needs, self.account_id)
        needs.ask(BANS, (self.room_id, self.account_id))
        needs.ask(INVITATIONS, (self.room_id, self.account_id))
        ask_blocks(needs, actor.account_id, [self.account_id])

    def decide(self, actor: Actor, state: State) -> Entered:
        room, _ = check_room_access(state, Right.MANAGE, self.room_id, actor.account_id)
        account = account_of(state, self.account_id)
        if state.get(MEMBERS, (room.id, account.id)) is not None:
            return entered_answer(state, room, account.id, new=False)
        check_not_blocked(state, actor.account_id, [account.id])
        check_not_banned(state, room.id, account.id)
        return _let_in(state, actor, room, account, Role.MEMBER)


class RemoveMember(Command[None], frozen=True, gc=False):
    """Remove a member from a room. The owner may do this, and moderators may remove members and readers.

    Those who may remove others and remove themselves leave.
    """

    room_id: int
    account_id: int

    def needs(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id, self.account_id)
        ask_accounts(needs, self.account_id)
        needs.ask(SUCCESSORS, self.room_id)

    def decide(self, actor: Actor, state: State) -> None:
        room, mine = check_room_access(state, Right.REMOVE, self.room_id, actor.account_id)
        member = member_of(state, room, self.account_id)
        if mine is not None and member.account_id != mine.account_id:
            check_is_above(mine, member)
        record_leave(state, actor, room, account_of(state, self.account_id))


def member_of(state: State, room: Room, account_id: int) -> Member:
    """Return a member of a room. Raises ChatError (NOT_FOUND)."""
    member = state.get(MEMBERS, (room.id, account_id))
    if member is None:
        raise ChatError(Code.NOT_FOUND, "No such member.", what="account")
    return member


def ask_to_join(needs: Needs, room_id: int, account_id: int) -> None:
    """Ask for the rows that `join` reads, but for the invitation."""
    ask_room(needs, room_id, account_id)
    ask_accounts(needs, account_id)
    needs.ask(ELDERS, room_id)
    needs.ask(BANS, (room_id, account_id))


def join(state: State, actor: Actor, room: Room) -> Entered:
    """Let the actor join a room that it may enter. Raises ChatError if the room is archived, or the actor is banned."""
    account = account_of(state, actor.account_id)
    if room.kind is Kind.LOBBY or state.get(MEMBERS, (room.id, account.id)) is not None:
        return entered_answer(state, room, account.id, new=False)
    if room.archived_at is not None:
        raise archived()
    check_not_banned(state, room.id, account.id)
    return _let_in(state, actor, room, account, role_of_newcomer(state, room))


def enter_direct_room(state: State, actor: Actor, room: Room, account: Account) -> Entered:
    """Let the actor, whose account it is, into its direct room, unless it is in the room."""
    if state.get(MEMBERS, (room.id, account.id)) is not None:
        return entered_answer(state, room, account.id, new=False)
    return _let_in(state, actor, room, account, Role.MEMBER)


def _let_in(state: State, actor: Actor, room: Room, account: Account, role: Role) -> Entered:
    """Let an account that is not in a room into it. It is not invited any more, if it was."""
    accept(state, room.id, account.id)
    record_join(state, actor, room, account, role)
    return entered_answer(state, room, account.id, new=True)


def record_join(state: State, actor: Actor, room: Room, account: Account, role: Role) -> None:
    """Record in the room's log and in the account's own log that an account joined a room.

    If the room is direct, the decision has asked for both accounts.
    """
    own, head, now = account_log(account.id), state.head(room.id), state.now
    peer_id = room.peer_of(account.id)
    peer = None if peer_id is None else account_of(state, peer_id).person
    state.record(RoomEntered(own, state.next_seq(own), now, room, head.last_seq, peer))
    seq = head.last_seq + 1
    state.record(MemberJoined(room.id, seq, now, account.person, role, actor.account_id, head.message_count))


def record_leave(state: State, actor: Actor, room: Room, account: Account) -> None:
    """Record in the room's log and in the account's own log that an account left a room, or was removed from it."""
    hand_over(state, room, account.id)
    own, seq, now = account_log(account.id), state.next_seq(room.id), state.now
    state.record(MemberLeft(room.id, seq, now, account.person, actor.account_id))
    state.record(RoomExited(own, state.next_seq(own), now, room.id, seq))


def entered_answer(state: State, room: Room, account_id: int, *, new: bool) -> Entered:
    """Return the `Entered` answer for an account that is in a room."""
    return Entered(room, state.get(MEMBERS, (room.id, account_id)), state.head(room.id).last_seq, new)
