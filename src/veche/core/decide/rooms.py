"""Who is in which room."""

from veche.core.accounts import Account
from veche.core.commands import AddMember, CreateRoom, Entered, JoinRoom, LeaveRoom, RemoveMember
from veche.core.errors import ChatError, Code
from veche.core.events import MemberJoined, MemberLeft, RoomCreated, RoomEntered, RoomExited
from veche.core.needs import Needs
from veche.core.rooms import PUBLIC, Kind, Member, Role, Room, account_log, direct_key
from veche.core.state import State
from veche.core.text import check_name


def check_create_room(command: CreateRoom) -> None:
    """Refuse names that hide what they are."""
    check_name(command.name)


def needs_create_room(needs: Needs, command: CreateRoom) -> None:
    """Everybody who will be in it, and the direct rooms of the pairs."""
    needs.room_ids = True
    if command.unique:
        needs.unique_names.add(command.name)
    for account_id in (command.by, *command.member_ids):
        needs.accounts.add(account_id)
        needs.heads.add(account_log(account_id))
        needs.directs.add(direct_key(command.by, account_id))


def create_room(state: State, command: CreateRoom, at: int) -> Entered:
    """Make a room with its members; a direct room that exists already is answered as not new."""
    creator = state.account(command.by)
    others = [state.account(id) for id in dict.fromkeys(command.member_ids) if id != command.by]
    if command.kind is Kind.LOBBY:
        raise ChatError(Code.INVALID, "There is one lobby.", field="kind")
    key = None
    if command.kind is Kind.DIRECT:
        if len(others) != 1:
            raise ChatError(Code.INVALID, "A direct room has exactly one other member.", field="member_ids")
        key = direct_key(creator.id, others[0].id)
        if (room_id := state.directs.get(key)) is not None:
            return _entered(state, state.rooms[room_id], creator.id, new=False)
    unique_name = command.name if command.unique else None
    if unique_name in state.unique_names:
        raise ChatError(Code.TAKEN, "A room has this name.", field="name")
    room = Room(state.next_room_id, command.kind, command.name, creator.id, at, key, unique_name)
    state.record(RoomCreated(room))
    for account in (creator, *others):
        _enter(state, room, account, creator, at)
    return _entered(state, room, creator.id, new=True)


def needs_own_membership(needs: Needs, command: JoinRoom | LeaveRoom) -> None:
    """One's own membership."""
    needs.membership(command.room_id, command.by)


def join_room(state: State, command: JoinRoom, at: int) -> Entered:
    """Enter a public room; harmless twice. The lobby has everybody in it already."""
    room, account = state.room(command.room_id), state.account(command.by)
    if room.kind is Kind.LOBBY or (room.id, account.id) in state.members:
        return _entered(state, room, account.id, new=False)
    if room.kind not in PUBLIC:
        raise ChatError(Code.NOT_FOUND, "No such room.", what="room", private=True)
    _enter(state, room, account, account, at)
    return _entered(state, room, account.id, new=True)


def leave_room(state: State, command: LeaveRoom, at: int) -> None:
    """Leave a room. A direct room cannot be left; the lobby has nothing to leave."""
    room = state.room(command.room_id)
    if room.kind is Kind.LOBBY:
        return
    member_of(state, room, command.by)
    if room.kind is Kind.DIRECT:
        raise ChatError(Code.FORBIDDEN, "A direct room cannot be left.")
    _exit(state, room, state.account(command.by), command.by, at)


def needs_others_membership(needs: Needs, command: AddMember | RemoveMember) -> None:
    """One's own membership, and that of the other."""
    needs.membership(command.room_id, command.by, command.account_id)


def add_member(state: State, command: AddMember, at: int) -> Entered:
    """Bring somebody in, which only the owner may; harmless twice."""
    room = _owned(state, command.room_id, command.by)
    account = state.account(command.account_id)
    if (room.id, account.id) in state.members:
        return _entered(state, room, account.id, new=False)
    _enter(state, room, account, state.account(command.by), at)
    return _entered(state, room, account.id, new=True)


def remove_member(state: State, command: RemoveMember, at: int) -> None:
    """Put somebody out, which only the owner may."""
    room = _owned(state, command.room_id, command.by)
    if (room.id, command.account_id) not in state.members:
        raise ChatError(Code.NOT_FOUND, "No such member.", what="account")
    _exit(state, room, state.account(command.account_id), command.by, at)


def member_of(state: State, room: Room, account_id: int) -> Member:
    """Return a member of the room, or refuse: a room that is not public is not even there for others."""
    if (member := state.members.get((room.id, account_id))) is not None:
        return member
    if room.kind in PUBLIC:
        raise ChatError(Code.NOT_MEMBER, "You are not in this room.", room_id=room.id)
    raise ChatError(Code.NOT_FOUND, "No such room.", what="room", private=True)


def _owned(state: State, room_id: int, by: int) -> Room:
    room = state.room(room_id)
    if room.kind is Kind.LOBBY:
        raise ChatError(Code.FORBIDDEN, "Everybody is in the lobby.")
    if member_of(state, room, by).role is not Role.OWNER or room.kind is Kind.DIRECT:
        raise ChatError(Code.FORBIDDEN, "Only the owner of a room may do this.")
    return room


def _enter(state: State, room: Room, account: Account, by: Account, at: int) -> None:
    role = Role.OWNER if account.id == room.creator_id else Role.MEMBER  # who comes back owns it still
    own, head = account_log(account.id), state.heads[room.id]
    state.record(RoomEntered(own, state.next_seq(own), room, head.last_seq, at))
    state.record(MemberJoined(room.id, head.last_seq + 1, account.person, role, by.id, at, head.message_count))


def _exit(state: State, room: Room, account: Account, by_id: int, at: int) -> None:
    own, room_seq = account_log(account.id), state.next_seq(room.id)
    state.record(MemberLeft(room.id, room_seq, account.person, by_id, at))
    state.record(RoomExited(own, state.next_seq(own), room.id, at, room_seq))


def _entered(state: State, room: Room, account_id: int, *, new: bool) -> Entered:
    return Entered(room, state.members.get((room.id, account_id)), state.heads[room.id].last_seq, new)
