"""Accounts, handles, passwords and sessions."""

from __future__ import annotations

from typing import Any

import pytest

from veche.core.actor import Actor
from veche.core.errors import Code
from veche.core.facts import Needs
from veche.core.names import Reserved, check_username
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
    usernames = list(c.Register("h", email=email)._usernames())
    assert len(set(usernames)) == len(usernames) == 19
    for username in usernames:
        town.person(username)
    assert town.refuses(register("h", email=email)).data["field"] == "username"


def test_the_username_of_an_email_steps_around_names_that_look_like_it(town: Town) -> None:
    email = "осе@x.org"  # Cyrillic
    for username in c.Register("h", email=email)._usernames():
        town.person(username.replace("осе", "oce"))
    assert town.refuses(register("h", email=email)).data["field"] == "username"
    assert town.do(register("h", email="oce@x.org")).username.startswith("oce")


@pytest.mark.parametrize(
    ("email", "username"),
    [
        *(("Ann.Lee+x@x.org", "ann.lee+x"), ("ａｎｎ@x.org", "ann"), ("jose\u0301@x.org", "josé")),
        *(("nаdia@x.org", "user"), ("1\u0301@x.org", "user"), ("..@x.org", "user"), ("@x.org", "user")),
        *(("a  b@x.org", "user"), ("annऱ@x.org", "user"), ("\u00a8ann@x.org", "user")),
        (f"{'x' * 200}@x.org", "x" * 88),
    ],
)
def test_the_username_of_an_email_keeps_the_rule_of_usernames(town: Town, email: str, username: str) -> None:
    account = town.do(register("h", email=email))
    assert (account.username, account.email) == (username, email)
    check_username(account.username)
    assert town.do(register("h", email=f"{email}2")).username == f"{username}2"


def test_registering_asks_for_as_much_as_the_first_time(town: Town) -> None:
    def asked(email: str) -> int:
        needs = Needs()
        c.Register("h", email=email).needs(Actor(0, "native"), needs)
        return len(needs)

    first = asked("ann@a.org")
    for number in range(30):
        town.do(register("h", email=f"ann@{number}.org"))
    assert asked("ann@b.org") == first


@pytest.mark.parametrize(("one", "other"), [("apple", "аррӏе"), ("аррӏе", "apple"), ("сосо", "coco"), ("сосо", "ꓚꓳꓚꓳ")])
def test_of_two_usernames_that_look_alike_the_second_is_taken(town: Town, one: str, other: str) -> None:
    first, second = town.person(one), town.person("zz")
    assert town.refuses(register("h", username=other)).code is Code.TAKEN
    assert town.refuses(c.by(second, c.RenameAccount(other))).code is Code.TAKEN
    town.do(c.by(first, c.RenameAccount("yy")))
    town.do(c.by(second, c.RenameAccount(other)))


def test_two_ascii_usernames_are_never_taken_for_each_other(town: Town) -> None:
    for name in ("corn", "com", "l1", "11", "Il"):
        town.person(name)


def test_an_account_may_write_its_own_username_as_it_looks(town: Town) -> None:
    id = town.person("сосо")
    assert town.do(c.by(id, c.RenameAccount("СОСО"))).username == "СОСО"
    assert town.do(c.by(id, c.RenameAccount("coco"))).username == "coco"


def test_a_username_is_stored_in_its_normal_form(town: Town) -> None:
    account = town.do(register("h", username="Jose\u0301"))
    assert (account.username, account.name) == ("Jos\u00e9", "Jos\u00e9")
    assert town.refuses(register("h", username="JOS\u00c9")).code is Code.TAKEN
    assert town.do(c.by(account.id, c.RenameAccount("E\u0301va"))).username == "\u00c9va"


def test_a_word_that_is_reserved_is_no_display_name(town: Town) -> None:
    refusal = town.refuses(register("h", username="ann", name="System"))
    assert (refusal.code, refusal.data["field"]) == (Code.INVALID, "name")
    town.person("ann")
    assert town.do(register("h", username="bob", name="ann")).name == "ann", "the handle stands beside it"


def test_what_the_server_speaks_as_is_nobodys_name(town: Town) -> None:
    reserved = Reserved(["robot"])
    ann = town.person("ann")
    for name in ("robot", "Robot", "ＲＯＢＯＴ", "ꓣꓳꓐꓳꓔ"):
        assert town.refuses(register("h", username=name, reserved=reserved)).code is Code.TAKEN
        assert town.refuses(c.by(ann, c.RenameAccount(name, reserved))).code is Code.TAKEN
    assert town.refuses(register("h", username="bob", name="robot", reserved=reserved)).data["field"] == "name"
    assert town.do(register("h", email="robot@x.org", reserved=reserved)).username == "robot2"


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
