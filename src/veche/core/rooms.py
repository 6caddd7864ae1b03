"""The facts about rooms and their members, and the access check that commands share."""

from veche.core.access import Right, check_access
from veche.core.accounts import ACCOUNTS
from veche.core.errors import ChatError, Code
from veche.core.event import Event
from veche.core.facts import Fact, Needs, Rows
from veche.core.state import HEADS, State
from veche.core.values import RESERVED_IDS, Ban, Head, Kind, Member, Room, account_log

ROOMS: Fact[int, Room] = Fact("rooms")
MEMBERS: Fact[tuple[int, int], Member] = Fact("members")  # by (room, account)
BANS: Fact[tuple[int, int], Ban] = Fact("bans")  # by (room, account)
ROOM_NAMES: Fact[str, int] = Fact("room names")  # by unique name: the id of the room that has the name
DIRECT_ROOMS: Fact[str, int] = Fact("direct rooms")  # by `direct_key`: the id of the room


class RoomCreated(Event, frozen=True, gc=False):
    """A room was created. Each member's joining is a separate event."""

    room: Room

    def apply(self, rows: Rows) -> None:
        room = self.room
        rows.put(ROOMS, room.id, room)
        rows.put(HEADS, room.id, Head())
        if room.direct_key is not None:
            rows.put(DIRECT_ROOMS, room.direct_key, room.id)
        if room.unique_name is not None:
            rows.put(ROOM_NAMES, room.unique_name, room.id)


def ask_room(needs: Needs, room_id: int, *account_ids: int) -> None:
    """Ask for a room, for the head of its log, and for the member rows of these accounts in it."""
    needs.ask(ROOMS, room_id)
    needs.ask(HEADS, room_id)
    for account_id in account_ids:
        needs.ask(MEMBERS, (room_id, account_id))


def ask_accounts(needs: Needs, *account_ids: int) -> None:
    """Ask for accounts with the heads of their own logs."""
    for account_id in account_ids:
        needs.ask(ACCOUNTS, account_id)
        needs.ask(HEADS, account_log(account_id))


def check_room_access(state: State, right: Right, room_id: int, account_id: int) -> tuple[Room, Member | None]:
    """Check that an account has a right in a room, or raise ChatError.

    Return the room, and the account's member row in it (None if it has none).
    """
    member = state.get(MEMBERS, (room_id, account_id))
    return check_access(right, state.get(ROOMS, room_id), member), member


def hears(state: State, room: Room, account_id: int) -> bool:
    """Return whether an account gets what happens in a room. Nobody gets what happens in a room that they have left."""
    if account_id >= RESERVED_IDS:
        return False
    return room.kind is Kind.LOBBY or state.get(MEMBERS, (room.id, account_id)) is not None


def ban_of(state: State, room_id: int, account_id: int) -> Ban | None:
    """Return the ban of an account from a room, or None if there is none or it is over."""
    ban = state.get(BANS, (room_id, account_id))
    return None if ban is None or (ban.until is not None and ban.until <= state.now) else ban


def check_not_banned(state: State, room_id: int, account_id: int) -> None:
    """Raise ChatError (FORBIDDEN) if an account is banned from a room."""
    if ban_of(state, room_id, account_id) is not None:
        raise ChatError(Code.FORBIDDEN, "This account is banned from the room.", reason="banned")
