"""Rows of the `events` table, also those that an older version wrote."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import pytest
from core import commands as c

from veche.core.effects import Close
from veche.core.event import LogEvent
from veche.core.membership import MemberJoined, RoomExited
from veche.core.messages import Message
from veche.core.values import LOBBY_ID, Kind, Level, Role
from veche.storage.codec import Codec
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.entries import CODEC, EVENT_TYPES, read_entries

from .conftest import Town


@pytest.mark.parametrize(("data", "room_seq"), [("{}", None), ('{"seq":4}', 4)])
def test_an_exit_names_the_entry_of_the_room_unless_it_is_old(
    database: Database, data: str, room_seq: int | None
) -> None:
    with database.writing() as tx:
        row = f"INSERT INTO events VALUES (-3, 1, 'exited', 99, NULL, {LOBBY_ID}, '{data}')"
        tx.connection.execute(row)
    with database.reading() as tx:
        [event] = read_entries(tx, -3, 0, 1, 10)
    assert event == RoomExited(-3, 1, 99, LOBBY_ID, room_seq)
    assert event.effects() == (Close(3, LOBBY_ID, room_seq, 99),)


def test_an_exit_is_stored_with_the_entry_of_the_room() -> None:
    row = CODEC.encode(RoomExited(-3, 2, 99, 7, 4))
    assert (row["kind"], row["room_id"], row["data"]) == ("exited", 7, '{"seq":4}')


def test_every_kind_of_entry_is_read_back_as_it_was_announced(town: Town) -> None:
    """Each field, also the count of messages that a new member has read."""
    _, announced = commit(
        town.database,
        [
            town.say(1),
            town.say(1),
            c.by(3, c.JoinRoom(1)),
            town.say(1, by=3),
            c.by(2, c.ReadUpTo(1, 4)),
            c.by(2, c.MarkRead(1, 3)),
            c.by(3, c.LeaveRoom(1)),
            c.by(1, c.CreateRoom(Kind.DIRECT, "", (3,))),
            c.by(3, c.EndSession("unknown")),
            c.by(3, c.SetPassword("h", None, "kept")),
            c.by(2, c.ChangeProfile(None, "bob@x.org", "hash")),
            c.by(1, c.UpdateRoom(2, "Crew")),
            c.by(1, c.UpdateRoom(2, topic="Lunch")),
            c.by(1, c.ChangeRole(1, 2, Role.MODERATOR)),
            c.by(2, c.BanMember(1, 3, 60)),
            c.by(2, c.UnbanMember(1, 3)),
            c.by(1, c.InviteMember(1, 3)),
            c.by(3, c.EndInvitation(1, 3)),
            c.by(1, c.LeaveRoom(1)),
        ],
    )
    _, changes = commit(
        town.database,
        [
            c.by(2, c.SendMessage(2, "hi")),
            c.by(2, c.EditMessage(2, 4, "ho")),
            c.by(2, c.SendMessage(2, "hi")),
            c.by(2, c.DeleteMessage(2, 5)),
            c.by(2, c.FollowThread(2, 4)),
            c.by(2, c.React(2, 4, "\U0001f44d")),
            c.by(2, c.PinMessage(2, 4)),
            c.by(2, c.SetLevel(2, Level.NONE)),
        ],
    )
    announced += [event for event in changes if not isinstance(event, Message)]
    assert {type(event) for event in announced} == {*EVENT_TYPES, Message}
    [joined] = [event for event in announced if isinstance(event, MemberJoined) and event.log_id == 1]
    assert joined.read_count == 2
    with town.database.reading() as tx:
        for event in announced:
            assert read_entries(tx, event.log_id, event.seq - 1, event.seq, 1) == [event]


@pytest.mark.slow
def test_threads_may_read_a_kind_for_the_first_time_at_once() -> None:
    """In a process of its own, because msgspec crashes if two threads examine the same class at once."""
    done = subprocess.run([sys.executable, "-c", FIRST_READS], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "all read\n"), done.stderr


FIRST_READS = """
import sys, threading
from types import SimpleNamespace
import msgspec
from veche.core.event import LogEvent
from veche.storage.codec import Codec

sys.setswitchinterval(1e-6)
for number in range(100):
    fields = [(f"g{n}", dict[str, list[int]] | None, None) for n in range(20)]
    nested = msgspec.defstruct("Nested", fields)
    fields = [("nested", nested | None, None), *((f"f{n}", str | None, None) for n in range(8))]
    kind = msgspec.defstruct("Kind", fields, bases=(LogEvent,), namespace={"kind": "kind"}, frozen=True)
    codec = Codec([kind])
    row = SimpleNamespace(kind="kind", data='{"f7":"x"}', log_id=1, seq=1, created_at=1)
    together = threading.Barrier(4)
    found = []

    def read():
        together.wait()
        found.append(codec.decode(row, {}, {}, {}).f7)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["x"] * 4, found
print("all read")
"""


def test_two_events_cannot_be_stored_under_one_kind() -> None:
    class Other(LogEvent, frozen=True, gc=False):
        kind: ClassVar[str] = "exited"

    with pytest.raises(TypeError, match="RoomExited and Other are both stored as 'exited'"):
        Codec([RoomExited, Other])
