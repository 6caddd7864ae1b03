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
from veche.core.deletion import MessageDeleted, without_text
from veche.core.editing import MessageEdited
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.invitations import InvitationCame, InvitationEnded, MemberInvited
from veche.core.links import code_of
from veche.core.membership import MemberJoined, MemberLeft, RoomEntered
from veche.core.messages import Message
from veche.core.ownership import OwnerChanged
from veche.core.pins import MessagePinned
from veche.core.profile import AccountChanged
from veche.core.reactions import MessageReacted
from veche.core.roles import RoleChanged
from veche.core.room_renaming import RoomRenamed
from veche.core.room_settings import RoomChanged
from veche.core.rules import NO_RULES
from veche.core.values import LOBBY_ID, Kind, Level, Person, Role, Room
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.entries import read_entries

from .conftest import Counted

AT = 1_000_000
BY_A_PERSON = (
    MemberJoined
    | MemberLeft
    | OwnerChanged
    | RoleChanged
    | MemberInvited
    | InvitationEnded
    | RoomRenamed
    | AccountChanged
    | MessageReacted
    | MessagePinned
)
TABLES = (
    "accounts",
    "sessions",
    "refreshes",
    "rooms",
    "logs",
    "members",
    "messages",
    "events",
    "revisions",
    "deletions",
    "reactions",
    "tallies",
    "pins",
    "bans",
    "invitations",
    "person_words",
    "links",
    "blocks",
    "client_ids",
    "followers",
    "thread_messages",
    "mentions",
)
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
text = st.sampled_from(["one", "two", "one @bob, @ann.", "two @room @eve", "\0"])
seq = st.integers(0, 9) | st.just(2**63 - 1)
emoji = st.sampled_from(["\U0001f44d", "\u2764\ufe0f"])
code = st.builds(code_of, st.just(NO_RULES.keys[0]), st.integers(1, 3), st.sampled_from([AT, AT, AT + 1])) | st.just(
    "x"
)
session = st.sampled_from(["s0", "s1", "s2"])
username = st.sampled_from(["ann", "ANN", "dan", "ann2", "ann3", "a\u200bb", "Admin"])
email = st.sampled_from(["ann@x.org", "ANN@x.org", "ann@y.org", "ann@z.org", "eve@z.org", "admin@x.org"])


def build(
    command: type[c.Command[Any]], account: st.SearchStrategy[int], *fields: Any, **named: Any
) -> st.SearchStrategy[c.Request]:
    return st.builds(c.by, account, st.builds(command, *fields, **named))


def refresh(number: int) -> list[st.SearchStrategy[Any]]:
    """The fields of a RefreshSession after the session: the token of this number, its successor and the lifetime."""
    return [st.just(number), st.just(f"h{number}"), st.just(f"h{number + 1}"), st.just(60)]


ANSWERED = {"reply_to_id": st.none() | st.integers(1, 4), "thread_id": st.none() | st.integers(1, 3)}
nobody = st.just(c.NOBODY_ID)
commands = st.one_of(
    build(c.Register, nobody, st.just("h"), username),
    build(c.Register, nobody, st.just("h"), st.none(), email),
    build(
        c.SetPassword, who, st.sampled_from(["h1", "h2"]), st.none() | st.sampled_from(["h", "h1"]), st.none() | session
    ),
    build(c.OpenSession, who, st.just(""), st.just(60), st.sampled_from(["h", "h1"])),
    build(c.OpenRefreshedSession, who, st.builds(c.OpenSession, st.just(""), st.just(60), st.just("h")), st.just("h0")),
    *[st.integers(0, 2).flatmap(lambda number: build(c.RefreshSession, who, session, *refresh(number)))] * 3,
    build(c.EndSession, who, session),
    build(c.CreateRoom, who, st.sampled_from(list(Kind)), st.just("Room"), st.lists(who, max_size=3).map(tuple)),
    build(c.CreateRoom, who, st.just(Kind.GROUP), st.sampled_from(["One", "ONE"]), st.just(()), st.just(True)),
    build(c.RenameAccount, who, username),
    build(c.ChangeProfile, who, st.none() | username, st.none() | email, st.sampled_from([None, "h", "h1"])),
    build(c.ChangeProfile, member, hides_reading=st.booleans()),
    build(c.UpdateRoom, who, room, st.sampled_from(["One", "Room", "Two"])),
    *[
        build(
            c.UpdateRoom,
            member,
            home,
            st.none() | st.just("One"),
            st.sampled_from([None, "", "Lunch"]),
            st.sampled_from([None, False, False, True]),
            st.sampled_from([None, 0, 5]),
            client_id=client_id,
        )
    ]
    * 3,
    build(c.PostNotice, who, room, text),
    build(c.JoinRoom, who, room),
    build(c.LeaveRoom, who, room),
    build(c.AddMember, who, room, who),
    build(c.RemoveMember, who, room, who),
    build(c.BlockPerson, who, who),
    build(c.UnblockPerson, who, who),
    *[build(c.InviteMember, who, room, who, client_id=client_id)] * 3,
    *[build(c.EndInvitation, who, room, who, client_id=client_id)] * 2,
    build(c.MakeLink, who, room, st.sampled_from([None, 60]), st.sampled_from([None, 1]), client_id=client_id),
    build(c.RevokeLink, who, room, code, client_id=client_id),
    *[build(c.JoinByLink, who, code)] * 2,
    *[build(c.BanMember, who, room, who, st.none() | st.just(60), client_id=client_id)] * 2,
    *[build(c.UnbanMember, who, room, who, client_id=client_id)] * 2,
    *[build(c.ChangeRole, who, room, who, st.sampled_from(list(Role)), client_id=client_id)] * 2,
    *[build(c.SendMessage, member, home, text, client_id)] * 9,
    *[build(c.ReadUpTo, member, home, seq)] * 6,
    *[build(c.MarkRead, member, home, st.integers(1, 4))] * 4,
    *[build(c.EditMessage, member, home, st.integers(1, 4), text, client_id=client_id)] * 4,
    *[build(c.DeleteMessage, member, home, st.integers(1, 4), client_id=client_id)] * 2,
    *[build(c.SendReply, member, home, text, client_id, **ANSWERED)] * 4,
    build(c.SendReply, who, room, text, client_id, **ANSWERED),
    *[build(c.SetLevel, who, room, st.sampled_from(list(Level)), client_id=client_id)] * 2,
    build(c.FollowThread, who, home, st.integers(1, 4), st.booleans(), client_id=client_id),
    *[build(c.React, member, home, st.integers(1, 4), emoji, st.booleans(), client_id=client_id)] * 4,
    *[build(c.PinMessage, member, home, st.integers(1, 4), st.booleans(), client_id=client_id)] * 3,
    build(c.React, who, room, st.integers(1, 4), emoji, st.booleans(), client_id=client_id),
    build(c.PinMessage, who, room, st.integers(1, 4), st.booleans(), client_id=client_id),
    build(c.EditMessage, who, room, st.integers(1, 4), text, client_id=client_id),
    build(c.DeleteMessage, who, room, st.integers(1, 4), client_id=client_id),
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
        if isinstance(command, c.OpenRefreshedSession):
            opening = msgspec.structs.replace(command.opening, session_id=f"s{opened}")
            command = msgspec.structs.replace(command, opening=opening)
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
    if isinstance(event, MessageEdited):
        return msgspec.structs.replace(event, message=faceless(event.message))
    if isinstance(event, RoomEntered):
        peer = None if event.peer is None else Person(event.peer.id, "", "")
        return msgspec.structs.replace(event, room=nameless(event.room), peer=peer)
    if isinstance(event, RoomChanged):
        return msgspec.structs.replace(event, room=nameless(event.room), person=Person(event.person.id, "", ""))
    if isinstance(event, InvitationCame):
        return msgspec.structs.replace(event, room=nameless(event.room), person=Person(event.person.id, "", ""))
    if isinstance(event, BY_A_PERSON):
        return msgspec.structs.replace(event, person=Person(event.person.id, "", ""))
    return event


def nameless(room: Room) -> Room:
    return msgspec.structs.replace(room, name="", unique_name=None)


def as_now(events: Iterable[LogEvent]) -> dict[int, list[LogEvent]]:
    """The entries of each log as they are read at the end: with messages and rooms as they are then."""
    now: dict[int, Message] = {}
    rooms: dict[int, Room] = {}
    for event in events:
        if isinstance(event, RoomChanged):
            rooms[event.room.id] = event.room
        if isinstance(event, Message):
            now[event.id] = event
            if event.references is not None and (id := event.references.thread_id) is not None:
                counts = {"replies": event.references.thread_seq, "last_reply_seq": event.seq}
                now[id] = msgspec.structs.replace(now[id], **counts)
        elif isinstance(event, MessageEdited):
            now[event.message.id] = event.message
        elif isinstance(event, MessageDeleted):
            now[event.message_id] = without_text(now[event.message_id], event.revision, event.by_id)
    logs: dict[int, list[LogEvent]] = defaultdict(list)
    for event in events:
        if isinstance(event, Message):
            event = now[event.id]
        elif isinstance(event, MessageEdited):
            event = msgspec.structs.replace(event, message=now[event.message.id])
        elif isinstance(event, RoomEntered | RoomChanged | InvitationCame):
            event = msgspec.structs.replace(event, room=rooms.get(event.room.id, event.room))
        logs[event.log_id].append(event)
    return logs


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
        assert {log_id: log for log_id, log in stored.logs.items() if log} == as_now(events), name


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
        c.by(2, c.UpdateRoom(1, "Bob's")),
        c.by(2, c.AddMember(1, 1)),
        c.by(2, c.RemoveMember(1, 2)),
        c.by(1, c.UpdateRoom(1, "Ann's")),
        c.by(3, c.UpdateRoom(1, "Eve's")),
    ],
    "a message is changed in the batch that sends it": [
        c.by(1, c.SendMessage(1, "hi", "c1")),
        c.by(1, c.EditMessage(1, 1, "ho", client_id="c2")),
        c.by(1, c.EditMessage(1, 1, "hm")),
        c.by(1, c.SendMessage(1, "hi", "c1")),
        c.by(2, c.MarkRead(1, 1)),
        c.by(1, c.SendMessage(1, "ho", "c1")),
        c.by(1, c.EditMessage(1, 1, "ho", client_id="c2")),
        c.by(1, c.SendMessage(1, "ho", "c2")),
    ],
    "a message is sent, edited, deleted and sent again at once": [
        c.by(2, c.SendMessage(1, "hi", "c1")),
        c.by(2, c.EditMessage(1, 1, "ho")),
        c.by(1, c.DeleteMessage(1, 1, client_id="c1")),
        c.by(2, c.DeleteMessage(1, 1, client_id="c2")),
        c.by(2, c.EditMessage(1, 1, "hm")),
        c.by(2, c.SendMessage(1, "hi", "c1")),
        c.by(1, c.DeleteMessage(1, 1, client_id="c1")),
    ],
    "a thread begins, grows and loses its first message at once": [
        c.by(1, c.SendMessage(1, "hi", "c1")),
        c.by(2, c.SendReply(1, "one", "c1", thread_id=1)),
        c.by(2, c.SendReply(1, "one", "c1", thread_id=1)),
        c.by(1, c.EditMessage(1, 1, "ho")),
        c.by(1, c.SendReply(1, "two", reply_to_id=2, thread_id=1)),
        c.by(2, c.FollowThread(1, 1, False)),
        c.by(2, c.SendReply(1, "three", thread_id=1)),
        c.by(1, c.DeleteMessage(1, 1)),
        c.by(2, c.SendReply(1, "four", thread_id=1)),
        c.by(2, c.SendReply(1, "five", thread_id=2)),
        c.by(2, c.FollowThread(1, 1)),
    ],
    "who is mentioned changes in the batch": [
        c.by(1, c.SendMessage(1, "hi @bob")),
        c.by(1, c.EditMessage(1, 1, "hi @room")),
        c.by(1, c.EditMessage(1, 1, "hi @bob @bob @nobody")),
        c.by(2, c.SendReply(1, "@ann and @eve", reply_to_id=1)),
        c.by(2, c.RenameAccount("robert")),
        c.by(1, c.SendMessage(1, "@bob @robert")),
        c.by(2, c.DeleteMessage(1, 2)),
        c.by(2, c.SendMessage(2, "@room")),
        c.by(1, c.SendMessage(2, "@room")),
    ],
    "reactions and pins come and go with their message": [
        c.by(1, c.SendMessage(1, "hi")),
        c.by(2, c.React(1, 1, "\U0001f44d", client_id="c1")),
        c.by(1, c.React(1, 1, "\U0001f44d")),
        c.by(1, c.React(1, 1, "\u2764\ufe0f")),
        c.by(2, c.React(1, 1, "\U0001f44d", False)),
        c.by(1, c.PinMessage(1, 1)),
        c.by(1, c.PinMessage(1, 1, False)),
        c.by(2, c.PinMessage(1, 1, client_id="c2")),
        c.by(1, c.DeleteMessage(1, 1)),
        c.by(2, c.React(1, 1, "\U0001f44d", client_id="c1")),
        c.by(1, c.React(1, 1, "\U0001f44d")),
        c.by(2, c.PinMessage(1, 1)),
        c.by(2, c.PinMessage(1, 1, client_id="c2")),
    ],
    "an owner appoints, hands over and leaves": [
        c.by(1, c.JoinRoom(1)),
        c.by(3, c.JoinRoom(1)),
        c.by(1, c.ChangeRole(1, 3, Role.MODERATOR, client_id="c1")),
        c.by(1, c.ChangeRole(1, 2, Role.READER)),
        c.by(2, c.SendMessage(1, "hi", "c1")),
        c.by(1, c.ChangeRole(1, 3, Role.MODERATOR, client_id="c1")),
        c.by(1, c.LeaveRoom(1)),
        c.by(3, c.ChangeRole(1, 2, Role.OWNER)),
        c.by(2, c.RemoveMember(1, 3)),
    ],
    "a ban is made, replaced, taken back and made again": [
        c.by(1, c.BanMember(1, 3, 60, client_id="c1")),
        c.by(1, c.AddMember(1, 3)),
        c.by(1, c.BanMember(1, 3)),
        c.by(1, c.BanMember(1, 3)),
        c.by(1, c.UnbanMember(1, 3)),
        c.by(1, c.AddMember(1, 3)),
        c.by(1, c.BanMember(1, 2, 60)),
        c.by(1, c.UnbanMember(1, 2)),
        c.by(1, c.BanMember(1, 3, 60, client_id="c1")),
        c.by(1, c.BanMember(1, 3, 60, client_id="c2")),
    ],
    "an invitation is refused, made again, taken back and accepted": [
        c.by(1, c.InviteMember(1, 3, client_id="c1")),
        c.by(3, c.EndInvitation(1, 3)),
        c.by(1, c.InviteMember(1, 3, client_id="c1")),
        c.by(1, c.InviteMember(1, 3)),
        c.by(1, c.EndInvitation(1, 3)),
        c.by(1, c.InviteMember(1, 3)),
        c.by(3, c.JoinRoom(1)),
        c.by(1, c.BanMember(1, 3)),
        c.by(1, c.InviteMember(1, 3)),
    ],
    "a link is used up, made again and revoked": [
        c.by(1, c.MakeLink(1, 60, 1, client_id="c1")),
        c.by(1, c.MakeLink(1, client_id="c1")),
        c.by(3, c.JoinByLink(code_of(NO_RULES.keys[0], 1, AT))),
        c.by(3, c.JoinByLink(code_of(NO_RULES.keys[0], 1, AT))),
        c.by(3, c.LeaveRoom(1)),
        c.by(3, c.JoinByLink(code_of(NO_RULES.keys[0], 1, AT))),
        c.by(1, c.MakeLink(1)),
        c.by(1, c.MakeLink(1)),
        c.by(1, c.RevokeLink(1, code_of(NO_RULES.keys[0], 1, AT + 1))),
        c.by(3, c.JoinByLink(code_of(NO_RULES.keys[0], 1, AT + 2))),
    ],
    "a block is made, taken back and made again": [
        c.by(3, c.BlockPerson(1)),
        c.by(3, c.BlockPerson(1)),
        c.by(1, c.AddMember(1, 3)),
        c.by(1, c.CreateRoom(Kind.DIRECT, "", (3,))),
        c.by(3, c.UnblockPerson(1)),
        c.by(1, c.CreateRoom(Kind.DIRECT, "", (3,))),
        c.by(3, c.BlockPerson(1)),
        c.by(1, c.CreateRoom(Kind.DIRECT, "", (3,))),
    ],
    "a room is renamed, slow, archived and brought back": [
        c.by(1, c.UpdateRoom(1, "Crew", "Lunch", slow_seconds=5, client_id="c1")),
        c.by(2, c.SendMessage(1, "hi")),
        c.by(1, c.SendMessage(1, "hi")),
        c.by(1, c.UpdateRoom(1, "Team", archived=True)),
        c.by(1, c.SendMessage(1, "ho")),
        c.by(1, c.UpdateRoom(1, "Crew", "Lunch", slow_seconds=5, client_id="c1")),
        c.by(1, c.UpdateRoom(1, archived=False)),
        c.by(1, c.SendMessage(1, "ho")),
    ],
    "a level is set in a room and in the lobby": [
        c.by(1, c.SendMessage(1, "hi")),
        c.by(2, c.SetLevel(1, Level.NONE)),
        c.by(2, c.ReadUpTo(1, 3)),
        c.by(1, c.SendMessage(LOBBY_ID, "hi")),
        c.by(2, c.SetLevel(LOBBY_ID, Level.MENTIONS, client_id="c1")),
        c.by(2, c.SendMessage(LOBBY_ID, "ho")),
        c.by(2, c.SetLevel(LOBBY_ID, Level.MENTIONS, client_id="c1")),
    ],
    "a unique name changes hands": [
        c.by(1, c.CreateRoom(Kind.GROUP, "a", unique=True)),
        c.by(2, c.CreateRoom(Kind.GROUP, "b", unique=True)),
        c.by(2, c.UpdateRoom(4, "a")),
        c.by(1, c.UpdateRoom(3, "c")),
        c.by(2, c.UpdateRoom(4, "a")),
        c.by(1, c.UpdateRoom(3, "b")),
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
    assert {log_id: log for log_id, log in at_once.logs.items() if log} == as_now(events)
