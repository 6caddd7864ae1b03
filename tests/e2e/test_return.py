"""The page survives: a killed server, a lost answer, a lost event, a close that asks to come back."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import WebSocketRoute, expect

from .conftest import Meet
from .harness import Person, Server

pytestmark = pytest.mark.e2e


class Wire:
    """Stands between one page and the server; loses what it is told to lose."""

    def __init__(self, person: Person) -> None:
        self.sent: list[dict[str, Any]] = []
        self.lose_next: str | None = None
        self.hang_up_then = False
        self.opened = 0
        person.page.route_web_socket(re.compile(r".*/v1/socket$"), self._open)

    def _open(self, page: WebSocketRoute) -> None:
        self.opened += 1
        self.page = page
        server = page.connect_to_server()

        def to_server(data: str | bytes) -> None:
            self.sent.append(json.loads(data))
            server.send(data)

        def to_page(data: str | bytes) -> None:
            if self.lose_next is None or self.lose_next not in json.loads(data):
                return page.send(data)
            self.lose_next = None
            if self.hang_up_then:
                self.hang_up_then = False
                server.close()
                page.close(code=4101, reason="slow")
            return None

        page.on_message(to_server)
        server.on_message(to_page)

    def commands(self, name: str) -> list[dict[str, Any]]:
        return [frame[name] for frame in self.sent if name in frame]


def test_it_survives_a_killed_server(meet: Meet, server: Server) -> None:
    ann, bob = meet("ann"), meet("bob")
    ann.say("one")
    bob.say("two")

    server.kill()
    ann.expect_status("offline")
    bob.expect_status("offline")
    typed = ann.write("three, into the dark")
    ann.expect_state(typed, "sending")
    ann.expect_state(ann.write("four"), "sending")

    server.start()
    ann.expect_caught_up()
    bob.expect_caught_up()
    ann.expect_state(typed, "sent")
    bob.say("five")
    for person in (ann, bob):
        person.expect_texts("one", "two", "three, into the dark", "four", "five")
    expect(bob.message("three, into the dark")).to_have_count(1)


def test_a_new_room_is_still_heard_after_a_restart(meet: Meet, server: Server) -> None:
    ann, bob = meet("ann"), meet("bob")
    ann.make_room("Harbour")
    ann.say("before")
    bob.look_again()
    bob.room("Harbour").click()
    expect(bob.message("before")).to_be_visible()

    server.kill()
    bob.expect_status("offline")
    bob.expect_state(bob.write("after"), "sending")
    server.start()
    for person in (ann, bob):
        person.expect_caught_up()
        person.expect_texts("before", "after")


def test_a_graceful_restart_too(meet: Meet, server: Server) -> None:
    ann, bob = meet("ann"), meet("bob")
    ann.say("one")
    server.stop()
    ann.expect_status("offline")
    bob.expect_state(bob.write("two"), "sending")
    server.start()
    for person in (ann, bob):
        person.expect_caught_up()
        person.expect_texts("one", "two")


def test_a_lost_answer_is_asked_for_again_with_the_same_id(meet: Meet) -> None:
    ann, bob = meet("ann", new=False), meet("bob")
    wire = Wire(ann)
    ann.sign_up()
    wire.lose_next, wire.hang_up_then = "send", True
    ann.write("once")
    ann.expect_state(ann.message("once"), "sent")
    ann.expect_caught_up()
    bob.say("heard")

    for person in (ann, bob):
        person.expect_texts("once", "heard")
    sends = wire.commands("send")
    assert len({send["client_message_id"] for send in sends}) == 1
    assert wire.opened == 2
    assert list(wire.commands("hello")[1]["rooms"]) == ["2147483647"]
    assert wire.commands("hello")[1]["epoch"]


def test_a_lost_event_is_found_by_its_number(meet: Meet) -> None:
    ann, bob = meet("ann", new=False), meet("bob")
    wire = Wire(ann)
    ann.sign_up()
    bob.say("one")
    ann.expect_texts("one")
    wire.lose_next = "message"
    bob.say("two, lost on the way")
    bob.say("three")
    ann.expect_texts("one", "two, lost on the way", "three")
    assert len(wire.commands("sync")) == 1
    ann.expect_caught_up()


def test_a_doubled_event_is_applied_once(meet: Meet) -> None:
    ann, bob = meet("ann", new=False), meet("bob")
    wire = Wire(ann)
    ann.sign_up()
    bob.say("one")
    ann.expect_texts("one")
    again = ann.context.request.get(
        f"{ann.url}/v1/rooms/2147483647/messages",
        headers={"Authorization": f"Bearer {wire.commands('hello')[0]['token']}"},
    ).json()["items"][0]
    wire.page.send(json.dumps({"message": {**again, "text": "forged"}}))
    bob.say("two")
    ann.expect_texts("one", "two")


def test_a_room_that_cannot_be_continued_is_fetched_anew(meet: Meet) -> None:
    ann, bob = meet("ann", new=False), meet("bob")
    wire = Wire(ann)
    ann.sign_up()
    bob.say("one")
    ann.expect_texts("one")
    head = ann.context.request.get(
        f"{ann.url}/v1/rooms/2147483647",
        headers={"Authorization": f"Bearer {wire.commands('hello')[0]['token']}"},
    ).json()["head_seq"]
    wire.lose_next = "message"
    bob.say("two")
    wire.page.send(json.dumps({"reset": {"room_id": 2147483647, "seq": head + 1, "reason": "too_far"}}))
    ann.expect_texts("one", "two")
    bob.say("three")
    ann.expect_texts("one", "two", "three")
    assert wire.commands("sync") == []


def test_an_ended_session_leads_to_the_dialect(meet: Meet) -> None:
    ann = meet("ann", new=False)
    wire = Wire(ann)
    ann.sign_up()
    wire.page.close(code=4004, reason="session_ended")
    expect(ann.page.get_by_role("textbox", name="Username")).to_be_visible()
    expect(ann.page.get_by_role("alert").filter(visible=True)).to_contain_text("ended")
    assert wire.opened == 1


def test_a_refused_page_does_not_come_back(meet: Meet) -> None:
    ann = meet("ann", new=False)
    wire = Wire(ann)
    ann.sign_up()
    ann.page.clock.install()
    wire.page.close(code=4000, reason="bad_frame")
    ann.expect_status("offline")
    ann.page.clock.run_for(60_000)
    ann.expect_status("offline")
    assert wire.opened == 1


def test_a_busy_server_is_given_its_time_and_what_was_missed_follows(meet: Meet) -> None:
    ann, bob = meet("ann", new=False), meet("bob")
    wire = Wire(ann)
    ann.sign_up()
    bob.say("one")
    ann.expect_texts("one")
    ann.page.clock.install()
    wire.page.send(json.dumps({"bye": {"code": 4100, "reason": "unavailable", "retry_after_ms": 3000}}))
    wire.page.close(code=4100, reason="unavailable")
    ann.expect_status("offline")
    bob.say("two")
    bob.say("three")
    ann.page.clock.run_for(2_900)
    assert wire.opened == 1
    ann.page.clock.run_for(3_000)
    ann.expect_caught_up()
    assert wire.opened == 2
    ann.expect_texts("one", "two", "three")


def test_a_heartbeat_is_answered(meet: Meet) -> None:
    ann = meet("ann", new=False)
    wire = Wire(ann)
    ann.sign_up()
    wire.page.send("{}")
    ann.say("still here")
    assert {} in wire.sent


def test_silence_is_taken_for_death(meet: Meet) -> None:
    ann = meet("ann", new=False)
    ann.page.clock.install()
    wire = Wire(ann)
    ann.page.goto(ann.url)
    ann.fill_in()
    ann.page.get_by_role("button", name="Sign up").click()
    ann.page.clock.run_for(1000)
    ann.expect_caught_up()
    ann.page.clock.run_for(41_000)
    ann.expect_caught_up()
    assert wire.opened == 2
