"""Finding people on the page: to ask one for a direct room, and to invite one into a room."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import NewPerson
from .harness import LOBBY

pytestmark = pytest.mark.e2e


def test_two_people_find_each_other_and_talk(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    find, found = ann.page.get_by_role("searchbox", name="Find people"), ann.page.get_by_role("list", name="People who")
    find.fill("b")
    expect(found.get_by_role("listitem")).to_have_count(0)
    find.press_sequentially("ob")
    person = found.get_by_role("listitem")
    expect(person).to_contain_text("bob")
    expect(person.get_by_role("button", name="Invite")).to_have_count(0)
    person.get_by_role("button", name="Talk").click()
    expect(ann.room("bob")).to_have_attribute("aria-current", "true")
    expect(find).to_have_value("")
    expect(person).to_have_count(0)
    ann.say("Have you found my umbrella?")

    bob.accept("ann")
    bob.expect_texts("Have you found my umbrella?")
    bob.say("No.")
    ann.expect_texts("Have you found my umbrella?", "No.")
    assert [ann.console_errors, bob.console_errors] == [[], []]


def test_who_is_in_a_room_invites_into_it(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    ann.make_room("Square")
    find = ann.page.get_by_role("searchbox", name="Find people")
    person = ann.page.get_by_role("list", name="People who").get_by_role("listitem")
    find.fill("bob")
    person.get_by_role("button", name="Invite to Square").click()
    expect(find).to_have_value("")
    bob.accept("Square")
    bob.say("hello")
    ann.expect_texts("hello")

    find.fill("nobody of this name")
    expect(person).to_have_count(0)
    find.fill("ann")
    ann.room(LOBBY).click()
    expect(person).to_have_count(0)  # nobody finds themselves
    bob.page.get_by_role("searchbox", name="Find people").fill("ann")
    found = bob.page.get_by_role("list", name="People who").get_by_role("listitem")
    found.get_by_role("button", name="Invite to Square").click()
    expect(bob.page.get_by_role("alert")).to_have_text("Only the owner and the moderators of a room may do this.")
