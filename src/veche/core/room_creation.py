"""The command that creates a room."""

from veche.core.accounts import account_of
from veche.core.actor import Actor
from veche.core.blocks import ask_blocks, check_not_blocked
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.facts import Fact, Needs
from veche.core.invitations import INVITATION_COUNTS, INVITATIONS, check_may_be_invited, record_invitation
from veche.core.membership import Entered, enter_direct_room, entered_answer, record_join
from veche.core.names import check_name
from veche.core.rooms import DIRECT_ROOMS, ROOM_NAMES, ROOMS, RoomCreated, ask_accounts, ask_room
from veche.core.state import State
from veche.core.values import Kind, Role, Room, direct_key

ROOM_IDS = "rooms"
MAX_FIRST_MEMBERS = 100  # others named in one command: each takes two entries and two heads


def _ask_to_enter(needs: Needs, key: str, room_id: int) -> None:
    ids = list(map(int, key.split(":")))
    ask_room(needs, room_id, *ids)
    for account_id in ids:
        needs.ask(INVITATIONS, (room_id, account_id))


_ENTERABLE: Fact[str, int] = Fact("direct rooms to enter", _ask_to_enter, of=DIRECT_ROOMS)


class CreateRoom(Command[Entered], frozen=True):
    """Create a room with its first members, at most MAX_FIRST_MEMBERS others. With `invites`, the others are invited.

    A direct room has exactly one other member. If the two have a direct room already, the answer is that room, and
    who was invited into it is in it now. If one of the others has blocked the creator, the command is refused. With
    `unique`, it is refused if another room that was created with `unique` has the same name.
    """

    kind: Kind
    name: str
    member_ids: tuple[int, ...] = ()
    unique: bool = False
    invites: bool = False

    def check(self) -> None:
        check_name(self.name)
        if self.kind is Kind.LOBBY:
            raise ChatError(Code.INVALID, "There is one lobby.", field="kind")
        if len(self.member_ids) > MAX_FIRST_MEMBERS:
            sentence = f"A room begins with up to {MAX_FIRST_MEMBERS} others. Add more afterwards."
            raise ChatError(Code.INVALID, sentence, field="member_ids")

    def needs(self, actor: Actor, needs: Needs) -> None:
        ask_accounts(needs, actor.account_id, *self.member_ids)
        ask_blocks(needs, actor.account_id, self.member_ids)
        if self.unique:
            needs.ask(ROOM_NAMES, self.name)
        if self.invites:
            for id in self._other_ids(actor):
                needs.ask(INVITATION_COUNTS, id)
        if (key := self._direct_key(actor)) is not None:
            needs.ask(_ENTERABLE, key)

    def decide(self, actor: Actor, state: State) -> Entered:
        creator = account_of(state, actor.account_id)
        others = [account_of(state, id) for id in self._other_ids(actor)]
        check_not_blocked(state, creator.id, [account.id for account in others])
        key = self._direct_key(actor)
        if self.kind is Kind.DIRECT and key is None:
            raise ChatError(Code.INVALID, "A direct room has exactly one other member.", field="member_ids")
        if key is not None and (room_id := state.get(DIRECT_ROOMS, key)) is not None:
            room = state.get(ROOMS, room_id)
            assert room is not None  # a direct room is never removed
            return enter_direct_room(state, actor, room, creator)
        if self.invites:
            for account in others:
                check_may_be_invited(state, account.id)
        unique_name = self.name if self.unique else None
        if unique_name is not None and state.get(ROOM_NAMES, unique_name) is not None:
            raise ChatError(Code.TAKEN, "A room has this name.", field="name")
        room = Room(state.new_id(ROOM_IDS), self.kind, self.name, creator.id, state.now, key, unique_name)
        state.record(RoomCreated(room))
        record_join(state, actor, room, creator, Role.OWNER)
        for account in others:
            if self.invites:
                record_invitation(state, creator, room, account)
            else:
                record_join(state, actor, room, account, Role.MEMBER)
        return entered_answer(state, room, creator.id, new=True)

    def _other_ids(self, actor: Actor) -> list[int]:
        """Return the ids of the first members, each once. The creator is left out."""
        return [id for id in dict.fromkeys(self.member_ids) if id != actor.account_id]

    def _direct_key(self, actor: Actor) -> str | None:
        """Return the key of the direct room to create, or None if it is not direct or has not exactly two members."""
        others = self._other_ids(actor)
        if self.kind is not Kind.DIRECT or len(others) != 1:
            return None
        return direct_key(actor.account_id, others[0])
