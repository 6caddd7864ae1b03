"""Limits on making rooms, and on putting people into them."""

from collections.abc import Sequence

from veche.core.room_creation import CreateRoom
from veche.core.values import Kind
from veche.service.limits import Limit, Rate


def per_hour(count: int) -> Rate:
    return Rate(count, count / 60)


class RoomLimits:
    """What all accounts have used. The limits are per hour; an unused hour can be used at once.

    `rooms`: how many rooms one account may make. `members`: how many people one account may put into rooms. `into`:
    into how many rooms one person may be put by others, at most half of them by the same account. Direct rooms do not
    count for `into`, because two people have one.
    """

    def __init__(self, rooms: int = 600, members: int = 5000, into: int = 200) -> None:
        self._rooms = Limit(per_hour(rooms), "You have made many rooms. Wait a while.")
        self._members = Limit(per_hour(members), "You have put many people into rooms. Wait a while.")
        sentence = "Somebody of these was put into many rooms. Wait a while."
        self._into = Limit(per_hour(into), sentence)
        self._by_one = Limit(per_hour(max(1, into // 2)), sentence)
        self.limits = {"rooms": self._rooms, "members": self._members, "into": self._into, "by_one": self._by_one}

    def charge_room(self, by: int, command: CreateRoom) -> None:
        """Charge an account for a new room and its first members.

        Raises ChatError (RATE_LIMITED) if a limit is reached. Then nothing is charged.
        """
        others = [id for id in dict.fromkeys(command.member_ids) if id != by]
        self._rooms.check(by, 1)
        self.charge_members(by, others, direct=command.kind is Kind.DIRECT)
        self._rooms.take(by, 1)

    def charge_members(self, by: int, others: Sequence[int], *, direct: bool = False) -> None:
        """Charge an account for people that it puts into a room, and those people. Raises as `charge_room` does."""
        put = [] if direct else others
        for other in put:
            self._into.check(other, 1)
            self._by_one.check((by, other), 1)
        self._members.take(by, len(others))
        for other in put:
            self._into.take(other, 1)
            self._by_one.take((by, other), 1)
