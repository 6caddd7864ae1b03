"""The same commands, the same outcomes and the same rows: in one memory, one by one, and in batches.

This proves that the needs of commands name enough, and that storage loads what they name.
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
from core import commands as c
from core.world import Everything, run
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.membership import MemberJoined, MemberLeft, RoomEntered
from veche.core.messages import Message
from veche.core.ownership import OwnerChanged
from veche.core.profile import AccountChanged
from veche.core.room_renaming import RoomRenamed
from veche.core.values import LOBBY_ID, Kind, Person
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.entries import read_entries

from .conftest import Counted

AT = 1_000_000
TABLES = ("accounts", "sessions", "rooms", "logs", "members", "messages", "events")
BEGINNING: list[c.Request] = [
    c.by(c.NOBODY_ID, c.Register("h", username="ann", email="ann@x.org")),
    c.by(c.NOBODY_ID, c.Register("h", username="bob")),
    c.by(c.NOBODY_ID, c.Register("h", email="eve@x.org")),
    c.by(1, c.CreateRoom(Kind.GROUP, "Group", (2,))),
    c.by(2, c.CreateRoom(Kind.CHANNEL, "Channel", (1,))),
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


def build(command: type[c.Command[Any]], account: st.SearchStrategy[int], *fields: Any) -> st.SearchStrategy[c.Request]:
    return st.builds(c.by, account, st.builds(command, *fields))


nobody = st.just(c.NOBODY_ID)
commands = st.one_of(
    build(c.Register, nobody, st.just("h"), username),
    build(c.Register, nobody, st.just("h"), st.none(), email),
    build(
        c.SetPassword, who, st.sampled_from(["h1", "h2"]), st.none() | st.sampled_from(["h", "h1"]), st.none() | session
    ),
    build(c.OpenSession, who, st.just(""), st.just(60), st.sampled_from(["h", "h1"])),
    build(c.EndSession, who, session),
    build(c.CreateRoom, who, st.sampled_from(list(Kind)), st.just("Room"), st.lists(who, max_size=3).map(tuple)),
    build(c.CreateRoom, who, st.just(Kind.GROUP), st.sampled_from(["One", "ONE"]), st.just(()), st.just(True)),
    build(c.RenameAccount, who, username),
    build(c.ChangeProfile, who, st.none() | username, st.none() | email, st.sampled_from([None, "h", "h1"])),
    build(c.RenameRoom, who, room, st.sampled_from(["One", "Room", "Two"])),
    build(c.PostNotice, who, room, text),
    build(c.JoinRoom, who, room),
    build(c.LeaveRoom, who, room),
    build(c.AddMember, who, room, who),
    build(c.RemoveMember, who, room, who),
    *[build(c.SendMessage, member, home, text, client_id)] * 9,
    *[build(c.ReadUpTo, member, home, seq)] * 6,
    *[build(c.MarkRead, member, home, st.integers(1, 4))] * 4,
    build(c.ReadUpTo, who, room, seq),
    build(c.MarkRead, who, room, st.integers(1, 4)),
)


@st.composite
def scripts(draw: st.DrawFn) -> list[c.Request]:
    script = list(BEGINNING)
    opened = 0
    for actor, command in draw(st.lists(commands, min_size=30, max_size=60)):
        if isinstance(command, c.OpenSession):  # session ids are ours, and random: never the same twice
            command = msgspec.structs.replace(command, session_id=f"s{opened}")
            opened += 1
        script.append((actor, command))
    return script


def outcome_of(outcome: Any) -> Any:
    if isinstance(outcome, ChatError):
        return outcome.code, outcome.message, outcome.data
    return (
        msgspec.structs.replace(outcome, message=faceless(outcome.message)) if isinstance(outcome, c.Sent) else outcome
    )


def in_memory(script: list[c.Request]) -> tuple[list[Any], list[LogEvent]]:
    everything = Everything()
    outcomes: list[Any] = []
    events: list[LogEvent] = []
    for request in script:
        try:
            answer, recorded = run(everything, request, AT)
        except ChatError as refusal:
            outcomes.append(outcome_of(refusal))
        else:
            outcomes.append(outcome_of(answer))
            events += [event for event in recorded if isinstance(event, LogEvent)]
    return outcomes, plain(events)


def plain(events: Iterable[LogEvent]) -> list[LogEvent]:
    return [faceless(event) for event in events]


def faceless(event: Any) -> Any:
    """Without names, which are those of the day of reading."""
    if isinstance(event, Message):
        return msgspec.structs.replace(event, sender=Person(event.sender.id, "", ""))
    if isinstance(event, RoomEntered):
        peer = None if event.peer is None else Person(event.peer.id, "", "")
        return msgspec.structs.replace(event, room=msgspec.structs.replace(event.room, name=""), peer=peer)
    if isinstance(event, MemberJoined | MemberLeft | OwnerChanged | RoomRenamed | AccountChanged):
        return msgspec.structs.replace(event, person=Person(event.person.id, "", ""))
    return event


class Stored:
    """What a script left behind in a database."""

    def __init__(self, template: Path, script: list[c.Request], sizes: list[int]) -> None:
        self.outcomes: list[Any] = []
        self.events: list[LogEvent] = []
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.db"
            shutil.copy(template, path)
            database = Counted(f"sqlite:///{path}")
            rest = list(script)
            for size in sizes:
                batch, rest = rest[:size], rest[size:]
                self.run(database, batch)
            self.run(database, rest)
            self.look(database)
            database.close()

    def run(self, database: Counted, batch: list[c.Request]) -> None:
        if batch:
            begun = database.begun
            outcomes, events = commit(database, batch, AT)
            assert database.begun == begun + 1, "a batch was stored in parts"
            self.outcomes += map(outcome_of, outcomes)
            self.events += plain(events)

    def look(self, database: Database) -> None:
        self.logs: dict[int, list[LogEvent]] = {}
        with database.reading() as tx:
            sql = tx.connection.execute
            self.rows = {
                table: sorted(map(repr, sql(f"SELECT * FROM {table} WHERE {WITHOUT_BUILT_IN[table]}")))
                for table in TABLES
            }
            for log_id, head in sql("SELECT id, last_seq FROM logs"):
                self.logs[log_id] = plain(read_entries(tx, log_id, 0, head, 10_000))
                assert [event.seq for event in self.logs[log_id]] == list(range(1, head + 1))


WITHOUT_BUILT_IN = dict.fromkeys(TABLES, "TRUE") | {"accounts": "id < 2147482624", "rooms": "id < 2147482624"}


@pytest.mark.slow
@settings(
    max_examples=examples(20),
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),  # add Phase.shrink to look for the shortest script: it takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=scripts(), sizes=st.lists(st.integers(1, 9), max_size=12))
def test_how_commands_are_batched_changes_nothing(template: Path, script: list[c.Request], sizes: list[int]) -> None:
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

CASES: dict[str, list[c.Request]] = {
    "a message is marked as read whose author has a log": [
        c.by(1, c.SendMessage(1, "hi")),
        c.by(2, c.MarkRead(1, 1)),
    ],
    "a message is marked as read whose author has no log": [
        c.by(1, c.PostNotice(1, "hi")),
        c.by(2, c.MarkRead(1, 1)),
    ],
    "who reads up to a message of the same batch has read it": [
        c.by(1, c.SendMessage(1, "hi")),
        c.by(1, c.SendMessage(1, "ho")),
        c.by(2, c.ReadUpTo(1, 4)),
    ],
    "who speaks in the lobby has read it, or has not": [
        c.by(1, c.ReadUpTo(LOBBY_ID, 1)),
        c.by(1, c.SendMessage(LOBBY_ID, "hi")),
        c.by(1, c.ReadUpTo(LOBBY_ID, 1)),
        c.by(1, c.SendMessage(LOBBY_ID, "ho")),
    ],
    "a direct room is made and asked for again": [
        c.by(1, c.CreateRoom(Kind.DIRECT, "", (2,))),
        c.by(2, c.CreateRoom(Kind.DIRECT, "", (1,))),
        c.by(2, c.SendMessage(3, "hi")),
    ],
    "a room is made and used at once": [
        c.by(1, c.CreateRoom(Kind.CHANNEL, "New")),
        c.by(2, c.JoinRoom(3)),
        c.by(2, c.SendMessage(3, "hi", "c1")),
        c.by(2, c.SendMessage(3, "hi", "c1")),
        c.by(2, c.LeaveRoom(3)),
    ],
    "the owner and then the next one leave": [
        c.by(1, c.AddMember(1, 3)),
        c.by(1, c.LeaveRoom(1)),
        c.by(2, c.RenameRoom(1, "Bob's")),
        c.by(2, c.AddMember(1, 1)),
        c.by(2, c.RemoveMember(1, 2)),
        c.by(1, c.RenameRoom(1, "Ann's")),
        c.by(3, c.RenameRoom(1, "Eve's")),
    ],
    "a unique name changes hands": [
        c.by(1, c.CreateRoom(Kind.GROUP, "a", unique=True)),
        c.by(2, c.CreateRoom(Kind.GROUP, "b", unique=True)),
        c.by(2, c.RenameRoom(4, "a")),
        c.by(1, c.RenameRoom(3, "c")),
        c.by(2, c.RenameRoom(4, "a")),
        c.by(1, c.RenameRoom(3, "b")),
    ],
    "an e-mail changes hands": [
        c.by(1, c.ChangeProfile("Ann", "ann@y.org", "h")),
        c.by(2, c.ChangeProfile(None, "ann@x.org", "h")),
        c.by(1, c.RenameAccount("anna")),
        c.by(1, c.ChangeProfile("Anna", "bob@y.org", "h")),
        c.by(2, c.ChangeProfile(None, "ANN@y.org", "h")),
    ],
    "handles are numbered": [c.by(c.NOBODY_ID, c.Register("h", None, f"ann@{host}.org")) for host in "abcdefghijkl"],
    "sessions come and go": [
        c.by(1, c.OpenSession("s1", 60, "h")),
        c.by(1, c.OpenSession("s2", 60, "h")),
        c.by(1, c.SetPassword("h2", "h", "s2")),
        c.by(1, c.EndSession("s1")),
        c.by(1, c.EndSession("s2")),
        c.by(1, c.EndSession("s2")),
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
