"""Owners in one transaction with others who come and go, and groups that an older version left without an owner."""

from __future__ import annotations

from typing import Any

from core import commands as c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from veche.core.errors import Code
from veche.core.ownership import NAMED, OwnerChanged
from veche.core.values import Kind, Role
from veche.storage.entries import read_entries

from .conftest import Open, Town, codes
from .schemas import back_to

GROUP = 2


def owners(town: Town, room: int = GROUP) -> list[int]:
    return [id for (id,) in town.rows(f"SELECT account_id FROM members WHERE room_id = {room} AND role = 'owner'")]


def members(town: Town, room: int = GROUP) -> list[int]:
    return [id for (id,) in town.rows(f"SELECT account_id FROM members WHERE room_id = {room}")]


def test_all_leave_in_one_batch_and_somebody_comes_meanwhile(town: Town) -> None:
    outcomes = town.batch(
        c.by(1, c.AddMember(GROUP, 3)),
        c.by(1, c.LeaveRoom(GROUP)),
        c.by(2, c.AddMember(GROUP, 1)),
        c.by(2, c.LeaveRoom(GROUP)),
        c.by(3, c.UpdateRoom(GROUP, "Eve's")),
    )
    assert codes(outcomes) == ["ok"] * 5
    assert owners(town) == [3]
    assert members(town) == [1, 3]
    assert town.seqs(GROUP) == list(range(1, town.head(GROUP) + 1))


def test_a_room_made_and_left_in_one_batch(town: Town) -> None:
    town.batch(c.by(1, c.CreateRoom(Kind.CHANNEL, "New")), c.by(2, c.JoinRoom(3)), c.by(1, c.LeaveRoom(3)))
    town.batch(c.by(2, c.LeaveRoom(3)), c.by(3, c.JoinRoom(3)), c.by(1, c.JoinRoom(3)))
    assert owners(town, 3) == [3]


def test_if_all_who_could_follow_leave_at_once_the_owner_waits(town: Town) -> None:
    for number in range(NAMED + 2):
        account = town.do(c.by(c.NOBODY_ID, c.Register("h", username=f"p{number}"))).id
        town.do(c.by(1, c.AddMember(GROUP, account)))
    elders = members(town)[1:NAMED]
    leaving = [c.by(id, c.LeaveRoom(GROUP)) for id in elders]
    outcomes = town.batch(*leaving, c.by(1, c.LeaveRoom(GROUP)))
    assert codes(outcomes) == ["ok"] * len(elders) + [Code.UNAVAILABLE]
    town.do(c.by(1, c.LeaveRoom(GROUP)))
    assert owners(town) == [members(town)[0]]


verbs = st.sampled_from(["join", "leave", "add", "remove", *Role])
steps = st.lists(st.tuples(verbs, st.integers(1, 3), st.integers(1, 3)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(30), deadline=None)
@given(batches=st.lists(steps, max_size=4))
def test_after_every_batch_a_channel_with_members_has_one_owner(
    open_new: Open, batches: list[list[tuple[str, int, int]]]
) -> None:
    town = Town(open_new())
    for batch in batches:
        commands: list[c.Request] = []
        for verb, one, other in batch:
            command: c.Command[Any] = {
                "join": c.JoinRoom(1),
                "leave": c.LeaveRoom(1),
                "add": c.AddMember(1, other),
                "remove": c.RemoveMember(1, other),
                **{str(role): c.ChangeRole(1, other, role) for role in Role},
            }[verb]
            commands.append(c.by(one, command))
        town.batch(*commands)
        assert len(owners(town, 1)) == bool(members(town, 1))


def test_of_many_members_a_moderator_who_joined_last_is_next(town: Town) -> None:
    for number in range(NAMED + 2):
        account = town.do(c.by(c.NOBODY_ID, c.Register("h", username=f"p{number}"))).id
        town.do(c.by(1, c.AddMember(GROUP, account)))
    last = members(town)[-1]
    town.do(c.by(1, c.ChangeRole(GROUP, last, Role.MODERATOR)))
    town.do(c.by(1, c.ChangeRole(GROUP, 2, Role.READER)))
    first = members(town)[2]
    for owner, next_owner in ((1, last), (last, first)):
        town.do(c.by(owner, c.LeaveRoom(GROUP)))
        assert owners(town) == [next_owner]


def test_ownerless_groups_of_older_versions_get_the_member_who_joined_first(town: Town) -> None:
    town.do(c.by(1, c.AddMember(GROUP, 3)))
    with town.database.writing() as tx:
        tx.connection.execute("DELETE FROM members WHERE role = 'owner'")
    head = town.head(GROUP)
    back_to(town, "0004")
    town.database.migrate()
    assert owners(town) == [2]
    assert owners(town, 1) == [2]
    with town.database.reading() as tx:
        [event] = read_entries(tx, GROUP, head, head + 1, 9)
    assert isinstance(event, OwnerChanged)
    assert (event.person.id, event.by_id) == (2, 1)
    town.do(c.by(2, c.AddMember(GROUP, 1)))
