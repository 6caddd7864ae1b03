"""Limits on making rooms, and on putting people into them or inviting them."""

from collections.abc import Sequence
from typing import Any

from veche.core.command import Command
from veche.core.invitations import InviteMember
from veche.core.membership import AddMember
from veche.core.room_creation import CreateRoom
from veche.core.values import Kind
from veche.service.limits import Limit, Rate


def per_hour(count: int) -> Rate:
    return Rate(count, count / 60)


class RoomLimits:
    """What all accounts have used. The limits are per hour; an unused hour can be used at once.

    `rooms`: how many rooms one account may make. `members`: how many people one account may put into rooms or invite.
    `into`: into how many rooms others may put or invite one person, at most half of them by the same account. Direct
    rooms do not count for `into`, because two people have one.
    """

    def __init__(self, rooms: int = 600, members: int = 5000, into: int = 200) -> None:
        self._rooms = Limit(per_hour(rooms), "You have made many rooms. Wait a while.", shown_as="rooms")
        sentence = "You have put many people into rooms. Wait a while."
        self._members = Limit(per_hour(members), sentence, shown_as="members")
        sentence = "Somebody of these was put into many rooms. Wait a while."
        self._into = Limit(per_hour(into), sentence)
        self._by_one = Limit(per_hour(max(1, into // 2)), sentence)
        self.limits = {"rooms": self._rooms, "members": self._members, "into": self._into, "by_one": self._by_one}

    def charge(self, by: int, command: Command[Any]) -> None:
        """Charge an account for a command. Only those that make a room or ask somebody into one are limited.

        Raises ChatError (RATE_LIMITED) if a limit is reached. Then nothing is charged.
        """
        if isinstance(command, CreateRoom):
            self.charge_room(by, command)
        elif isinstance(command, AddMember | InviteMember):
            self.charge_members(by, [command.account_id])

    def charge_room(self, by: int, command: CreateRoom) -> None:
        """Charge an account for a new room and its first members. Raises as `charge` does."""
        others = [id for id in dict.fromkeys(command.member_ids) if id != by]
        self._rooms.check(by, 1)
        self.charge_members(by, others, direct=command.kind is Kind.DIRECT)
        self._rooms.take(by, 1)

    def charge_members(self, by: int, others: Sequence[int], *, direct: bool = False) -> None:
        """Charge an account for people that it puts into a room, and those people. Raises as `charge` does."""
        put = [] if direct else others
        for other in put:
            self._into.check(other, 1)
            self._by_one.check((by, other), 1)
        self._members.take(by, len(others))
        for other in put:
            self._into.take(other, 1)
            self._by_one.take((by, other), 1)
