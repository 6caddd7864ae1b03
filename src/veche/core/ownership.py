"""Who owns a room: as long as a group or a channel has members, one of them is its owner."""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from msgspec.structs import replace

from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.facts import Fact, Needs, Rows
from veche.core.rooms import MEMBERS
from veche.core.state import State
from veche.core.values import Person, Role, Room

NAMED = 9  # how many members of a room `Elders` names when it is read


class Elder(NamedTuple):
    """A member, its role, and when it joined, in microseconds since 1970."""

    role: Role
    joined_at: int
    person: Person

    @property
    def place(self) -> tuple[int, int, int]:
        return self.role.place, self.joined_at, self.person.id


class Elders(NamedTuple):
    """The first members of a room: the owner, then moderators, members and readers, each in the order of joining.

    `all` is False if the room has more members than are named.
    """

    named: tuple[Elder, ...]
    all: bool

    def after_joining(self, elder: Elder) -> "Elders":
        if self.all or (self.named and elder.place < self.named[-1].place):
            return Elders(tuple(sorted((*self.named, elder), key=lambda one: one.place)), self.all)
        return self

    def after_change(self, account_id: int, role: Role, joined_at: int, person: Person | None) -> "Elders":
        named = [elder.person for elder in self.named if elder.person.id == account_id]
        others = self.after_leaving(account_id)
        person = named[0] if named else person
        return others if person is None else others.after_joining(Elder(role, joined_at, person))

    def after_leaving(self, account_id: int) -> "Elders":
        return Elders(tuple(elder for elder in self.named if elder.person.id != account_id), self.all)


def _ask_members(needs: Needs, room_id: int, elders: Elders) -> None:
    for elder in elders.named:
        if elder.role is not Role.OWNER:  # who leaves, and asks for its own row
            needs.ask(MEMBERS, (room_id, elder.person.id))


ELDERS: Fact[int, Elders] = Fact("elders")  # by room
SUCCESSORS: Fact[int, Elders] = Fact("successors", then=_ask_members)  # the same, for whoever may hand over


class OwnerChanged(LogEvent, frozen=True, gc=False):
    """Another member is the owner of the room now. The event is in the room's log.

    The former owner, `by_id`, is a member now. If it leaves, the entry of that comes next.
    """

    kind: ClassVar[str] = "owner"
    stored_as: ClassVar[Mapping[str, str]] = {"by_id": "by"}
    person: Person
    by_id: int

    def apply(self, rows: Rows) -> None:
        set_role(rows, self.log_id, self.by_id, Role.MEMBER)
        set_role(rows, self.log_id, self.person.id, Role.OWNER, self.person)


def set_role(rows: Rows, room_id: int, account_id: int, role: Role, person: Person | None = None) -> None:
    """Give a member another role. `person` may be left out for the owner, whom the elders always name."""
    if (member := rows.peek(MEMBERS, (room_id, account_id))) is None:
        return
    rows.put(MEMBERS, (room_id, account_id), replace(member, role=role))
    for fact in (ELDERS, SUCCESSORS):
        if (elders := rows.peek(fact, room_id)) is not None:
            rows.put(fact, room_id, elders.after_change(account_id, role, member.joined_at, person))


def note_joined(rows: Rows, room_id: int, elder: Elder) -> None:
    """Add a member to the elders of a room, for the later commands of this transaction."""
    for fact in (ELDERS, SUCCESSORS):
        if (elders := rows.peek(fact, room_id)) is not None:
            rows.put(fact, room_id, elders.after_joining(elder))


def note_left(rows: Rows, room_id: int, account_id: int) -> None:
    """Remove a member from the elders of a room, for the later commands of this transaction."""
    for fact in (ELDERS, SUCCESSORS):
        if (elders := rows.peek(fact, room_id)) is not None:
            rows.put(fact, room_id, elders.after_leaving(account_id))


def role_of_newcomer(state: State, room: Room) -> Role:
    """Return the role of an account that joins a room by itself. Whoever joins an empty room owns it."""
    elders = state.get(ELDERS, room.id)
    return Role.OWNER if elders == Elders((), True) else Role.MEMBER


def hand_over(state: State, room: Room, account_id: int) -> None:
    """Before a member leaves: if it is the owner, make another member the owner. The room may be empty.

    A moderator is first, then a member, then a reader. Of several, it is the one who joined first.

    Raises ChatError (UNAVAILABLE) if all members whose names were read have left in this transaction, and there are
    others. The same command succeeds in the next transaction.
    """
    member = state.get(MEMBERS, (room.id, account_id))
    if member is None or member.role is not Role.OWNER:
        return
    elders = state.get(SUCCESSORS, room.id) or Elders((), True)
    others = elders.after_leaving(account_id).named
    if others:
        state.record(OwnerChanged(room.id, state.next_seq(room.id), state.now, others[0].person, account_id))
    elif not elders.all:
        raise ChatError(Code.UNAVAILABLE, "Too many members leave this room just now. Send it again.")
