"""The page recovers from a killed server, a lost answer, a lost event, and a close that asks it to reconnect."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import WebSocket, WebSocketRoute, expect

from .conftest import NewPerson
from .harness import Person, Server

pytestmark = pytest.mark.e2e


class LossyProxy:
    """A proxy between one page and the server. It drops the next frame of a kind if `lose_next` names it.

    If `own_log_first` is set, the own log is replayed after hello before the logs of rooms, or after them. The server
    replays them in any order.
    """

    def __init__(self, person: Person) -> None:
        self.own_log_first: bool | None = None
        self.sent: list[dict[str, Any]] = []
        self.lose_next: str | None = None
        self.close_after_loss = False
        self.opened = 0
        person.page.route_web_socket(re.compile(r".*/v1/socket$"), self._open)

    def _open(self, page: WebSocketRoute) -> None:
        self.opened += 1
        self.page = page
        server = page.connect_to_server()
        replay: list[str | bytes] = []

        def to_server(data: str | bytes) -> None:
            self.sent.append(json.loads(data))
            server.send(data)

        def to_page(data: str | bytes) -> None:
            if self.own_log_first is not None and "id" not in json.loads(data):
                replay.append(data)
                if "caught_up" in json.loads(data):
                    replay.sort(key=lambda data: _rank(json.loads(data), self.own_log_first))
                    self.own_log_first = None
                    for held in replay:
                        page.send(held)
                return None
            if self.lose_next is None or self.lose_next not in json.loads(data):
                return page.send(data)
            self.lose_next = None
            if self.close_after_loss:
                self.close_after_loss = False
                server.close()
                page.close(code=4101, reason="slow")
            return None

        page.on_message(to_server)
        server.on_message(to_page)

    def commands(self, name: str) -> list[dict[str, Any]]:
        return [frame[name] for frame in self.sent if name in frame]


def _rank(frame: dict[str, Any], own_log_first: bool | None) -> int:
    if "caught_up" in frame:
        return 2
    return int(("me" in frame) != own_log_first)


def test_the_page_recovers_from_a_killed_server(new_person: NewPerson, server: Server) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    ann.say("one")
    bob.say("two")

    server.kill()
    ann.expect_status("offline")
    bob.expect_status("offline")
    typed = ann.write("three, while offline")
    ann.expect_state(typed, "sending")
    ann.expect_state(ann.write("four"), "sending")

    server.start()
    ann.expect_caught_up()
    bob.expect_caught_up()
    ann.expect_state(typed, "sent")
    bob.say("five")
    for person in (ann, bob):
        person.expect_texts("one", "two", "three, while offline", "four", "five")
    expect(bob.message("three, while offline")).to_have_count(1)


def test_a_new_room_still_receives_messages_after_a_restart(new_person: NewPerson, server: Server) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    ann.make_room("Harbour")
    ann.say("before")
    bob.enter("Harbour")
    expect(bob.message("before")).to_be_visible()

    server.kill()
    bob.expect_status("offline")
    bob.expect_state(bob.write("after"), "sending")
    server.start()
    for person in (ann, bob):
        person.expect_caught_up()
        person.expect_texts("before", "after")


def test_the_page_recovers_from_a_graceful_restart(new_person: NewPerson, server: Server) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    ann.say("one")
    server.stop()
    ann.expect_status("offline")
    bob.expect_state(bob.write("two"), "sending")
    server.start()
    for person in (ann, bob):
        person.expect_caught_up()
        person.expect_texts("one", "two")


def test_a_message_without_an_answer_is_sent_again_with_the_same_id(new_person: NewPerson) -> None:
    ann, bob = new_person("ann", new=False), new_person("bob")
    proxy = LossyProxy(ann)
    ann.sign_up()
    proxy.lose_next, proxy.close_after_loss = "send", True
    ann.write("once")
    ann.expect_state(ann.message("once"), "sent")
    ann.expect_caught_up()
    bob.say("heard")

    for person in (ann, bob):
        person.expect_texts("once", "heard")
    sends = proxy.commands("send")
    assert len({send["client_message_id"] for send in sends}) == 1
    assert proxy.opened == 2
    assert list(proxy.commands("hello")[1]["rooms"]) == ["2147483647"]
    assert proxy.commands("hello")[1]["epoch"]


def test_the_page_reconnects_if_an_answer_does_not_come_although_the_server_is_not_silent(
    new_person: NewPerson,
) -> None:
    ann = new_person("ann", new=False)
    ann.page.clock.install()
    proxy = LossyProxy(ann)
    ann.sign_up()
    proxy.lose_next = "send"
    ann.expect_state(ann.write("one"), "sent")  # its event came
    waiting = ann.write("two")
    ann.page.clock.fast_forward(20_000)  # the time that really passes counts, too
    proxy.page.send("{}")
    ann.expect_state(waiting, "sending")
    ann.page.clock.fast_forward(11_000)
    ann.page.clock.fast_forward(2_000)  # within this time it reconnects
    ann.expect_state(waiting, "sent")
    ann.expect_texts("one", "two")
    assert proxy.opened == 2


def test_a_lost_event_is_found_by_its_seq(new_person: NewPerson) -> None:
    ann, bob = new_person("ann", new=False), new_person("bob")
    proxy = LossyProxy(ann)
    ann.sign_up()
    bob.say("one")
    ann.expect_texts("one")
    proxy.lose_next = "message"
    bob.say("two, which is lost")
    bob.say("three")
    ann.expect_texts("one", "two, which is lost", "three")
    assert len(proxy.commands("sync")) == 1
    ann.expect_caught_up()


def test_a_repeated_event_is_applied_once(new_person: NewPerson) -> None:
    ann, bob = new_person("ann", new=False), new_person("bob")
    proxy = LossyProxy(ann)
    ann.sign_up()
    bob.say("one")
    ann.expect_texts("one")
    again = ann.context.request.get(
        f"{ann.url}/v1/rooms/2147483647/messages",
        headers={"Authorization": f"Bearer {proxy.commands('hello')[0]['token']}"},
    ).json()["items"][0]
    proxy.page.send(json.dumps({"message": {**again, "text": "forged"}}))
    bob.say("two")
    ann.expect_texts("one", "two")


def test_a_room_that_is_reset_is_fetched_again(new_person: NewPerson) -> None:
    ann, bob = new_person("ann", new=False), new_person("bob")
    proxy = LossyProxy(ann)
    ann.sign_up()
    bob.say("one")
    ann.expect_texts("one")
    head = ann.context.request.get(
        f"{ann.url}/v1/rooms/2147483647",
        headers={"Authorization": f"Bearer {proxy.commands('hello')[0]['token']}"},
    ).json()["head_seq"]
    proxy.lose_next = "message"
    bob.say("two")
    proxy.page.send(json.dumps({"reset": {"room_id": 2147483647, "seq": head + 1, "reason": "too_far"}}))
    ann.expect_texts("one", "two")
    bob.say("three")
    ann.expect_texts("one", "two", "three")
    assert proxy.commands("sync") == []


def test_an_ended_session_shows_the_sign_in_form(new_person: NewPerson) -> None:
    ann = new_person("ann", new=False)
    proxy = LossyProxy(ann)
    ann.sign_up()
    proxy.page.close(code=4004, reason="session_ended")
    expect(ann.page.get_by_role("textbox", name="Username")).to_be_visible()
    expect(ann.page.get_by_role("alert").filter(visible=True)).to_contain_text("ended")
    assert proxy.opened == 1


def test_a_refused_page_does_not_reconnect(new_person: NewPerson) -> None:
    ann = new_person("ann", new=False)
    proxy = LossyProxy(ann)
    ann.sign_up()
    ann.page.clock.install()
    proxy.page.close(code=4000, reason="bad_frame")
    ann.expect_status("offline")
    ann.page.clock.run_for(60_000)
    ann.expect_status("offline")
    assert proxy.opened == 1


def test_the_page_waits_for_a_busy_server_and_then_catches_up(new_person: NewPerson) -> None:
    ann, bob = new_person("ann", new=False), new_person("bob")
    proxy = LossyProxy(ann)
    ann.sign_up()
    bob.say("one")
    ann.expect_texts("one")
    ann.page.clock.install()
    proxy.page.send(json.dumps({"bye": {"code": 4100, "reason": "unavailable", "retry_after_ms": 60_000}}))
    proxy.page.close(code=4100, reason="unavailable")
    ann.expect_status("offline")
    bob.say("two")
    bob.say("three")
    ann.page.clock.run_for(50_000)  # the time that really passes counts, too
    assert proxy.opened == 1
    while proxy.opened == 1:  # the test's timeout ends it
        ann.page.clock.run_for(1_000)
    ann.expect_caught_up()
    assert proxy.opened == 2
    ann.expect_texts("one", "two", "three")


def test_a_heartbeat_is_answered(new_person: NewPerson) -> None:
    ann = new_person("ann", new=False)
    proxy = LossyProxy(ann)
    ann.sign_up()
    proxy.page.send("{}")
    ann.say("still here")
    assert {} in proxy.sent


def test_the_page_reconnects_when_the_server_is_silent(new_person: NewPerson) -> None:
    ann = new_person("ann", new=False)
    ann.page.clock.install()
    proxy = LossyProxy(ann)
    ann.page.goto(ann.url)
    ann.fill_in()
    ann.page.get_by_role("button", name="Sign up").click()
    ann.page.clock.run_for(1000)
    ann.expect_caught_up()
    ann.page.clock.run_for(41_000)
    ann.expect_caught_up()
    assert proxy.opened == 2


def test_the_page_waits_as_long_as_the_heartbeat_of_this_server_needs(new_person: NewPerson) -> None:
    ann = new_person("ann", new=False)
    sockets: list[WebSocket] = []
    ann.page.on("websocket", lambda socket: sockets.append(socket))  # a built-in is refused
    ann.page.clock.install()
    limits = {"ping_interval_ms": 60_000, "pong_timeout_ms": 10_000}
    ann.page.route("**/v1/limits", lambda route: route.fulfill(json=limits))
    with ann.page.expect_response("**/v1/limits"):
        ann.sign_up()
    ann.say("one")

    ann.page.clock.fast_forward(65_000)
    ann.page.clock.fast_forward(2_000)  # a page that thinks the connection is dead reconnects within this time
    ann.say("two")
    assert len(sockets) == 1

    for turn in range(20):  # a frame that is still on its way is heard only after 80 seconds of the page
        ann.page.clock.fast_forward(80_000)
        ann.page.clock.fast_forward(2_000)
        ann.say(f"three {turn}")
        if len(sockets) > 1:
            break
    assert len(sockets) == 2


def test_the_page_waits_for_ever_where_pings_are_switched_off(new_person: NewPerson) -> None:
    ann = new_person("ann", new=False)
    sockets: list[WebSocket] = []
    ann.page.on("websocket", lambda socket: sockets.append(socket))  # a built-in is refused
    ann.page.clock.install()
    limits = {"ping_interval_ms": 2**53 - 1, "pong_timeout_ms": 10_000}
    ann.page.route("**/v1/limits", lambda route: route.fulfill(json=limits))
    with ann.page.expect_response("**/v1/limits"):
        ann.sign_up()
    ann.say("one")
    ann.page.clock.fast_forward(1_000_000)
    ann.page.clock.fast_forward(2_000)
    ann.say("two")
    assert len(sockets) == 1


@pytest.mark.parametrize("is_first", [True, False], ids=["own log first", "room first"])
def test_a_room_that_was_left_and_entered_again_meanwhile_stays_open(new_person: NewPerson, is_first: bool) -> None:
    ann, bob = new_person("ann"), new_person("bob", new=False)
    proxy = LossyProxy(bob)
    bob.sign_up()
    bobs_id = bob.call("GET", "/v1/me")["id"]
    room = ann.call("POST", "/v1/rooms", {"name": "Harbour", "member_ids": [bobs_id]})["id"]
    bob.accept("Harbour")
    ann.call("POST", f"/v1/rooms/{room}/messages", {"text": "before"})
    bob.expect_texts("before")

    bob.page.clock.install()
    proxy.page.send(json.dumps({"bye": {"code": 4101, "reason": "slow", "retry_after_ms": 60_000}}))
    proxy.page.close(code=4101, reason="slow")
    bob.expect_status("offline")
    bob.expect_state(bob.write("mine"), "sending")
    ann.call("DELETE", f"/v1/rooms/{room}/members/{bobs_id}")
    ann.call("POST", f"/v1/rooms/{room}/messages", {"text": "while out"})
    ann.call("POST", f"/v1/rooms/{room}/members", {"account_id": bobs_id})
    bob.call("POST", f"/v1/rooms/{room}/join")
    ann.call("POST", f"/v1/rooms/{room}/messages", {"text": "while back"})
    proxy.own_log_first = is_first
    bob.page.clock.run_for(100_000)
    bob.expect_caught_up()
    expect(bob.room("Harbour")).to_have_attribute("aria-current", "true")
    bob.expect_texts("before", "while out", "while back", "mine")
