"""Statements on a message's way look rows up, and never walk through a table."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import pytest
from core import commands as c

from veche.core.links import code_of
from veche.core.rules import NO_RULES
from veche.core.values import LOBBY_ID, Kind, Level, Role
from veche.storage.accounts import credentials
from veche.storage.bans import list_bans
from veche.storage.blocks import blocked_by
from veche.storage.closing import closed
from veche.storage.database import Database
from veche.storage.echo import closed_echoes, echo_page
from veche.storage.engines.engine import Query, Transaction, Write
from veche.storage.engines.prepared import Prepared
from veche.storage.engines.sqlite import Sqlite
from veche.storage.entries import read_entries
from veche.storage.invitations import invitations_of, invited_into
from veche.storage.links import links_of, room_of_link
from veche.storage.log import head_seqs
from veche.storage.membership import list_members
from veche.storage.messages import history
from veche.storage.people import people_by_prefix
from veche.storage.pins import pinned
from veche.storage.reactions import page_with_reactions, reacted_people
from veche.storage.refreshing import session_page
from veche.storage.rooms import public_rooms, room, rooms_of, welcome
from veche.storage.seen import seen_by
from veche.storage.sessions import expired, session_with_account, sessions_of

from .conftest import Town

LARGE = (
    "bans",
    "blocks",
    "invitations",
    "person_words",
    "links",
    "messages",
    "members",
    "accounts",
    "rooms",
    "logs",
    "events",
    "sessions",
    "refreshes",
    "echoes",
    "echo_lines",
    "closed_accounts",
    "reactions",
    "tallies",
    "pins",
)

COMMANDS: list[c.Request] = [
    c.by(1, c.SendMessage(1, "hi", "c1")),
    c.by(2, c.ReadUpTo(1, 3)),
    c.by(2, c.MarkRead(1, 1)),
    c.by(1, c.React(1, 1, "\U0001f44d", client_id="c2")),
    c.by(1, c.React(1, 1, "\U0001f44d", False)),
    c.by(1, c.PinMessage(1, 1)),
    c.by(1, c.PinMessage(1, 1, False)),
    c.by(1, c.DeleteMessage(1, 1)),
    c.by(3, c.JoinRoom(1)),
    c.by(3, c.LeaveRoom(1)),
    c.by(1, c.UpdateRoom(1, "Crew")),
    c.by(1, c.UpdateRoom(1, topic="Lunch")),
    c.by(1, c.SetLevel(1, Level.NONE)),
    c.by(1, c.ChangeRole(1, 2, Role.MODERATOR)),
    c.by(1, c.InviteMember(1, 3)),
    c.by(1, c.EndInvitation(1, 3)),
    c.by(1, c.MakeLink(1, 60, 1)),
    c.by(3, c.JoinByLink(code_of(NO_RULES.keys[0], 1, 1))),
    c.by(1, c.RevokeLink(1, code_of(NO_RULES.keys[0], 1, 1))),
    c.by(1, c.BanMember(1, 3)),
    c.by(1, c.UnbanMember(1, 3)),
    c.by(1, c.BlockPerson(3)),
    c.by(1, c.UnblockPerson(3)),
    c.by(1, c.ChangeProfile("Ann", "ann@x.org", "hash")),
    c.by(c.NOBODY_ID, c.Register("h", username="dan")),
    c.by(c.NOBODY_ID, c.Register("h", email="dan@x.org")),
    c.by(1, c.OpenSession("s1", 60, "hash")),
    c.by(1, c.OpenRefreshedSession(c.OpenSession("s3", 60, "hash"), "h0")),
    c.by(1, c.RefreshSession("s3", 0, "h0", "h1", 60)),
    c.by(1, c.SetPassword("h", None, "s1")),
    c.by(1, c.EndSession("s1")),
    c.by(1, c.RevokeSession("s1")),
    c.by(1, c.EndSessions()),
    c.by(1, c.EndSessions(kept="s1")),
    c.by(c.NOBODY_ID, c.ForgetSessions(("s1", "s2"))),
    c.by(1, c.DisableAccount()),
    c.by(1, c.EnableAccount()),
    c.by(1, c.DeleteAccount()),
    c.by(1, c.CreateRoom(Kind.DIRECT, "", (2,))),
]

QUERIES: dict[str, Callable[[Transaction], object]] = {
    "entries": lambda on: read_entries(on, 1, 0, 9, 200),
    "entries of one's own": lambda on: read_entries(on, -1, 0, 9, 200),
    "heads": lambda on: head_seqs(on, [1, 2, -1]),
    "welcome": lambda on: welcome(on, 2, "s1"),
    "room": lambda on: room(on, 1, 2),
    "rooms": lambda on: rooms_of(on, 2, 0, 50),
    "public rooms": lambda on: public_rooms(on, 2, 0, 50),
    "members": lambda on: list_members(on, 1, 0, 50),
    "bans": lambda on: list_bans(on, 1, 0, 50, 0),
    "blocks": lambda on: blocked_by(on, 1, 0, 50),
    "people by a prefix": lambda on: people_by_prefix(on, 1, "da", 20),
    "invitations": lambda on: invitations_of(on, 1, 0, 50),
    "who is invited": lambda on: invited_into(on, 1, 0, 50),
    "links": lambda on: links_of(on, 1, 0),
    "link": lambda on: room_of_link(on, "x", 0),
    "people of the lobby": lambda on: list_members(on, LOBBY_ID, 0, 50),
    "newest": lambda on: history(on, 1, 50),
    "before": lambda on: history(on, 1, 50, before=9),
    "after": lambda on: history(on, 1, 50, after=2),
    "around": lambda on: history(on, 1, 50, around=3),
    "with reactions": lambda on: page_with_reactions(on, 1, history(on, 1, 50)),
    "who reacted": lambda on: reacted_people(on, 1, "\U0001f44d", 0, 50),
    "pins": lambda on: pinned(on, 1, 1, 9, 50),
    "who has seen it": lambda on: seen_by(on, 1, 1, 1, 0, 50),
    "echoes": lambda on: closed_echoes(on, 1),
    "lines of an echo": lambda on: echo_page(on, [1, 2], 0),
    "session": lambda on: session_with_account(on, "s1"),
    "page of sessions": lambda on: session_page(on, 1, (9, "s1"), 50),
    "sessions of an account": lambda on: sessions_of(on, 1),
    "expired sessions": lambda on: expired(on, 9, 100),
    "closed accounts": lambda on: closed(on, [1, 2]),
    "by username": lambda on: credentials(on, username="ann"),
    "by e-mail": lambda on: credentials(on, email="dan@x.org"),
}


class Statements:
    """Those that ran, with what SQLite would do for each."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plans: dict[str, list[str]] = {}
        self.count = 0
        self._path = database.path
        engine = cast(Sqlite, database._engine)
        self._prepared = engine.prepared
        monkeypatch.setattr(engine, "prepared", self.note)

    def note(self, statement: Query | Write, names: Iterable[str]) -> Prepared:
        prepared = self._prepared(statement, names)
        self.count += 1
        self.explain(prepared.sql)
        return prepared

    def explain(self, sql: str) -> None:
        if re.match(r"\s*(SELECT|UPDATE|DELETE)", sql, re.I) and sql not in self.plans:
            with contextlib.closing(sqlite3.connect(self._path)) as connection:
                rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?")).fetchall()
            self.plans[sql] = [str(row[3]) for row in rows]

    def scans(self) -> Iterator[str]:
        for statement, plan in self.plans.items():
            for step in plan:
                found = re.match(r"SCAN (\w+)", step)
                if found and found.group(1) in LARGE:
                    yield f"{step}: {' '.join(statement.split())}"


@pytest.fixture
def statements(town: Town, monkeypatch: pytest.MonkeyPatch) -> Statements:
    town.batch(*[town.say(1, "hi", f"m{n}") for n in range(5)])
    return Statements(town.database, monkeypatch)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda request: type(request[1]).__name__)
def test_a_command_looks_rows_up(town: Town, statements: Statements, command: c.Request) -> None:
    if isinstance(command[1], c.LeaveRoom):
        town.do(c.by(3, c.JoinRoom(1)))
    town.batch(command)
    assert statements.plans
    assert list(statements.scans()) == []


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_looks_rows_up(town: Town, statements: Statements, name: str) -> None:
    with town.database.reading() as connection:
        QUERIES[name](connection)
    assert statements.plans
    assert list(statements.scans()) == []


def test_a_walk_through_a_table_would_be_seen(town: Town, statements: Statements) -> None:
    statements.explain("SELECT text FROM messages WHERE text = 'hi'")
    assert len(list(statements.scans())) == 1


def test_a_batch_takes_as_many_statements_as_a_single_command(town: Town, statements: Statements) -> None:
    def count(commands: list[c.Request]) -> int:
        before = statements.count
        town.batch(*commands)
        return statements.count - before

    one = count([town.say(1, "hi", "a1")])
    hundred = count([town.say(1 + n % 2, "hi", f"b{n}", 1 + n % 2) for n in range(100)])
    assert hundred == one > 0
