"""How many rooms an account may make, and how many people it may put into them."""

from __future__ import annotations

import pytest

from veche.core.errors import ChatError
from veche.core.invitations import InviteMember
from veche.core.membership import AddMember
from veche.core.messages import SendMessage
from veche.core.room_creation import CreateRoom
from veche.core.values import Kind
from veche.service.room_limits import RoomLimits


def make(limits: RoomLimits, by: int, *others: int, kind: Kind = Kind.GROUP) -> bool:
    try:
        limits.charge(by, CreateRoom(kind, "x", others))
    except ChatError:
        return False
    return True


def test_rooms_and_people_put_into_them_are_counted_by_account() -> None:
    limits = RoomLimits(rooms=2, members=3, into=100)
    assert make(limits, 1, 2, 2, 1)
    assert not make(limits, 1, 2, 3, 4), "that were four people"
    assert make(limits, 1, 2, 3), "a refusal costs nothing"
    assert not make(limits, 1)
    assert make(limits, 2, 1, 3, 4)


def test_one_person_is_put_into_so_many_rooms_and_by_one_account_into_half_of_them() -> None:
    limits = RoomLimits(into=4)
    victim = 9
    assert [make(limits, 1, victim, 8) for _ in range(3)] == [True, True, False]
    assert make(limits, 1, 7, 6)
    assert [make(limits, by, victim) for by in (2, 3, 4)] == [True, True, False]
    assert make(limits, 5, victim, kind=Kind.DIRECT)
    with pytest.raises(ChatError):
        limits.charge_members(6, [victim])


@pytest.mark.parametrize("command", [AddMember, InviteMember])
def test_who_is_added_and_who_is_invited_is_counted_alike(command: type[AddMember | InviteMember]) -> None:
    limits = RoomLimits(members=3, into=2)
    limits.charge(1, command(7, 9))
    with pytest.raises(ChatError):
        limits.charge(1, command(8, 9))
    for other in (5, 6):
        limits.charge(1, command(8, other))
    with pytest.raises(ChatError):
        limits.charge(1, command(8, 4))
    limits.charge(1, SendMessage(7, "hi"))
