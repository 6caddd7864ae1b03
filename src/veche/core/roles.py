"""Roles: the owner of a room gives its members roles, and may hand the room over."""

from collections.abc import Mapping
from typing import ClassVar

from veche.core.access import Right
from veche.core.accounts import ACCOUNTS, account_of
from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.facts import Needs, Rows
from veche.core.membership import member_of
from veche.core.once import Done, OnceCommand
from veche.core.ownership import OwnerChanged, set_role
from veche.core.rooms import ask_room, check_room_access
from veche.core.state import State
from veche.core.values import Person, Role


class RoleChanged(LogEvent, frozen=True, gc=False):
    """A member has another role. The event is in the room's log. `by_id` is the owner, who gave the role.

    A new owner has an event of its own, `OwnerChanged`.
    """

    kind: ClassVar[str] = "role"
    stored_as: ClassVar[Mapping[str, str]] = {"by_id": "by"}
    person: Person
    role: Role
    by_id: int

    def apply(self, rows: Rows) -> None:
        set_role(rows, self.log_id, self.person.id, self.role, self.person)


class RoleGiven(Done, frozen=True, gc=False):
    """The answer to ChangeRole. The entries of the room's log up to `seq` show the result."""

    room_id: int
    seq: int
    account_id: int
    role: Role


class ChangeRole(OnceCommand[RoleGiven], frozen=True, gc=False):
    """Give a member of a room another role. Only the room's owner may do this.

    With the role of the owner, the room is handed over: the owner before becomes a member. If the member has the role
    already, nothing changes.
    """

    name: ClassVar[str] = "role"
    answer: ClassVar[type[Done]] = RoleGiven
    room_id: int
    account_id: int
    role: Role

    def needs_of_change(self, actor: Actor, needs: Needs) -> None:
        ask_room(needs, self.room_id, actor.account_id, self.account_id)
        needs.ask(ACCOUNTS, self.account_id)

    def change(self, actor: Actor, state: State) -> RoleGiven:
        room, _ = check_room_access(state, Right.MANAGE, self.room_id, actor.account_id)
        member = member_of(state, room, self.account_id)
        if member.role is self.role:
            return RoleGiven(room.id, state.head(room.id).last_seq, member.account_id, self.role)
        if member.role is Role.OWNER:
            raise ChatError(Code.FORBIDDEN, "To hand a room over, make another member its owner.")
        person, seq = account_of(state, member.account_id).person, state.next_seq(room.id)
        if self.role is Role.OWNER:
            state.record(OwnerChanged(room.id, seq, state.now, person, actor.account_id))
        else:
            state.record(RoleChanged(room.id, seq, state.now, person, self.role, actor.account_id))
        return RoleGiven(room.id, seq, member.account_id, self.role)
