"""The same commands, the same outcomes and the same rows: in one memory, one by one, and in batches.

This is what proves that `core.needs` asks for enough: a decision that sees less than everything decides otherwise.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from core.world import Everything
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from veche.core import commands as c
from veche.core.accounts import Person
from veche.core.decide import check, decide
from veche.core.errors import ChatError, Code
from veche.core.events import LOGGED, LogEvent, MemberJoined, MemberLeft, Message, RoomEntered
from veche.core.rooms import LOBBY_ID, Kind
from veche.storage import read
from veche.storage.database import Database
from veche.storage.writer import commit

AT = 1_000_000
TABLES = ("accounts", "sessions", "rooms", "logs", "members", "messages", "events")
BEGINNING: list[c.Command] = [
    c.Register("h", username="ann", email="ann@x.org"),
    c.Register("h", username="bob"),
    c.Register("h", email="eve@x.org"),
    c.CreateRoom(1, Kind.GROUP, "Group", (2,)),
    c.CreateRoom(2, Kind.CHANNEL, "Channel", (1,)),
]

who = st.integers(1, 4)
member = st.integers(1, 2)  # of both rooms that there are from the beginning
home = st.sampled_from([1, 2, LOBBY_ID])
room = st.sampled_from([1, 1, 2, 2, 3, 4, LOBBY_ID])
client_id = st.sampled_from([None, None, "c1", "c2", "c3"])
text = st.sampled_from(["one", "two", "one", "two", "\0"])
seq = st.integers(0, 9) | st.just(2**63 - 1)
session = st.sampled_from(["s0", "s1", "s2"])
username = st.sampled_from(["ann", "ANN", "dan", "ann2", "ann3", "a\u200bb", "Admin"])
email = st.sampled_from(["ann@x.org", "ANN@x.org", "ann@y.org", "ann@z.org", "eve@z.org", "admin@x.org"])

commands = st.one_of(
    st.builds(c.Register, st.just("h"), username),
    st.builds(c.Register, st.just("h"), st.none(), email),
    st.builds(c.SetPassword, who, st.sampled_from(["h1", "h2"]), st.none() | session),
    st.builds(c.OpenSession, who, st.just(""), st.just("native"), st.just(60)),
    st.builds(c.EndSession, who, session),
    st.builds(c.CreateRoom, who, st.sampled_from(list(Kind)), st.just("Room"), st.lists(who, max_size=3).map(tuple)),
    st.builds(c.CreateRoom, who, st.just(Kind.GROUP), st.sampled_from(["One", "ONE"]), st.just(()), st.just(True)),
    st.builds(c.RenameAccount, who, username),
    st.builds(c.PostNotice, room, text, st.just("native")),
    st.builds(c.JoinRoom, who, room),
    st.builds(c.LeaveRoom, who, room),
    st.builds(c.AddMember, who, room, who),
    st.builds(c.RemoveMember, who, room, who),
    *[st.builds(c.SendMessage, member, home, text, st.just("native"), client_id)] * 9,
    *[st.builds(c.ReadUpTo, member, home, seq)] * 6,
    *[st.builds(c.MarkRead, member, home, st.integers(1, 4))] * 4,
    st.builds(c.ReadUpTo, who, room, seq),
    st.builds(c.MarkRead, who, room, st.integers(1, 4)),
)


@st.composite
def scripts(draw: st.DrawFn) -> list[c.Command]:
    script = list(BEGINNING)
    opened = 0
    for command in draw(st.lists(commands, min_size=30, max_size=60)):
        if isinstance(command, c.OpenSession):  # session ids are ours, and random: never the same twice
            command = msgspec.structs.replace(command, session_id=f"s{opened}")
            opened += 1
        script.append(command)
    return script


def outcome_of(outcome: Any) -> Any:
    if isinstance(outcome, ChatError):
        return outcome.code, outcome.message, outcome.data
    return outcome._replace(message=faceless(outcome.message)) if isinstance(outcome, c.Sent) else outcome


def in_memory(script: list[c.Command]) -> tuple[list[Any], list[LogEvent]]:
    state = Everything()
    outcomes = []
    for command in script:
        try:
            check(command)
            outcomes.append(outcome_of(decide(state, command, AT)))
        except ChatError as refusal:
            outcomes.append(outcome_of(refusal))
    return outcomes, plain(event for event in state.events if isinstance(event, LOGGED))


def plain(events: Iterable[LogEvent]) -> list[LogEvent]:
    return [faceless(event) for event in events]


def faceless(event: Any) -> Any:
    """Without names, which are those of the day of reading, and `read_count`, which is for the member's row alone."""
    if isinstance(event, Message):
        return msgspec.structs.replace(event, sender=Person(event.sender.id, "", ""))
    if isinstance(event, MemberJoined):
        return msgspec.structs.replace(event, person=Person(event.person.id, "", ""), read_count=0)
    if isinstance(event, MemberLeft):
        return msgspec.structs.replace(event, person=Person(event.person.id, "", ""))
    if isinstance(event, RoomEntered) and event.peer is not None:
        return msgspec.structs.replace(event, peer=Person(event.peer.id, "", ""))
    return event


class Stored:
    """What a script left behind in a database."""

    def __init__(self, template: Path, script: list[c.Command], sizes: list[int]) -> None:
        self.outcomes: list[Any] = []
        self.events: list[LogEvent] = []
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.db"
            shutil.copy(template, path)
            database = Database(f"sqlite:///{path}")
            rest = list(script)
            for size in sizes:
                batch, rest = rest[:size], rest[size:]
                self.run(database, batch)
            self.run(database, rest)
            self.look(database)
            database.close()

    def run(self, database: Database, batch: list[c.Command]) -> None:
        if batch:
            outcomes, events = commit(database, batch, AT)
            self.outcomes += map(outcome_of, outcomes)
            self.events += plain(events)

    def look(self, database: Database) -> None:
        self.logs: dict[int, list[LogEvent]] = {}
        with database.reading() as connection:
            self.rows = {
                table: sorted(
                    map(repr, connection.exec_driver_sql(f"SELECT * FROM {table} WHERE {WITHOUT_BUILT_IN[table]}"))
                )
                for table in TABLES
            }
            for log_id, head in connection.exec_driver_sql("SELECT id, last_seq FROM logs"):
                self.logs[log_id] = plain(read.entries(connection, log_id, 0, head, 10_000))
                assert [event.seq for event in self.logs[log_id]] == list(range(1, head + 1))


WITHOUT_BUILT_IN = dict.fromkeys(TABLES, "TRUE") | {"accounts": "id < 2147482624", "rooms": "id < 2147482624"}


@pytest.mark.slow
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),  # add Phase.shrink to look for the shortest script: it takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=scripts(), sizes=st.lists(st.integers(1, 9), max_size=12))
def test_how_commands_are_batched_changes_nothing(template: Path, script: list[c.Command], sizes: list[int]) -> None:
    outcomes, events = in_memory(script)
    alone = Stored(template, script, [1] * len(script))
    batched = Stored(template, script, sizes)
    at_once = Stored(template, script, [])
    for name, stored in (("one by one", alone), (f"in batches {sizes}", batched), ("all at once", at_once)):
        for index, (expected, outcome) in enumerate(zip(outcomes, stored.outcomes, strict=True)):
            assert outcome == expected, f"{name}, command {index}: {script[index]}"
        assert stored.events == events, name
        assert stored.rows == alone.rows, name
        told: dict[int, list[LogEvent]] = defaultdict(list)
        for event in events:
            told[event.log_id].append(event)
        assert {log_id: log for log_id, log in stored.logs.items() if log} == told, name


# The same, by hand: what hypothesis found, in the shortest form.

CASES: dict[str, list[c.Command]] = {
    "a message is marked as read whose author has a log": [
        c.SendMessage(1, 1, "hi", "native"),
        c.MarkRead(2, 1, 1),
    ],
    "who reads up to a message of the same batch has read it": [
        c.SendMessage(1, 1, "hi", "native"),
        c.SendMessage(1, 1, "ho", "native"),
        c.ReadUpTo(2, 1, 4),
    ],
    "who speaks in the lobby has read it, or has not": [
        c.ReadUpTo(1, LOBBY_ID, 1),
        c.SendMessage(1, LOBBY_ID, "hi", "native"),
        c.ReadUpTo(1, LOBBY_ID, 1),
        c.SendMessage(1, LOBBY_ID, "ho", "native"),
    ],
    "a direct room is made and asked for again": [
        c.CreateRoom(1, Kind.DIRECT, "", (2,)),
        c.CreateRoom(2, Kind.DIRECT, "", (1,)),
        c.SendMessage(2, 3, "hi", "native"),
    ],
    "a room is made and used at once": [
        c.CreateRoom(1, Kind.CHANNEL, "New"),
        c.JoinRoom(2, 3),
        c.SendMessage(2, 3, "hi", "native", "c1"),
        c.SendMessage(2, 3, "hi", "native", "c1"),
        c.LeaveRoom(2, 3),
    ],
    "handles are numbered": [c.Register("h", None, f"ann@{host}.org") for host in "abcdefghijkl"],
    "sessions come and go": [
        c.OpenSession(1, "s1", "native", 60),
        c.OpenSession(1, "s2", "native", 60),
        c.SetPassword(1, "h2", "s2"),
        c.EndSession(1, "s1"),
        c.EndSession(1, "s2"),
        c.EndSession(1, "s2"),
    ],
}


@pytest.mark.parametrize("name", CASES)
def test_batched_or_not(template: Path, name: str) -> None:
    script = BEGINNING + CASES[name]
    outcomes, events = in_memory(script)
    alone, at_once = Stored(template, script, [1] * len(script)), Stored(template, script, [len(BEGINNING)])
    assert Code.INTERNAL not in [outcome[0] for outcome in outcomes if isinstance(outcome, tuple) and outcome]
    for stored in (alone, at_once):
        assert stored.outcomes == outcomes
        assert stored.events == events
    assert at_once.rows == alone.rows
