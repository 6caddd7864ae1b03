"""What the browser keeps: the session for all tabs; the open room, drafts and unsent messages for one tab."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import WebSocketRoute, expect

from .conftest import NewPerson
from .harness import LOBBY, PASSWORD, Person

pytestmark = pytest.mark.e2e

LOBBY_ID = 2**31 - 1


def reload(person: Person) -> None:
    person.page.reload()
    person.expect_caught_up()


def test_a_draft_stays_with_its_room(new_person: NewPerson) -> None:
    ann = new_person("ann")
    ann.make_room("Square")
    ann.box.fill("for the square")
    ann.room(LOBBY).click()
    expect(ann.box).to_have_value("")
    ann.box.fill("for the lobby")
    ann.room("Square").click()
    expect(ann.box).to_have_value("for the square")
    ann.make_room("Harbour")
    expect(ann.box).to_have_value("")

    ann.room("Square").click()
    reload(ann)
    expect(ann.box).to_have_value("for the square")
    ann.box.press("Enter")
    ann.expect_texts("for the square")
    ann.room(LOBBY).click()
    expect(ann.box).to_have_value("for the lobby")
    ann.expect_texts()
    ann.room("Square").click()
    expect(ann.box).to_have_value("")
    reload(ann)
    expect(ann.box).to_have_value("")


def test_a_reload_keeps_the_room(new_person: NewPerson) -> None:
    ann = new_person("ann")
    ann.call("POST", "/v1/rooms", {"kind": "group", "name": "Team"})
    ann.make_room("Square")
    for name in ("Team", "Square", LOBBY):
        ann.room(name).click()
        ann.say(f"in {name}")
        reload(ann)
        expect(ann.room(name)).to_have_attribute("aria-current", "true")
        ann.expect_texts(f"in {name}")


def test_a_reload_in_a_room_that_was_left_meanwhile_shows_the_lobby(new_person: NewPerson) -> None:
    ann = new_person("ann")
    group = ann.call("POST", "/v1/rooms", {"kind": "group", "name": "Team"})
    ann.room("Team").click()
    expect(ann.room("Team")).to_have_attribute("aria-current", "true")
    ann.page.goto("about:blank")
    ann.call("POST", f"/v1/rooms/{group['id']}/leave")
    ann.page.goto(ann.url)
    ann.expect_caught_up()
    expect(ann.room(LOBBY)).to_have_attribute("aria-current", "true")
    expect(ann.room("Team")).to_have_count(0)
    assert ann.console_errors == []


class Gap:
    """Loses what passes between the page and the server, each way of them while its switch is on.

    With `many_rooms` the answer to hello is that of an account with many rooms: it lists none of these, but a cursor.
    `refuse_next` is the next command that is refused, and with which code. After `unauthenticated` the session ends.
    """

    def __init__(self, person: Person) -> None:
        self.to_server_lost = self.to_page_lost = self.many_rooms = False
        self.refuse_next: tuple[str, str] | None = None
        person.page.route_web_socket(re.compile(r".*/v1/socket$"), self._open)

    def _open(self, page: WebSocketRoute) -> None:
        server = page.connect_to_server()

        def to_server(data: str | bytes) -> None:
            frame = json.loads(data)
            if self.refuse_next is not None and self.refuse_next[0] in frame:
                self._refuse(page, frame["id"], self.refuse_next[1])
            elif not self.to_server_lost:
                server.send(data)

        page.on_message(to_server)
        server.on_message(lambda data: None if self.to_page_lost else page.send(self._changed(data)))

    def _refuse(self, page: WebSocketRoute, id: int, code: str) -> None:
        self.refuse_next = None
        error = {"code": code, "message": "Not now.", "temporary": code != "unauthenticated"}
        page.send(json.dumps({"id": id, "error": error}))
        if code == "unauthenticated":
            page.close(code=4004, reason="session_ended")

    def _changed(self, data: str | bytes) -> str | bytes:
        if not self.many_rooms or "hello" not in (frame := json.loads(data)):
            return data
        frame["hello"] |= {"rooms": [], "rooms_cursor": "0"}
        return json.dumps(frame)


@pytest.mark.parametrize("stored", [False, True])
def test_a_message_that_is_being_sent_survives_a_reload_and_is_sent_once(
    new_person: NewPerson, *, stored: bool
) -> None:
    ann, bob = new_person("ann", new=False), new_person("bob")
    gap = Gap(ann)
    ann.sign_up()
    ann.say("before")
    gap.to_server_lost, gap.to_page_lost = not stored, True
    ann.expect_state(ann.write("one"), "sending")
    if stored:
        bob.expect_texts("before", "one")
    ann.expect_state(ann.write("two"), "sending")

    gap.to_server_lost = gap.to_page_lost = False
    for _ in range(2):
        reload(ann)
        ann.expect_texts("before", "one", "two")
        for text in ("one", "two"):
            ann.expect_state(ann.message(text), "sent")
    bob.expect_texts("before", "one", "two")
    items = ann.call("GET", f"/v1/rooms/{LOBBY_ID}/messages")["items"]
    assert [item["text"] for item in items] == ["before", "one", "two"]


def test_a_message_is_sent_after_a_reload_to_a_room_that_hello_does_not_list(new_person: NewPerson) -> None:
    ann = new_person("ann", new=False)
    gap = Gap(ann)
    ann.sign_up()
    ann.make_room("Square")
    gap.to_server_lost = True
    ann.expect_state(ann.write("one"), "sending")
    gap.to_server_lost, gap.many_rooms = False, True
    reload(ann)
    ann.expect_state(ann.message("one"), "sent")


@pytest.mark.parametrize("command", ["send", "join"])
def test_a_message_that_the_end_of_the_session_refuses_is_sent_in_the_next_session(
    new_person: NewPerson, command: str
) -> None:
    ann = new_person("ann", new=False)
    gap = Gap(ann)
    ann.sign_up()
    gap.to_server_lost = command == "join"
    gap.refuse_next = ("send", "unauthenticated") if command == "send" else None
    written = ann.write("one")
    if command == "join":
        ann.expect_state(written, "sending")
        gap.to_server_lost, gap.refuse_next = False, ("join", "unauthenticated")
        ann.page.reload()
    expect(ann.page.get_by_role("alert").filter(visible=True)).to_contain_text("ended")
    ann.fill_in()
    ann.page.get_by_role("button", name="Sign in").click()
    ann.expect_caught_up()
    ann.expect_state(ann.message("one"), "sent")


def test_a_message_waits_if_the_lobby_cannot_be_joined_for_a_moment(new_person: NewPerson) -> None:
    ann = new_person("ann", new=False)
    gap = Gap(ann)
    ann.sign_up()
    gap.to_server_lost = True
    ann.expect_state(ann.write("one"), "sending")
    gap.to_server_lost, gap.refuse_next = False, ("join", "overloaded")
    reload(ann)
    ann.expect_state(ann.message("one"), "sent")


def test_a_second_tab_needs_no_password_and_has_its_own_room(new_person: NewPerson) -> None:
    ann = new_person("ann")
    ann.make_room("Square")
    ann.box.fill("a draft")
    other = ann.new_tab().expect_caught_up()
    expect(other.room(LOBBY)).to_have_attribute("aria-current", "true")
    expect(other.box).to_have_value("")
    other.say("hello")
    expect(ann.room(LOBBY)).to_contain_text("Lobby")
    expect(ann.box).to_have_value("a draft")
    ann.room(LOBBY).click()
    ann.expect_texts("hello")


def test_sign_out_signs_out_every_tab_and_leaves_nothing_behind(new_person: NewPerson) -> None:
    ann = new_person("ann")
    ann.box.fill("between us")
    other = ann.new_tab().expect_caught_up()
    other.box.fill("a secret")
    ann.page.get_by_role("button", name="Sign out").click()
    for tab in (ann, other):
        expect(tab.page.get_by_role("textbox", name="Username")).to_be_visible()
        assert tab.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])") == "[{},{}]"
        tab.page.reload()
        expect(tab.page.get_by_role("textbox", name="Username")).to_be_visible()

    other.fill_in()
    other.page.get_by_role("button", name="Sign in").click()
    for tab in (ann, other):
        tab.expect_caught_up()
        expect(tab.box).to_have_value("")


def test_what_was_written_waits_for_the_same_person_to_sign_in_again(new_person: NewPerson) -> None:
    ann = new_person("ann")
    ann.box.fill("half a sent")
    change = {"old_password": PASSWORD, "new_password": PASSWORD + " staple"}
    ann.call("PUT", "/v1/me/password", change)
    expect(ann.page.get_by_role("alert").filter(visible=True)).to_contain_text("ended")
    ann.fill_in(change["new_password"])
    ann.page.get_by_role("button", name="Sign in").click()
    ann.expect_caught_up()
    expect(ann.box).to_have_value("half a sent")


def test_what_was_written_is_not_for_somebody_else(new_person: NewPerson) -> None:
    ann = new_person("ann")
    ann.box.fill("half a sent")
    ann.call("PUT", "/v1/me/password", {"old_password": PASSWORD, "new_password": PASSWORD + " staple"})
    expect(ann.page.get_by_role("alert").filter(visible=True)).to_contain_text("ended")
    ann.name = "bob"
    ann.fill_in()
    ann.page.get_by_role("button", name="Sign up").click()
    ann.expect_caught_up()
    expect(ann.box).to_have_value("")
    assert "half a sent" not in ann.page.evaluate("JSON.stringify({...sessionStorage})")
