"""What people change of their own account."""

from __future__ import annotations

import pytest

from veche.core.accounts import ACCOUNTS, EMAILS
from veche.core.effects import Renamed
from veche.core.errors import Code
from veche.core.profile import AccountChanged

from . import commands as c
from .conftest import People
from .world import Town


def test_a_new_name_is_in_the_own_log_and_in_what_is_said_next(town: Town, people: People) -> None:
    room = town.room(people.ann)
    assert town.do(c.by(people.ann, c.ChangeProfile(name="Ann B."))).name == "Ann B."
    changed = town.news[1]
    assert isinstance(changed, AccountChanged)
    assert (changed.log_id, changed.seq, changed.person.name) == (-people.ann, 2, "Ann B.")
    assert town.say(people.ann, room).message.sender.name == "Ann B."


@pytest.mark.parametrize(
    "command", [c.ChangeProfile(name="ann"), c.ChangeProfile(), c.ChangeProfile(None, "a@x.org", "hash")]
)
def test_what_is_so_already_changes_nothing(town: Town, command: c.ChangeProfile) -> None:
    ann = town.person("ann", email="a@x.org")
    town.do(c.by(ann, command))
    assert town.news == []


def test_an_e_mail_is_changed_with_the_password_and_frees_the_old_one(town: Town) -> None:
    ann, bob = town.person("ann", email="Ann@x.org"), town.person("bob")
    assert town.do(c.by(ann, c.ChangeProfile(None, "ann@y.org", "hash"))).email == "ann@y.org"
    assert town.rows(EMAILS) == {"ann@y.org": ann}
    assert town.do(c.by(bob, c.ChangeProfile(None, "ann@X.org", "hash"))).email == "ann@X.org"
    assert town.do(c.by(bob, c.ChangeProfile(None, "Ann@x.org", "hash"))).email == "Ann@x.org"
    assert town.rows(EMAILS) == {"ann@y.org": ann, "ann@x.org": bob}


@pytest.mark.parametrize("hash", [None, "another"])
def test_without_the_password_no_e_mail_is_changed(town: Town, people: People, hash: str | None) -> None:
    refusal = town.refuses(c.by(people.ann, c.ChangeProfile("Eve", "eve@x.org", hash)))
    assert refusal.code is Code.WRONG_CREDENTIALS
    assert town.rows(ACCOUNTS)[people.ann].name == "ann"


def test_the_e_mail_of_somebody_else_is_taken(town: Town) -> None:
    ann = town.person("ann")
    town.person("bob", email="bob@x.org")
    refusal = town.refuses(c.by(ann, c.ChangeProfile(None, "BOB@x.org", "hash")))
    assert (refusal.code, refusal.data["field"]) == (Code.TAKEN, "email")


@pytest.mark.parametrize(("field", "value"), [("name", "Admin"), ("name", "a\u200bb"), ("email", "a\u202e@x.org")])
def test_nothing_invisible_or_reserved_is_taken(town: Town, people: People, field: str, value: str) -> None:
    assert town.refuses(c.by(people.ann, c.ChangeProfile(**{field: value}))).data["field"] == field


def test_only_accounts_have_a_profile(town: Town) -> None:
    assert town.refuses(c.by(c.NOBODY_ID, c.ChangeProfile(name="x"))).code is Code.NOT_FOUND


def test_a_new_username_is_in_the_own_log(town: Town, people: People) -> None:
    town.do(c.by(people.ann, c.RenameAccount("Anna")))
    _, changed = town.news
    assert isinstance(changed, AccountChanged)
    assert (changed.log_id, changed.seq) == (-people.ann, 1)
    assert (changed.person.username, changed.person.name) == ("Anna", "Anna")
    assert changed.effects() == (Renamed(people.ann, changed.person),)


def test_the_same_username_changes_nothing(town: Town, people: People) -> None:
    town.do(c.by(people.ann, c.RenameAccount("ann")))
    assert town.news == []
