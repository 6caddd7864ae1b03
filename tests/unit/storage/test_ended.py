"""A command whose session has ended is refused when it is stored, wherever and whenever the session ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from core import commands as c

from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.values import Kind
from veche.storage.commit import commit
from veche.storage.kinds.sqlite_database import SqliteDatabase

from .conftest import Town, codes

ANN, BOB = 1, 2
CHANNEL = 1


def by(account_id: int, session_id: str, command: Command[object]) -> c.Request:
    return Actor(account_id, "native", session_id), command


ENDINGS: dict[str, Callable[[], c.Request]] = {
    "signing out": lambda: by(ANN, "a1", c.EndSession("a1")),
    "signing out elsewhere": lambda: by(ANN, "a2", c.EndSession("a1")),
    "ending it from elsewhere": lambda: by(ANN, "a2", c.RevokeSession("a1")),
    "ending all others": lambda: by(ANN, "a2", c.EndSessions(kept="a2")),
    "another password": lambda: by(ANN, "a2", c.SetPassword("new", "hash", "a2")),
    "the operator": lambda: c.by(ANN, c.EndSessions()),
    "disabling": lambda: c.by(ANN, c.DisableAccount()),
    "deleting": lambda: c.by(ANN, c.DeleteAccount()),
}
ELSEWHERE = ("ending it from elsewhere", "ending all others", "another password")

LATE: dict[str, Callable[[], Command[object]]] = {
    "send": lambda: c.SendMessage(CHANNEL, "late"),
    "send again": lambda: c.SendMessage(CHANNEL, "before", "m1"),
    "join": lambda: c.JoinRoom(CHANNEL),
    "leave": lambda: c.LeaveRoom(CHANNEL),
    "create": lambda: c.CreateRoom(Kind.GROUP, "late", (BOB,)),
    "add": lambda: c.AddMember(CHANNEL, 3),
    "read": lambda: c.ReadUpTo(CHANNEL, 1),
    "profile": lambda: c.ChangeProfile("Late"),
    "rename": lambda: c.RenameAccount("late"),
    "password": lambda: c.SetPassword("late", None),
    "echo": lambda: c.OpenEcho(),
    "revoke": lambda: c.RevokeSession("a2"),
    "end others": lambda: c.EndSessions(kept="a1"),
}


@pytest.fixture
def signed_in(town: Town) -> Town:
    """Ann has the sessions a1 and a2, and bob has b1. Each has sent something."""
    for account_id, session_id in ((ANN, "a1"), (ANN, "a2"), (BOB, "b1")):
        town.do(c.by(account_id, c.OpenSession(session_id, 3600, "hash")))
        town.do(by(account_id, session_id, c.SendMessage(CHANNEL, "before", "m1")))
    return town


@pytest.fixture
def other(signed_in: Town) -> Iterator[SqliteDatabase]:
    """The same file, opened by another process."""
    database = SqliteDatabase(f"sqlite:///{signed_in.database.path}")
    yield database
    database.close()


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_command_after_the_end_in_the_same_batch_is_refused(signed_in: Town, ending: str, late: str) -> None:
    head = signed_in.head(CHANNEL)
    outcomes = signed_in.batch(ENDINGS[ending](), by(ANN, "a1", LATE[late]()), by(BOB, "b1", c.JoinRoom(CHANNEL)))
    assert codes(outcomes) == ["ok", "unauthenticated", "ok"]
    assert signed_in.head(CHANNEL) == head


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_command_after_the_end_in_an_earlier_batch_is_refused(signed_in: Town, ending: str) -> None:
    signed_in.do(ENDINGS[ending]())
    for late in LATE.values():
        assert codes(signed_in.batch(by(ANN, "a1", late()))) == ["unauthenticated"]
    assert codes(signed_in.batch(by(BOB, "b1", c.SendMessage(CHANNEL, "goes on")))) == ["ok"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_command_after_the_end_in_another_process_is_refused(
    signed_in: Town, other: SqliteDatabase, ending: str
) -> None:
    assert codes(commit(other, [ENDINGS[ending]()])[0]) == ["ok"]
    outcomes = signed_in.batch(by(ANN, "a1", c.SendMessage(CHANNEL, "late")), by(BOB, "b1", c.JoinRoom(CHANNEL)))
    assert codes(outcomes) == ["unauthenticated", "ok"]


@pytest.mark.parametrize("ending", ["signing out", "signing out elsewhere", *ELSEWHERE])
def test_the_sessions_that_stay_go_on(signed_in: Town, ending: str) -> None:
    late = by(ANN, "a2", c.SendMessage(CHANNEL, "goes on"))
    assert codes(signed_in.batch(ENDINGS[ending](), late)) == ["ok", "ok"]
    assert codes(signed_in.batch(late)) == ["ok"]


def test_a_new_session_after_the_end_of_all_is_good(signed_in: Town) -> None:
    outcomes = signed_in.batch(c.by(ANN, c.EndSessions()), c.by(ANN, c.OpenSession("a3", 3600, "hash")))
    outcomes += signed_in.batch(by(ANN, "a3", c.SendMessage(CHANNEL, "again")))
    assert codes(outcomes) == ["ok", "ok", "ok"]


def test_signing_out_twice_is_no_error(signed_in: Town) -> None:
    again = by(ANN, "a1", c.EndSession("a1"))
    assert codes(signed_in.batch(again, again) + signed_in.batch(again)) == ["ok", "ok", "ok"]


def test_what_the_server_does_for_a_session_that_ended_is_stored(signed_in: Town) -> None:
    """The notice that somebody left, and the end of a conversation, come because the session has ended."""
    echo = signed_in.do(by(ANN, "a1", c.OpenEcho()))
    signed_in.do(by(ANN, "a1", c.EndSession("a1")))
    outcomes = signed_in.batch(by(ANN, "a1", c.PostNotice(CHANNEL, "ann left")), by(ANN, "a1", c.CloseEcho(echo)))
    assert codes(outcomes) == ["ok", "ok"]


def test_a_batch_that_is_cut_because_of_a_bug_still_refuses(signed_in: Town) -> None:
    class Bug(Command[None], frozen=True):
        def decide(self, actor: Actor, state: object) -> None:
            raise ValueError("a bug")

    outcomes = signed_in.batch(
        by(ANN, "a1", c.EndSession("a1")), by(BOB, "b1", Bug()), by(ANN, "a1", c.SendMessage(CHANNEL, "late"))
    )
    assert codes(outcomes) == ["ok", "internal", "unauthenticated"]
