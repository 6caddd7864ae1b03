"""Limits on making rooms, and on putting people into them."""

from collections.abc import Sequence

from veche.core.room_creation import CreateRoom
from veche.core.values import Kind
from veche.service.allowances import Allowance

HOUR = 3600.0


class RoomLimits:
    """The allowances of all accounts. The limits are per hour; an unused hour can be used at once.

    `rooms`: how many rooms one account may make. `members`: how many people one account may put into rooms. `into`:
    into how many rooms one person may be put by others, at most half of them by the same account. Direct rooms do not
    count for `into`, because two people have one.
    """

    def __init__(self, rooms: int = 600, members: int = 5000, into: int = 200) -> None:
        self._rooms = Allowance(rooms, HOUR, "You have made many rooms. Wait a while.")
        self._members = Allowance(members, HOUR, "You have put many people into rooms. Wait a while.")
        sentence = "Somebody of these was put into many rooms. Wait a while."
        self._into = Allowance(into, HOUR, sentence)
        self._by_one = Allowance(max(1, into // 2), HOUR, sentence)

    def charge_room(self, by: int, command: CreateRoom) -> None:
        """Charge an account for a new room and its first members.

        Raises ChatError (RATE_LIMITED) if an allowance is used up. Then nothing is charged.
        """
        others = [id for id in dict.fromkeys(command.member_ids) if id != by]
        self._rooms.check(by, 1)
        self.charge_members(by, others, direct=command.kind is Kind.DIRECT)
        self._rooms.charge(by, 1)

    def charge_members(self, by: int, others: Sequence[int], *, direct: bool = False) -> None:
        """Charge an account for people that it puts into a room, and those people. Raises as `charge_room` does."""
        put = [] if direct else others
        for other in put:
            self._into.check(other, 1)
            self._by_one.check((by, other), 1)
        self._members.charge(by, len(others))
        for other in put:
            self._into.charge(other, 1)
            self._by_one.charge((by, other), 1)
