"""Closed accounts: nobody signs in to them, their sessions end, and a deleted one keeps nothing but its messages."""

from __future__ import annotations

import pytest

from veche.core.accounts import ACCOUNTS, CLOSED, EMAILS, HANDLES, PASSWORDS
from veche.core.errors import Code
from veche.core.sessions import KEPT_EXPIRED, SESSIONS
from veche.core.state import HEADS

from . import commands as c
from .conftest import People
from .world import Town

CLOSING: list[c.Command[object]] = [c.DisableAccount(), c.DeleteAccount()]


@pytest.mark.parametrize("command", CLOSING)
def test_nobody_signs_in_to_a_closed_account_and_its_sessions_end(
    town: Town, people: People, command: c.Command[object]
) -> None:
    for account, session in ((people.ann, "one"), (people.ann, "two"), (people.bob, "other")):
        town.do(c.by(account, c.OpenSession(session, 60, "hash")))
    town.do(c.by(people.ann, command))
    assert town.kinds()[-1] == "SessionsEnded"
    assert set(town.rows(SESSIONS)) == {"other"}
    assert town.rows(HEADS)[-people.ann].last_seq == 1
    hashed = town.rows(PASSWORDS)[people.ann]
    refusal = town.refuses(c.by(people.ann, c.OpenSession("three", 60, hashed)))
    assert (refusal.code, refusal.data) == (Code.WRONG_CREDENTIALS, {"reason": "password"}), "as a wrong password"


def test_an_enabled_account_signs_in_again(town: Town, people: People) -> None:
    town.do(c.by(people.ann, c.DisableAccount()))
    town.do(c.by(people.ann, c.EnableAccount()))
    assert town.rows(CLOSED) == {}
    town.do(c.by(people.ann, c.OpenSession("one", 60, "hash")))


def test_closing_and_enabling_twice_is_harmless(town: Town, people: People) -> None:
    town.do(c.by(people.ann, c.EnableAccount()))
    assert town.news == []
    town.do(c.by(people.ann, c.DisableAccount()))
    since = town.rows(CLOSED)[people.ann]
    town.do(c.by(people.ann, c.DisableAccount()))
    assert town.rows(CLOSED)[people.ann] == since
    assert town.kinds() == ["SessionsEnded"]


def test_a_deleted_account_keeps_its_id_and_nothing_that_tells_of_a_person(town: Town) -> None:
    ann = town.person("Ann", name="Ann B.", email="Ann@x.org")
    room = town.room(ann)
    said = town.say(ann, room)
    deleted = town.do(c.by(ann, c.DeleteAccount()))
    assert (deleted.id, deleted.username, deleted.name, deleted.email) == (ann, "deleted-1", "Deleted account", None)
    assert town.rows(ACCOUNTS)[ann] == deleted
    assert town.rows(PASSWORDS)[ann] == ""
    assert town.rows(CLOSED)[ann].deleted
    assert ann not in [id for handle, id in town.rows(HANDLES).items() if handle != "deleted-1"]
    assert town.rows(EMAILS) == {}
    assert said.message.seq == town.rows(HEADS)[room].last_seq, "its messages stay"
    assert town.do(c.by(c.NOBODY_ID, c.Register("h", username="anna", email="ann@x.org"))).id == 2, "it is free"


def test_nobody_else_gets_the_username_of_a_deleted_account(town: Town, people: People) -> None:
    town.do(c.by(people.ann, c.DeleteAccount()))
    for username in ("ann", "ANN", "Ａｎｎ"):
        assert town.refuses(c.by(c.NOBODY_ID, c.Register("h", username=username))).code is Code.TAKEN
        assert town.refuses(c.by(people.bob, c.RenameAccount(username))).code is Code.TAKEN
    assert town.do(c.by(c.NOBODY_ID, c.Register("h", email="ann@x.org"))).username == "ann2"
    town.do(c.by(people.bob, c.RenameAccount("robert")))
    town.do(c.by(people.eve, c.RenameAccount("bob")))


def test_a_deleted_account_without_an_email_is_deleted_as_well(town: Town, people: People) -> None:
    assert town.do(c.by(people.bob, c.DeleteAccount())).username == f"deleted-{people.bob}"


def test_an_account_whose_password_was_changed_after_it_was_checked_is_not_deleted(town: Town, people: People) -> None:
    town.do(c.by(people.ann, c.SetPassword("new", "hash")))
    assert town.refuses(c.by(people.ann, c.DeleteAccount("hash"))).code is Code.WRONG_CREDENTIALS
    assert town.rows(CLOSED) == {}
    town.do(c.by(people.ann, c.DeleteAccount("new")))
    assert town.rows(CLOSED)[people.ann].deleted


def test_a_disabled_account_can_be_deleted(town: Town, people: People) -> None:
    town.do(c.by(people.ann, c.DisableAccount()))
    town.do(c.by(people.ann, c.DeleteAccount()))
    assert town.rows(CLOSED)[people.ann].deleted


@pytest.mark.parametrize("command", [*CLOSING, c.EnableAccount()])
def test_nothing_undoes_a_deletion(town: Town, people: People, command: c.Command[object]) -> None:
    town.do(c.by(people.ann, c.DeleteAccount()))
    assert town.refuses(c.by(people.ann, command)).code is Code.INVALID


def test_whoever_has_the_name_of_a_deleted_account_keeps_it(town: Town, people: People) -> None:
    names = [f"deıeted-{people.ann}", *(f"deleted-{people.ann}-{number}" for number in range(2, 10))]
    assert not names[0].isascii(), "the first only looks like it"
    for name, taken in zip(names[1:], names, strict=False):
        town.person(taken)
        everything = town.everything.rows
        before = {fact: dict(rows) for fact, rows in everything.items()}
        assert town.do(c.by(people.ann, c.DeleteAccount())).username == name
        everything.clear()
        everything.update(before)
    town.person(names[-1])
    assert town.refuses(c.by(people.ann, c.DeleteAccount())).code is Code.TAKEN


@pytest.mark.parametrize("command", [*CLOSING, c.EnableAccount(), c.EndSessions()])
@pytest.mark.parametrize("account", [9, 2**31 - 1, 2**31 - 2])
def test_who_is_not_there_or_is_built_in_cannot_be_closed(town: Town, command: c.Command[object], account: int) -> None:
    assert town.refuses(c.by(account, command)).code is Code.NOT_FOUND


def test_all_sessions_of_an_account_end_at_once(town: Town, people: People) -> None:
    for account, session in ((people.ann, "one"), (people.ann, "two"), (people.bob, "other")):
        town.do(c.by(account, c.OpenSession(session, 60, "hash")))
    town.do(c.by(people.ann, c.EndSessions()))
    assert set(town.rows(SESSIONS)) == {"other"}
    town.do(c.by(people.ann, c.EndSessions()))
    assert town.rows(HEADS)[-people.ann].last_seq == 2


def test_only_sessions_that_expired_a_day_ago_are_forgotten(town: Town, people: People) -> None:
    for session, lifetime in (("old", 1), ("young", 3600), ("open", 10**6)):
        town.do(c.by(people.ann, c.OpenSession(session, lifetime, "hash")))
    town.now += KEPT_EXPIRED + 2_000_000
    assert town.do(c.by(c.NOBODY_ID, c.ForgetSessions(("old", "young", "open", "unknown")))) == 1
    assert set(town.rows(SESSIONS)) == {"young", "open"}
    assert town.do(c.by(c.NOBODY_ID, c.ForgetSessions(("old", "young")))) == 0
    assert town.news == []
