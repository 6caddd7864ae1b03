"""What somebody is invited into: the page shows it, and they join or decline."""

from __future__ import annotations

import pytest
from playwright.sync_api import Dialog, expect

from .conftest import NewPerson
from .harness import LOBBY, Server

pytestmark = pytest.mark.e2e


def test_an_invitation_is_declined_taken_back_and_accepted(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    [found] = ann.call("GET", "/v1/people?username=bob")["items"]
    room = ann.call("POST", "/v1/rooms", {"kind": "group", "name": "Team"})
    invitations = f"/v1/rooms/{room['id']}/invitations"
    shown = bob.invitations
    expect(shown).to_have_count(0)

    ann.call("POST", invitations, {"account_id": found["id"]})
    expect(shown).to_contain_text("Team from ann")
    expect(bob.room("Team")).to_have_count(0)
    bob.page.reload()
    bob.expect_caught_up()
    shown.get_by_role("button", name="Decline").click()
    expect(shown).to_have_count(0)
    assert ann.call("GET", invitations)["items"] == []

    ann.call("POST", invitations, {"account_id": found["id"]})
    expect(shown).to_have_count(1)
    ann.call("DELETE", f"{invitations}/{found['id']}")
    expect(shown).to_have_count(0)

    ann.call("POST", invitations, {"account_id": found["id"]})
    other = bob.new_tab()
    other.expect_caught_up()
    shown.get_by_role("button", name="Join").click()
    expect(bob.room("Team")).to_have_attribute("aria-current", "true")
    bob.say("hello")
    for tab in (bob, other):
        expect(tab.page.get_by_role("list", name="Invitations")).to_be_hidden()
    expect(other.room(LOBBY)).to_have_attribute("aria-current", "true")
    other.room("Team").click()
    other.expect_texts("hello")
    assert bob.console_errors == []


def test_who_wants_to_talk_is_shown_with_what_they_said_first(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    [found] = ann.call("GET", "/v1/people?username=bob")["items"]
    room = ann.call("POST", "/v1/rooms", {"kind": "direct", "member_ids": [found["id"]]})["id"]
    ann.room("bob").click()
    ann.say("Have you found my umbrella?")
    ann.say("It is green.")
    expect(bob.invitations).to_contain_text("ann wants to talk to you")
    bob.focus_window()
    expect(bob.invitations).to_contain_text("Have you found my umbrella?")
    expect(bob.invitations).not_to_contain_text("green")
    expect(bob.room("ann")).to_have_count(0)

    bob.invitations.get_by_role("button", name="Decline").click()
    expect(bob.invitations).to_have_count(0)
    ann.call("POST", "/v1/rooms", {"kind": "direct", "member_ids": [found["id"]]})  # it asks nobody again
    bob.page.reload()
    bob.expect_caught_up()
    expect(bob.invitations).to_have_count(0)

    [me] = bob.call("GET", "/v1/people?username=ann")["items"]
    assert bob.call("POST", "/v1/rooms", {"kind": "direct", "member_ids": [me["id"]]})["id"] == room
    bob.room("ann").click()
    bob.expect_texts("Have you found my umbrella?", "It is green.")
    bob.say("No.")
    ann.expect_texts("Have you found my umbrella?", "It is green.", "No.")
    assert [bob.console_errors, ann.console_errors] == [[], []]


def test_an_address_with_a_link_asks_before_it_joins(new_person: NewPerson, server: Server) -> None:
    ann, bob = new_person("ann"), new_person("bob", new=False)
    room = ann.call("POST", "/v1/rooms", {"kind": "group", "name": "Team"})
    code = ann.call("POST", f"/v1/rooms/{room['id']}/links", {})["code"]
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        if len(asked) == 1:
            dialog.dismiss()
        else:
            dialog.accept()

    bob.page.on("dialog", answer)
    bob.page.goto(f"{server.url}/#join={code}")
    bob.fill_in()
    bob.page.get_by_role("button", name="Sign up").click()
    bob.expect_caught_up()
    expect(bob.room("Team")).to_have_count(0)
    bob.page.evaluate(f"location.hash = 'join={code}'")
    expect(bob.room("Team")).to_have_attribute("aria-current", "true")
    assert asked == ["Join Team?"] * 2
    bob.say("hello")
    assert bob.page.evaluate("location.hash") == ""
    bob.page.evaluate("location.hash = 'join=7-nobody'")
    expect(bob.page.get_by_role("alert").filter(has_text="not valid")).to_be_visible()
    bob.console_errors.clear()  # the browser tells of the 404
