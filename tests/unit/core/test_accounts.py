"""Accounts, handles, passwords and sessions."""

from __future__ import annotations

from typing import Any

import pytest

from veche.core.errors import Code
from veche.core.sessions import SESSIONS, SessionsEnded
from veche.core.state import HEADS

from . import commands as c
from .conftest import People
from .world import Town


def register(*fields: Any, **more: Any) -> c.Request:
    return c.by(c.NOBODY_ID, c.Register(*fields, **more))


def test_ids_count_up_from_one(town: Town) -> None:
    assert [town.person(name) for name in ("ann", "bob", "eve")] == [1, 2, 3]


def test_an_account_is_named_after_its_username_unless_it_says_so(town: Town) -> None:
    assert town.do(register("h", username="ann")).name == "ann"
    assert town.do(register("h", username="bob", name="Robert")).name == "Robert"


@pytest.mark.parametrize("other", ["ann", "ANN", "Ａnn", "ａｎｎ"])
def test_a_username_is_unique_without_regard_to_case_and_width(town: Town, other: str) -> None:
    town.person("ann")
    refusal = town.refuses(register("h", username=other))
    assert (refusal.code, refusal.data["field"]) == (Code.TAKEN, "username")


@pytest.mark.parametrize("name", ["admin", "System", "ＥＲＲＯＲ", "veche"])
def test_some_usernames_are_kept_back(town: Town, name: str) -> None:
    assert town.refuses(register("h", username=name)).code is Code.TAKEN


def test_an_email_has_one_account(town: Town) -> None:
    town.do(register("h", username="ann", email="Ann@x.org"))
    refusal = town.refuses(register("h", username="bob", email="aNN@X.org"))
    assert (refusal.code, refusal.data["field"]) == (Code.TAKEN, "email")


def test_without_a_username_the_email_lends_its_local_part_and_a_number(town: Town) -> None:
    made = [town.do(register("h", email=f"ann@{host}")).username for host in ("a.org", "b.org", "c.org")]
    assert made == ["ann", "ann2", "ann3"]


def test_a_handle_made_of_an_email_steps_around_names_that_are_kept_back(town: Town) -> None:
    assert town.do(register("h", email="admin@x.org")).username == "admin2"


def test_each_handle_that_an_email_may_get_is_looked_at_before_the_next_one(town: Town) -> None:
    email = "ann@x.org"
    handles = list(c.Register("h", email=email)._handles())
    assert len(set(handles)) == len(handles) == 19
    for handle in handles:
        town.person(handle)
    assert town.refuses(register("h", email=email)).data["field"] == "username"


def test_an_account_takes_another_username_that_is_free(town: Town, people: People) -> None:
    renamed = town.do(c.by(people.ann, c.RenameAccount("Anna")))
    assert (renamed.id, renamed.username, renamed.handle, renamed.name) == (people.ann, "Anna", "anna", "Anna")
    assert town.person("ann") == 4, "the old username is free"
    for taken in ("BOB", "anna", "Admin"):
        assert town.refuses(c.by(people.eve, c.RenameAccount(taken))).data["field"] == "username"


def test_an_account_may_change_how_its_own_username_is_written_and_keeps_a_name_of_its_own(town: Town) -> None:
    ann = town.person("ann", name="Ann B.")
    assert town.do(c.by(ann, c.RenameAccount("ANN"))).name == "Ann B."


@pytest.mark.parametrize("bad", ["a\0b", "a\u200bb", "a\u202eb", "a\nb", "a\ud800b", "\u2028"])
def test_names_may_not_hide_anything(town: Town, bad: str) -> None:
    assert town.refuses(register("h", username=bad)).data["field"] == "username"
    assert town.refuses(register("h", username="ann", name=bad)).data["field"] == "name"


@pytest.mark.parametrize("bad", ["a\0b@x.org", "a\ud800b@x.org", "a\nb@x.org", "a\u200bb@x.org"])
def test_an_email_may_not_hide_anything_either(town: Town, bad: str) -> None:
    for command in (
        register("h", email=bad),
        register("h", username="ann", email=bad),
    ):
        assert town.refuses(command).code is Code.INVALID


def test_a_new_password_ends_all_sessions_but_the_one_that_asked(town: Town, people: People) -> None:
    for session in ("one", "two", "three"):
        town.do(c.by(people.ann, c.OpenSession(session, 60, "hash")))
    town.do(c.by(people.bob, c.OpenSession("other", 60, "hash")))
    town.do(c.by(people.ann, c.SetPassword("new", None, keep_session="two")))
    assert set(town.rows(SESSIONS)) == {"two", "other"}
    assert town.kinds() == ["PasswordChanged", "SessionsEnded"]


@pytest.mark.parametrize("command", [c.SetPassword("newer", "hash"), c.OpenSession("one", 60, "hash")])
def test_a_password_that_was_changed_after_it_was_checked_is_wrong(
    town: Town, people: People, command: c.Command[None]
) -> None:
    town.do(c.by(people.ann, c.SetPassword("new", "hash")))
    assert town.refuses(c.by(people.ann, command)).code is Code.WRONG_CREDENTIALS


def test_a_session_expires_its_lifetime_after_it_was_opened(town: Town, people: People) -> None:
    town.do(c.by(people.ann, c.OpenSession("one", 60, "hash")))
    session = town.rows(SESSIONS)["one"]
    assert (session.created_at, session.expires_at) == (town.now, town.now + 60_000_000)


def test_ending_a_session_is_harmless_twice_and_by_strangers(town: Town, people: People) -> None:
    town.do(c.by(people.ann, c.OpenSession("one", 60, "hash")))
    town.do(c.by(people.bob, c.EndSession("one")))
    assert town.news == []
    town.do(c.by(people.ann, c.EndSession("one")))
    assert town.kinds() == ["SessionsEnded"]
    town.do(c.by(people.ann, c.EndSession("one")))
    assert town.news == []


def test_what_ended_is_told_by_name_or_by_what_was_kept() -> None:
    assert SessionsEnded(-1, 1, 0, session_id="a").effects()[0].ends("a")
    assert not SessionsEnded(-1, 1, 0, session_id="a").effects()[0].ends("b")
    assert SessionsEnded(-1, 1, 0, kept="a").effects()[0].ends("b")
    assert not SessionsEnded(-1, 1, 0, kept="a").effects()[0].ends("a")
    assert SessionsEnded(-1, 1, 0).effects()[0].ends("a")


@pytest.mark.parametrize(
    "command",
    [c.by(9, c.SetPassword("h", None)), c.by(9, c.OpenSession("s", 60, "hash")), c.by(9, c.RenameAccount("x"))],
)
def test_who_is_not_there_can_do_nothing(town: Town, command: c.Request) -> None:
    refusal = town.refuses(command)
    assert (refusal.code, refusal.data["what"]) == (Code.NOT_FOUND, "account")


def test_a_persons_own_log_counts_what_concerns_them_alone(town: Town, people: People) -> None:
    town.do(c.by(people.ann, c.SetPassword("new", None)))
    town.do(c.by(people.ann, c.SetPassword("newer", None)))
    town.do(c.by(people.bob, c.SetPassword("new", None)))
    assert town.rows(HEADS)[-people.ann].last_seq == 2
    assert town.rows(HEADS)[-people.bob].last_seq == 1
