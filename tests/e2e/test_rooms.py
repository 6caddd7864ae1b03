"""Rooms on the page: looking at one is not joining it, joining is a button, and there is a way out."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import NewPerson
from .harness import LOBBY, Person

pytestmark = pytest.mark.e2e


def members(owner: Person, room_id: int) -> list[str]:
    return [member["username"] for member in owner.call("GET", f"/v1/rooms/{room_id}/members")["items"]]


def test_a_look_at_a_public_room_does_not_join_it(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    room = ann.call("POST", "/v1/rooms", {"kind": "channel", "name": "Square"})
    join = bob.page.get_by_role("button", name="Join this room")
    bob.focus_window()
    bob.room("Square").click()
    expect(join).to_be_visible()
    expect(bob.box).to_be_hidden()
    bob.page.reload()
    bob.expect_caught_up()
    expect(join).to_be_visible()
    bob.room(LOBBY).click()
    bob.say("still outside")
    assert members(ann, room["id"]) == ["ann"]

    bob.enter("Square")
    bob.say("inside")
    assert members(ann, room["id"]) == ["ann", "bob"]
    assert bob.console_errors == []


def test_a_public_room_can_be_left_and_joined_again(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    room = ann.call("POST", "/v1/rooms", {"kind": "channel", "name": "Square"})
    bob.enter("Square")
    bob.say("hello")
    bob.page.get_by_role("button", name="Leave").click()
    expect(bob.room("Square")).to_contain_text("join")
    expect(bob.room(LOBBY)).to_have_attribute("aria-current", "true")
    assert members(ann, room["id"]) == ["ann"]
    bob.enter("Square")
    bob.expect_texts("hello")
    bob.say("again")


def test_leaving_a_group_asks_first(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    [found] = ann.call("GET", "/v1/people?username=bob")["items"]
    room = ann.call("POST", "/v1/rooms", {"kind": "group", "name": "Team", "member_ids": [found["id"]]})
    bob.accept("Team")
    leave = bob.page.get_by_role("button", name="Leave")

    bob.page.once("dialog", lambda dialog: dialog.dismiss())
    leave.click()
    bob.say("I stay")
    assert members(ann, room["id"]) == ["ann", "bob"]

    bob.page.once("dialog", lambda dialog: dialog.accept())
    leave.click()
    expect(bob.room("Team")).to_have_count(0)
    assert members(ann, room["id"]) == ["ann"]


def test_the_lobby_and_a_direct_room_cannot_be_left(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    [found] = ann.call("GET", "/v1/people?username=bob")["items"]
    ann.call("POST", "/v1/rooms", {"kind": "direct", "member_ids": [found["id"]]})
    bob.accept("ann")
    ann.make_room("Square")
    leave = ann.page.get_by_role("button", name="Leave")
    for name, ways_out in (("Square", 1), ("bob", 0), ("Square", 1), (LOBBY, 0)):
        ann.room(name).click()
        expect(leave.filter(visible=True)).to_have_count(ways_out)
    assert bob.console_errors == []


def test_a_draft_waits_for_one_who_was_taken_out_of_a_room(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    room = ann.call("POST", "/v1/rooms", {"kind": "channel", "name": "Square"})
    bob.enter("Square")
    bob.box.fill("a draft")
    bob.call("POST", f"/v1/rooms/{room['id']}/leave")
    expect(bob.room(LOBBY)).to_have_attribute("aria-current", "true")
    expect(bob.box).to_have_value("")
    bob.enter("Square")
    expect(bob.box).to_have_value("a draft")
