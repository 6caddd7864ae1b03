"""Two nodes that write at once: whatever moment one of them stops at, both do as if one had come after the other.

One node stops in its transaction, either before it locks the logs or after it has read its rows. Meanwhile the other
node runs its command. What both are answered, and all tables, have to be as they are on SQLite after one of the two
orders.

Ids have a gap where a transaction was rolled back, or drew an id for a message that turned out to be a repeat. Then the
ids are not compared.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import psycopg
import pytest
from core import commands as c

from veche.core.errors import ChatError
from veche.core.links import code_of
from veche.core.rules import NO_RULES
from veche.core.values import LOBBY_ID, RESERVED_IDS, Kind, Level, Role
from veche.storage import batch, opening
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.engines.postgres_transaction import PostgresTransaction
from veche.storage.tables import metadata, tables_with_given_ids

from .conftest import Open, somebody_waits

ANN, BOB, EVE, FAY = 1, 2, 3, 4
CHANNEL, GROUP, REQUEST = 1, 2, 3
AT = 1_700_000_000_000_000
CODE = code_of(NO_RULES.keys[0], CHANNEL, AT)
TABLES = sorted(set(metadata.tables) - {"meta", "last_commits"})  # the first is `accounts`


def signed_in(account_id: int, command: c.Command[Any]) -> c.Request:
    """Return a command that needs its session."""
    return c.Actor(account_id, "native", f"session of {account_id}"), command


COMMANDS: dict[str, c.Request] = {
    "send": signed_in(BOB, c.SendMessage(CHANNEL, "hi")),
    "send once": signed_in(ANN, c.SendMessage(CHANNEL, "hi", "c1")),
    "send once, other text": signed_in(ANN, c.SendMessage(CHANNEL, "ho", "c1")),
    "send to the lobby": signed_in(BOB, c.SendMessage(LOBBY_ID, "hi")),
    "edit": signed_in(ANN, c.EditMessage(CHANNEL, 1, "edited")),
    "edit once": signed_in(ANN, c.EditMessage(CHANNEL, 2, "edited", client_id="c2")),
    "edit once, elsewhere": signed_in(ANN, c.EditMessage(GROUP, 3, "edited", client_id="c2")),
    "send what was edited": signed_in(ANN, c.SendMessage(CHANNEL, "second", "sent")),
    "delete a message": signed_in(ANN, c.DeleteMessage(CHANNEL, 1)),
    "delete a message once": signed_in(ANN, c.DeleteMessage(CHANNEL, 2, client_id="c2")),
    "reply": signed_in(BOB, c.SendReply(CHANNEL, "reply", "r1", reply_to_id=2, thread_id=1)),
    "reply again": signed_in(BOB, c.SendReply(CHANNEL, "reply", "r1", reply_to_id=2, thread_id=1)),
    "follow": signed_in(BOB, c.FollowThread(CHANNEL, 1)),
    "follow no longer": signed_in(ANN, c.FollowThread(CHANNEL, 1, False)),
    "mention": signed_in(ANN, c.SendMessage(CHANNEL, "@bob and @bobby")),
    "react": signed_in(BOB, c.React(CHANNEL, 1, "\U0001f44d")),
    "react alike": signed_in(ANN, c.React(CHANNEL, 1, "\U0001f44d")),
    "react once": signed_in(ANN, c.React(CHANNEL, 2, "\U0001f44d", client_id="c2")),
    "take back": signed_in(ANN, c.React(CHANNEL, 2, "\u2764\ufe0f", False)),
    "pin": signed_in(ANN, c.PinMessage(CHANNEL, 1)),
    "pin in a group": signed_in(BOB, c.PinMessage(GROUP, 3)),
    "unpin": signed_in(ANN, c.PinMessage(CHANNEL, 2, False)),
    "unpin in a group once": signed_in(ANN, c.PinMessage(GROUP, 3, False, client_id="c2")),
    "read": signed_in(BOB, c.ReadUpTo(CHANNEL, 3)),
    "mark read": signed_in(BOB, c.MarkRead(CHANNEL, 1)),
    "mark what comes next": signed_in(EVE, c.MarkRead(LOBBY_ID, 2)),
    "level": signed_in(BOB, c.SetLevel(CHANNEL, Level.NONE)),
    "level in the lobby once": signed_in(EVE, c.SetLevel(LOBBY_ID, Level.MENTIONS, client_id="c2")),
    "join": signed_in(EVE, c.JoinRoom(CHANNEL)),
    "leave": signed_in(BOB, c.LeaveRoom(CHANNEL)),
    "owner leaves": signed_in(ANN, c.LeaveRoom(CHANNEL)),
    "remove": signed_in(ANN, c.RemoveMember(CHANNEL, BOB)),
    "add": signed_in(ANN, c.AddMember(GROUP, EVE)),
    "add to a channel": signed_in(ANN, c.AddMember(CHANNEL, EVE)),
    "ban": signed_in(ANN, c.BanMember(CHANNEL, BOB)),
    "ban a stranger once": signed_in(ANN, c.BanMember(CHANNEL, EVE, 60, client_id="c2")),
    "unban": signed_in(ANN, c.UnbanMember(GROUP, EVE)),
    "ban again": signed_in(ANN, c.BanMember(GROUP, EVE, 60)),
    "invite": signed_in(ANN, c.InviteMember(GROUP, FAY)),
    "invite once": signed_in(ANN, c.InviteMember(CHANNEL, EVE, client_id="c2")),
    "refuse": signed_in(EVE, c.EndInvitation(CHANNEL, EVE)),
    "take an invitation back": signed_in(ANN, c.EndInvitation(CHANNEL, EVE)),
    "link": signed_in(ANN, c.MakeLink(CHANNEL, 60, 1)),
    "link once": signed_in(ANN, c.MakeLink(GROUP, client_id="c2")),
    "unlink": signed_in(ANN, c.RevokeLink(CHANNEL, CODE)),
    "join by link": signed_in(EVE, c.JoinByLink(CODE)),
    "block": signed_in(BOB, c.BlockPerson(ANN)),
    "block the other": signed_in(EVE, c.BlockPerson(ANN)),
    "unblock": signed_in(EVE, c.UnblockPerson(BOB)),
    "moderator": signed_in(ANN, c.ChangeRole(GROUP, BOB, Role.MODERATOR)),
    "reader": signed_in(ANN, c.ChangeRole(CHANNEL, BOB, Role.READER)),
    "role once": signed_in(ANN, c.ChangeRole(CHANNEL, BOB, Role.READER, client_id="c2")),
    "hand over": signed_in(ANN, c.ChangeRole(CHANNEL, BOB, Role.OWNER)),
    "rename room": signed_in(ANN, c.UpdateRoom(CHANNEL, "Other")),
    "archive": signed_in(ANN, c.UpdateRoom(CHANNEL, archived=True)),
    "topic once": signed_in(ANN, c.UpdateRoom(GROUP, topic="Lunch", slow_seconds=5, client_id="c2")),
    "direct": signed_in(ANN, c.CreateRoom(Kind.DIRECT, "", (BOB,))),
    "direct back": signed_in(BOB, c.CreateRoom(Kind.DIRECT, "", (ANN,))),
    "request": signed_in(ANN, c.CreateRoom(Kind.DIRECT, "", (BOB,), invites=True)),
    "accept a request": signed_in(EVE, c.JoinRoom(REQUEST)),
    "request back": signed_in(EVE, c.CreateRoom(Kind.DIRECT, "", (ANN,), invites=True)),
    "refuse a request": signed_in(EVE, c.EndInvitation(REQUEST, EVE)),
    "unique room": signed_in(EVE, c.CreateRoom(Kind.CHANNEL, "Only", unique=True)),
    "group": signed_in(ANN, c.CreateRoom(Kind.GROUP, "New", (BOB, EVE))),
    "group of invited": signed_in(ANN, c.CreateRoom(Kind.GROUP, "New", (BOB, EVE), invites=True)),
    "register": c.by(c.NOBODY_ID, c.Register("hash", username="dan")),
    "register e-mail": c.by(c.NOBODY_ID, c.Register("hash", email="dan@example.com")),
    "rename account": signed_in(EVE, c.RenameAccount("dan")),
    "rename back": signed_in(BOB, c.RenameAccount("bobby")),
    "hide reading": signed_in(BOB, c.ChangeProfile(hides_reading=True)),
    "change e-mail": signed_in(EVE, c.ChangeProfile(email="dan@example.com")),
    "sign in": c.by(BOB, c.OpenSession("new session", 3600, "hash")),
    "sign in to refresh": c.by(BOB, c.OpenRefreshedSession(c.OpenSession("new session", 3600, "hash"), "h0")),
    "refresh": c.by(BOB, c.RefreshSession("refreshed session", 0, "h0", "h1", 3600)),
    "sign out": signed_in(BOB, c.EndSession("session of 2")),
    "end sessions": c.by(BOB, c.EndSessions()),
    "password": signed_in(BOB, c.SetPassword("other hash", "hash", "session of 2")),
    "disable": c.by(BOB, c.DisableAccount()),
    "enable": c.by(FAY, c.EnableAccount()),
    "delete what is disabled": c.by(FAY, c.DeleteAccount()),
    "delete": c.by(BOB, c.DeleteAccount()),
    "open echo": signed_in(BOB, c.OpenEcho()),
}


class Result(NamedTuple):
    """What both commands were answered, and all rows."""

    first: Any
    second: Any
    rows: dict[str, list[Any]]


def seed(database: Database) -> None:
    for name in ("ann", "bob", "eve", "fay"):
        do(database, c.by(c.NOBODY_ID, c.Register("hash", username=name)))
    do(database, c.by(FAY, c.DisableAccount()))
    for account_id in (ANN, BOB, EVE):
        do(database, c.by(account_id, c.OpenSession(f"session of {account_id}", 3600, "hash")))
    do(database, c.by(BOB, c.OpenRefreshedSession(c.OpenSession("refreshed session", 3600, "hash"), "h0")))
    do(database, c.by(ANN, c.CreateRoom(Kind.CHANNEL, "Channel", (BOB,))))
    do(database, c.by(ANN, c.CreateRoom(Kind.GROUP, "Group", (BOB,))))
    assert not isinstance(do(database, signed_in(ANN, c.SendMessage(CHANNEL, "first"))), ChatError)
    assert not isinstance(do(database, signed_in(ANN, c.BanMember(GROUP, EVE))), ChatError)
    assert not isinstance(do(database, signed_in(ANN, c.SendMessage(CHANNEL, "second", "sent"))), ChatError)
    assert not isinstance(do(database, signed_in(ANN, c.SendMessage(GROUP, "third"))), ChatError)
    assert not isinstance(do(database, signed_in(ANN, c.React(CHANNEL, 2, "\u2764\ufe0f"))), ChatError)
    assert not isinstance(do(database, signed_in(ANN, c.PinMessage(CHANNEL, 2))), ChatError)
    assert not isinstance(do(database, signed_in(ANN, c.InviteMember(CHANNEL, EVE))), ChatError)
    assert not isinstance(do(database, signed_in(ANN, c.MakeLink(CHANNEL, 60, 1))), ChatError)
    do(database, c.by(ANN, c.CreateRoom(Kind.DIRECT, "", (EVE,), invites=True)))


def do(database: Database, request: c.Request) -> Any:
    [outcome], _ = commit(database, [request], AT)
    return str(outcome.code) if isinstance(outcome, ChatError) else outcome


def rows_of(execute: Callable[[str], Any], schema: str = "") -> dict[str, list[Any]]:
    found = {}
    for name in TABLES:
        columns = ", ".join(column.name for column in metadata.tables[name].columns)
        mine = f" WHERE id < {RESERVED_IDS}" if name == "accounts" else ""
        found[name] = sorted(map(repr, map(tuple, execute(f"SELECT {columns} FROM {schema}{name}{mine}"))))
    return found


class Nodes:
    """Two nodes on one PostgreSQL database. Before each pair of commands it has the seed again."""

    def __init__(self, url: str) -> None:
        self.one, self.two = opening.open_to_serve(url), opening.open_to_serve(url)
        self.url = url
        self.connection = psycopg.connect(url, autocommit=True)
        with self.one.writing() as tx:  # as in the template of SQLite
            tx.connection.execute("UPDATE veche.rooms SET created_at = 0")  # type: ignore[attr-defined]
        seed(self.one)
        self.connection.execute("CREATE SCHEMA seed")
        for name in TABLES:
            self.connection.execute(f"CREATE TABLE seed.{name} AS SELECT * FROM veche.{name}")
        names = ", ".join(f"veche.{name}" for name in TABLES)
        self._again = [f"TRUNCATE {names}"]
        order = [table.name for table in metadata.sorted_tables if table.name in TABLES]
        self._again += [f"INSERT INTO veche.{name} SELECT * FROM seed.{name}" for name in order]
        for name in tables_with_given_ids():
            highest = f"(SELECT coalesce(max(id), 0) + 1 FROM seed.{name} WHERE id < {RESERVED_IDS})"
            self._again.append(f"SELECT setval('veche.{name}_id_seq', {highest}, false)")

    def begin_again(self) -> None:
        with self.connection.transaction():
            for statement in self._again:
                self.connection.execute(statement)

    def result(self, first: Any, second: Any) -> Result:
        return Result(first, second, rows_of(lambda query: self.connection.execute(query).fetchall(), "veche."))

    def close(self) -> None:
        for one in (self.one, self.two, self.connection):
            one.close()


@pytest.fixture
def nodes(postgres_url: str) -> Iterator[Nodes]:
    with contextlib.closing(Nodes(postgres_url)) as found:
        yield found


Serial = Callable[[str, str], Result]


@pytest.fixture
def serial(open_new: Open) -> Serial:
    """Runs two commands one after the other, on SQLite."""

    def run(first: str, second: str) -> Result:
        database = open_new()
        seed(database)
        answers = [do(database, COMMANDS[name]) for name in (first, second)]
        with database.reading() as tx:
            found = rows_of(lambda query: tx.connection.execute(query).fetchall())  # type: ignore[attr-defined]
        database.close()
        return Result(*answers, found)

    return run


def in_orders(serial: Serial, first: str, second: str) -> list[Result]:
    one, other = serial(first, second), serial(second, first)
    return [one, Result(other.second, other.first, other.rows)]


def without_ids(found: Result) -> Result:
    """Return what does not depend on ids: the kinds of the answers, the usernames, and how many rows there are."""
    kinds = [answer if isinstance(answer, str) else type(answer).__name__ for answer in (found.first, found.second)]
    handles = [row.split(", ")[1] for row in found.rows["accounts"]]
    return Result(*kinds, {"accounts": sorted(handles)} | {name: [len(found.rows[name])] for name in TABLES[1:]})


def has_gap(found: Result) -> bool:
    """Return whether the ids of accounts or messages have a gap: one was drawn and not used."""
    rows = [found.rows[name] for name in ("accounts", "messages")]
    return any(max(int(row.partition(",")[0].strip("(")) for row in table) > len(table) for table in rows)


def check(found: Result, allowed: list[Result], what: str) -> None:
    if has_gap(found):
        found, allowed = without_ids(found), [without_ids(one) for one in allowed]
    if found not in allowed:
        shown = [f"{what}: answered {found.first!r:.90} and {found.second!r:.90}"]
        for one in allowed:
            shown.append(f"  allowed: {one.first!r:.90} and {one.second!r:.90}")
            for name in TABLES:
                if one.rows.get(name) != found.rows.get(name):
                    missing, more = (
                        set(one.rows[name]) - set(found.rows[name]),
                        set(found.rows[name]) - set(one.rows[name]),
                    )
                    shown.append(f"    {name}: missing {sorted(missing)}, more {sorted(more)}")
        raise AssertionError("\n".join(shown))


def before_the_locks(nodes: Nodes, first: str, second: str, patch: pytest.MonkeyPatch) -> Result:
    """The first node stops before it locks. The second one runs its command meanwhile."""
    answers: list[Any] = []
    lock = PostgresTransaction.lock_logs

    def stop(self: PostgresTransaction, log_ids: Any) -> None:
        if not answers:
            answers.append(None)
            answers[0] = do(nodes.two, COMMANDS[second])
        lock(self, log_ids)

    with patch.context() as patched:
        patched.setattr(PostgresTransaction, "lock_logs", stop)
        answer = do(nodes.one, COMMANDS[first])
    return nodes.result(answer, answers[0])


def after_the_reads(nodes: Nodes, first: str, second: str, patch: pytest.MonkeyPatch) -> Result:
    """The first node stops when it has read its rows. The second one runs its command, or waits for the first one."""
    answers: list[Any] = []
    load = batch.load_rows
    threads: list[threading.Thread] = []

    def stop(*arguments: Any) -> None:
        load(*arguments)
        if not threads:
            threads.append(threading.Thread(target=lambda: answers.append(do(nodes.two, COMMANDS[second]))))
            threads[0].start()
            while threads[0].is_alive() and not somebody_waits(nodes.connection):
                time.sleep(0.001)

    with patch.context() as patched:
        patched.setattr(batch, "load_rows", stop)
        answer = do(nodes.one, COMMANDS[first])
        threads[0].join()
    return nodes.result(answer, answers[0])


STOPS = (before_the_locks, after_the_reads)


def try_pairs(
    nodes: Nodes, serial: Serial, patch: pytest.MonkeyPatch, pairs: Iterable[tuple[str, str, Callable[..., Result]]]
) -> None:
    wrong = []
    for first, second, stop in pairs:
        nodes.begin_again()
        found = stop(nodes, first, second, patch)
        try:
            check(found, in_orders(serial, first, second), f"{stop.__name__}: {first} / {second}")
        except AssertionError as error:
            wrong.append(str(error))
    assert not wrong, "\n".join(wrong)


def test_it_is_as_if_one_had_come_after_the_other(
    nodes: Nodes, serial: Serial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each command's pairs one is tried, or all of them with VECHE_PAIRS=all, as `make test-all` does."""
    if os.environ.get("VECHE_PAIRS") == "all":
        pairs = list(itertools.product(COMMANDS, COMMANDS, STOPS))
    else:
        pairs = [("sign in", "password", after_the_reads), ("register e-mail", "register", after_the_reads)]
        pairs += [("mention", "rename back", before_the_locks), ("direct", "direct back", before_the_locks)]
        pairs += [(first, random.choice([*COMMANDS]), random.choice(STOPS)) for first in COMMANDS]
    try_pairs(nodes, serial, monkeypatch, pairs)
